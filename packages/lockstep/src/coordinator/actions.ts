import { LockstepError } from '../errors.ts'
import type { Held, OperatorColumns, PatternMachine, StoredTransaction } from '../ports/index.ts'
import type { ActionRequest } from '../protocol/coordination.ts'
import type { Changes, Operator } from './changes.ts'
import type { Changed } from './snapshot.ts'

type MachineOf = (row: StoredTransaction) => PatternMachine

/**
 * Hold, resume and the actions of the pattern. An action on a held transaction lets it go in the same statement: what must stay held is
 * held again by the machine.
 */
export async function actOn(
  id: string,
  request: ActionRequest,
  { changes, machineOf }: { changes: Changes; machineOf: MachineOf },
): Promise<Changed | null> {
  const { action, branch = null, reason } = request
  refuseUnstorable(reason)
  const operator: Operator = { by: request.by ?? 'operator', action, branch, reason }
  if (action === 'hold') return changes.mark(id, operator, (row, now) => held(row, operator, now))
  if (action === 'resume') return changes.mark(id, operator, (row, now) => resumed(row, machineOf, now))
  const check = (current: Held | null): void => {
    if (action === 'retry') refuseTooOld(id, current)
    if (action !== 'skip' || current !== null) return
    throw notAllowed(`Transaction ${id} is not held: only what nobody works on can be skipped. Hold it first.`)
  }
  const lettingGo = (row: StoredTransaction, now: number) => released(row, machineOf, now)
  return changes.change(id, { kind: 'act', action, branch, reason }, { operator, check, cures: () => true, lettingGo })
}

/** The audit keeps it as it is, or not at all. */
function refuseUnstorable(reason: string): void {
  if (reason.isWellFormed() && !reason.includes('\0')) return
  const message = 'The reason holds a NUL character or half of a surrogate pair, which no store keeps.'
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', { message, issues: [{ path: '/reason', message }] })
}

function held(row: StoredTransaction, operator: Operator, now: number): OperatorColumns {
  refuseEnded(row)
  if (row.held !== null) throw notAllowed(`Transaction ${row.id} is held already: ${row.held.reason}.`)
  const { deadlineAt, ageFrom } = row
  return { held: { reason: 'operator', since: now, by: operator.by, detail: operator.reason }, deadlineAt, ageFrom }
}

function resumed(row: StoredTransaction, machineOf: MachineOf, now: number): OperatorColumns {
  refuseEnded(row)
  if (row.held === null) throw notAllowed(`Transaction ${row.id} is not held.`)
  refuseTooOld(row.id, row.held)
  return released(row, machineOf, now)
}

/** Law 10: a call older than the barrier's memory is never made again, so letting it go would only hold it again. */
function refuseTooOld(id: string, current: Held | null): void {
  if (current?.reason !== 'older-than-barrier') return
  throw notAllowed(`Transaction ${id} is older than the barrier's memory: skip the branch, or force an end.`)
}

/** The decision is what an undecided transaction was held for: it goes on by itself. */
export function decisionCures({ reason }: Held): boolean {
  return reason === 'undecided'
}

/** The age starts again, at the deadline where that lies ahead; a deadline that rests while held goes on where it was. */
export function released(row: StoredTransaction, machineOf: MachineOf, now: number): OperatorColumns {
  const restedMs = machineOf(row).deadlineRestsWhileHeld && row.held !== null ? now - row.held.since : 0
  const deadlineAt = row.deadlineAt === null ? null : row.deadlineAt + restedMs
  // Never the same moment again: what is counted since the last resume is told apart by it.
  return { held: null, deadlineAt, ageFrom: Math.max(now, deadlineAt ?? now, row.ageFrom + 1) }
}

function refuseEnded(row: StoredTransaction): void {
  if (row.endedAt !== null) throw notAllowed(`Transaction ${row.id} has ended as ${row.status}.`)
}

function notAllowed(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_ACTION_NOT_ALLOWED', { message })
}
