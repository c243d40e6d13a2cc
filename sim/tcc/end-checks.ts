import { checkAttempts } from '../attempt-check.ts'
import { branchesOf, namesOf } from '../pattern-state.ts'
import type { Seen } from '../watcher.ts'
import { accounts, type Column, openingBalance } from './accounts.ts'
import type { TccWorld } from './tcc-world.ts'
import type { Move, TccTransfer } from './transfer.ts'

/** What must hold once everything is healed and has come to rest. */
export async function checkEnd(world: TccWorld): Promise<void> {
  const { installation, transfers } = world
  for (const transfer of transfers) checkTransfer(world, transfer)
  checkPhantoms(world)
  checkMoney(world)
  for (const { id } of transfers) await checkAttempts(installation, id)
}

function movesOf({ moves, late }: TccTransfer): readonly Move[] {
  return late === null ? moves : [...moves, late]
}

function checkTransfer(world: TccWorld, transfer: TccTransfer): void {
  const { watcher } = world.installation
  const seen = watcher.seen.get(transfer.id)
  const skipped = skippedIn(seen)
  const registered = seen === undefined ? [] : namesOf(seen)
  for (const { name } of movesOf(transfer)) {
    if (!skipped.has(name)) checkBranch(world, { id: transfer.id, name, seen, isRegistered: registered.includes(name) })
  }
  // All or nothing: whoever committed had tried every branch, unless it did not look, or an operator forced it.
  if (seen?.status !== 'committed' || isBlind(world, transfer)) return
  for (const { name } of transfer.moves) {
    if (!registered.includes(name)) watcher.violate(`${transfer.id} was committed without its branch ${name}`)
  }
  const givenUp = transfer.moves.filter(({ name }) => skipped.has(name))
  if (givenUp.length > 0) watcher.violate(`${transfer.id} was committed, and a branch of it had to be given up`)
}

interface BranchCheck {
  readonly id: string
  readonly name: string
  readonly seen: Seen | undefined
  readonly isRegistered: boolean
}

function checkBranch(world: TccWorld, { id, name, seen, isRegistered }: BranchCheck): void {
  const times = (operation: 'try' | 'confirm' | 'cancel') => world.effects.times(id, name, operation)
  const [tries, confirms, cancels] = [times('try'), times('confirm'), times('cancel')]
  const status = seen?.status ?? 'never begun'
  const isCommitted = status === 'committed' && isRegistered
  const isRight = isCommitted
    ? tries === 1 && confirms === 1 && cancels === 0
    : confirms === 0 && cancels === tries && (isRegistered || tries === 0)
  if (!isRight)
    world.installation.watcher.violate(
      `${id}/${name} (${status}${isRegistered ? '' : ', not registered'}): ` +
        `${tries} tries, ${confirms} confirms, ${cancels} cancels took effect`,
    )
}

function skippedIn(seen: Seen | undefined): ReadonlySet<string> {
  if (seen === undefined || seen.pattern !== 'tcc') return new Set()
  const branches = branchesOf(seen)
  return new Set(namesOf(seen).filter((_, at) => branches[at]?.state === 'skipped'))
}

/** Nothing took effect that nobody asked for. */
function checkPhantoms({ effects, transfers, installation }: TccWorld): void {
  const asked = new Set(transfers.flatMap((one) => movesOf(one).map(({ name }) => `${one.id}/${name}`)))
  for (const key of effects.keys()) {
    const branch = key.slice(0, key.lastIndexOf('/'))
    if (!asked.has(branch)) installation.watcher.violate(`phantom: ${key} took effect, and nobody asked for it`)
  }
}

/** The books balance, but for what blind commits and operators have done to them. */
function checkMoney(world: TccWorld): void {
  const { watcher } = world.installation
  const sums = { available: 0, frozen: 0, incoming: 0 }
  for (const bank of world.banks) {
    for (const column of Object.keys(sums) as Column[]) {
      for (const account of accounts) sums[column] += Number(bank.read(column).get(account))
    }
  }
  const opened = world.banks.length * accounts.length * openingBalance
  const expected = opened + world.transfers.reduce((sum, transfer) => sum + imbalanceOf(world, transfer), 0)
  const isTouched = world.transfers.some(({ id }) => skippedIn(watcher.seen.get(id)).size > 0)
  const isFree = isTouched || (sums.frozen === 0 && sums.incoming === 0)
  if (sums.available + sums.frozen !== expected || !isFree)
    watcher.violate(`money: ${JSON.stringify(sums)}, and there should be ${expected}`)
}

/** What a transfer that was committed blindly has made or lost; 0 for every other, but for a late branch that nobody waited for. */
function imbalanceOf(world: TccWorld, transfer: TccTransfer): number {
  const madeBy = ({ name, participant, input }: Move): number => {
    const sign = participant.name.endsWith('.out') ? -1 : 1
    return sign * input.amount * world.effects.times(transfer.id, name, 'confirm')
  }
  const made = transfer.moves.reduce((sum, move) => sum + madeBy(move), 0)
  if (made !== 0 && !isBlind(world, transfer))
    world.installation.watcher.violate(`money: ${transfer.id} has made ${made}`)
  return made + (transfer.late === null ? 0 : madeBy(transfer.late))
}

/** What is older than the memory of the barrier is given up by a person, who does not know either. */
function isBlind({ installation }: TccWorld, { id, careless, forced }: TccTransfer): boolean {
  return careless || forced || installation.watcher.heldFor.get(id)?.has('older-than-barrier') === true
}
