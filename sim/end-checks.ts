import { effectsOf, openingBalance, totalOf } from './bank.ts'
import type { Clients, Transfer } from './clients.ts'
import type { World } from './world.ts'

/** What must hold once everything is healed and has come to rest. */
export async function checkEnd(world: World, clients: Clients): Promise<void> {
  const expected = world.banks.length * 5 * openingBalance
  const total = totalOf(world.banks)
  for (const transfer of clients.transfers) checkTransfer(world, transfer)
  if (total !== expected) world.watcher.violate(`money: ${total} instead of ${expected}`)
  await checkLimits(world, clients)
}

function checkTransfer(world: World, transfer: Transfer): void {
  const status = world.watcher.seen.get(transfer.id)?.status
  if (status !== undefined && transfer.toldNever) {
    world.watcher.violate(`${transfer.id} exists, though its initiator was told that nothing happened`)
  }
  if (status === undefined && transfer.known) world.watcher.violate(`${transfer.id} was acknowledged and is gone`)
  for (const { name, bank } of transfer.steps) checkStep(world, { transfer, name, bank, status })
}

interface StepCheck {
  readonly transfer: Transfer
  readonly name: string
  readonly bank: number
  readonly status: string | undefined
}

function checkStep(world: World, { transfer, name, bank, status }: StepCheck): void {
  const at = world.banks[bank]
  if (at === undefined) return
  const actions = effectsOf(at, transfer.id, name, 'action')
  const reversals = effectsOf(at, transfer.id, name, 'compensate')
  const where = `${transfer.id}/${name} (${status ?? 'never begun'})`
  if (actions > 1 || reversals > 1)
    world.watcher.violate(`${where}: ${actions} actions, ${reversals} compensations took effect`)
  if (reversals > actions) world.watcher.violate(`${where}: a compensation took effect for a step that never ran`)
  const expected = status === 'committed' ? 1 : 0
  if (actions - reversals !== expected)
    world.watcher.violate(`${where}: ${actions} actions and ${reversals} compensations took effect`)
}

/** Law 9: only calls that may have left spend a limit. */
async function checkLimits(world: World, clients: Clients): Promise<void> {
  for (const { id, at } of clients.heldForLimit) {
    if (at < 4) world.watcher.violate(`law 9: ${id} was held as limit-spent after ${at} attempts that may have left`)
  }
}

/** True when every transaction is final. */
export function isAtRest(world: World): boolean {
  return [...world.watcher.seen.values()].every(({ status }) => status === 'committed' || status === 'rolled-back')
}
