import { checkAttempts } from '../attempt-check.ts'
import { stepsOf } from '../pattern-state.ts'
import { effectsOf, openingBalance, totalOf } from './bank.ts'
import type { Clients, Transfer } from './clients.ts'
import type { SagaWorld } from './saga-world.ts'

/** What must hold once everything is healed and has come to rest. */
export async function checkEnd(world: SagaWorld, clients: Clients): Promise<void> {
  const opened = world.banks.length * 5 * openingBalance
  // What an operator has skipped may have moved money on one side alone: then the books must show just that.
  const missing = clients.transfers.reduce((sum, transfer) => sum + unbalanced(world, transfer), 0)
  const total = totalOf(world.banks)
  for (const transfer of clients.transfers) checkTransfer(world, transfer)
  if (total !== opened + missing) world.installation.watcher.violate(`money: ${total} instead of ${opened + missing}`)
  await checkLimits(world, clients)
  for (const transfer of clients.transfers) await checkAttempts(world.installation, transfer.id)
}

function checkTransfer(world: SagaWorld, transfer: Transfer): void {
  const status = world.installation.watcher.seen.get(transfer.id)?.status
  if (status !== undefined && transfer.toldNever) {
    world.installation.watcher.violate(`${transfer.id} exists, though its initiator was told that nothing happened`)
  }
  if (status === undefined && transfer.known)
    world.installation.watcher.violate(`${transfer.id} was acknowledged and is gone`)
  for (const { name, bank } of transfer.steps) checkStep(world, { transfer, name, bank, status })
}

interface StepCheck {
  readonly transfer: Transfer
  readonly name: string
  readonly bank: number
  readonly status: string | undefined
}

function checkStep(world: SagaWorld, { transfer, name, bank, status }: StepCheck): void {
  const at = world.banks[bank]
  if (at === undefined) return
  const actions = effectsOf(at, transfer.id, name, 'action')
  const reversals = effectsOf(at, transfer.id, name, 'compensate')
  const where = `${transfer.id}/${name} (${status ?? 'never begun'})`
  if (actions > 1 || reversals > 1)
    world.installation.watcher.violate(`${where}: ${actions} actions, ${reversals} compensations took effect`)
  if (reversals > actions)
    world.installation.watcher.violate(`${where}: a compensation took effect for a step that never ran`)
  const expected = status === 'committed' ? 1 : 0
  if (actions - reversals !== expected && !skippedIn(world, transfer).has(name))
    world.installation.watcher.violate(`${where}: ${actions} actions and ${reversals} compensations took effect`)
}

/** Steps that an operator took out of the saga, and with it out of "all or nothing". */
function skippedIn(world: SagaWorld, transfer: Transfer): ReadonlySet<string> {
  const seen = world.installation.watcher.seen.get(transfer.id)
  if (seen === undefined) return new Set()
  const steps = stepsOf(seen)
  return new Set(transfer.steps.filter((_, position) => steps[position]?.state === 'skipped').map(({ name }) => name))
}

/** The money that a transfer with skipped steps has made or lost; 0 for every other. */
function unbalanced(world: SagaWorld, transfer: Transfer): number {
  if (skippedIn(world, transfer).size === 0) return 0
  return transfer.steps.reduce((sum, { name, bank, delta }) => {
    const at = world.banks[bank]
    if (at === undefined) return sum
    const stands = effectsOf(at, transfer.id, name, 'action') - effectsOf(at, transfer.id, name, 'compensate')
    return sum + stands * delta
  }, 0)
}

/** Law 9: only calls that may have left spend a limit. */
async function checkLimits(world: SagaWorld, clients: Clients): Promise<void> {
  for (const { id, at } of clients.heldForLimit) {
    if (at < 4)
      world.installation.watcher.violate(`law 9: ${id} was held as limit-spent after ${at} attempts that may have left`)
  }
}
