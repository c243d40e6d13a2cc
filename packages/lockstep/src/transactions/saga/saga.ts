/**
 * Saga. Steps run forward in order; when one is refused, what ran is compensated in reverse order.
 *
 *   committing    on its way to commit. Moves: an action `done` lets the steps after it leave; the last one → committed. An action
 *                 `refused`, the deadline, or the initiator's rollback → rolling-back.
 *   rolling-back  irrevocable. Moves: each compensation `done`, in reverse order; the last one → rolled-back.
 *   committed, rolled-back    final.
 *
 * The deadline is judged when something happens, so it decides only while the saga is `committing`.
 *
 * A crash in `committing` leaves actions that may have happened: the next owner sends them again and the barrier answers the
 * stored output. A crash in `rolling-back` leaves compensations that may have happened: each takes effect once.
 * A compensation that is `refused` is a defect of the participant: the saga is held, never decided anew.
 *
 * After Garcia-Molina and Salem, "Sagas", SIGMOD 1987.
 */
import { invariant } from '../../errors.ts'
import type { Advance, Command, Event, Transaction } from '../../ports/index.ts'
import { ageAlarm, hold, isOlderThanBarrier, isTooOld, nextAgeAt } from '../age.ts'
import { act } from './act.ts'
import { compensationCalls, nothingToReverse } from './backward.ts'
import type { Saga, SagaState } from './definition.ts'
import { actionCalls, missingOutput } from './forward.ts'
import { recordClaim, recordNotSent, recordOutcome } from './record.ts'
import { rollBack } from './roll-back.ts'

/** What may follow what. `advance` leaves a status only along this table. */
const transitions = {
  prepared: [],
  committing: ['committed', 'rolling-back'],
  'rolling-back': ['rolled-back'],
  committed: [],
  'rolled-back': [],
} as const satisfies Record<Saga['status'], readonly Saga['status'][]>

export function advance(transaction: Transaction, event: Event, now: number): Advance {
  const saga = transaction as Saga
  const claimed = event.claim === undefined ? saga : recordClaim(saga, event.claim.takeover, now)
  const applied = apply(claimed, event, now)
  if ('refusal' in applied) return { transaction: claimed, commands: [], refusal: applied.refusal }
  const decided = decide(applied.saga, now)
  checkTransition(saga, decided.transaction)
  return decided
}

type Applied = { readonly saga: Saga } | { readonly refusal: NonNullable<Advance['refusal']> }

function apply(saga: Saga, event: Event, now: number): Applied {
  switch (event.kind) {
    case 'woke':
      return { saga }
    case 'outcome':
      return { saga: recordOutcome(saga, event, now) }
    case 'not-sent':
      return { saga: recordNotSent(saga, event, now) }
    case 'decide':
      return event.decision === 'commit' ? refuseCommit() : cancel(saga)
    case 'act':
      return act(saga, event)
  }
}

function refuseCommit(): Applied {
  const message = 'A saga commits by itself when its last step is done; nobody else decides that.'
  return { refusal: { code: 'LOCKSTEP_ACTION_NOT_ALLOWED', message } }
}

/** The initiator's rollback. First come: a saga that has committed stays so; a second rollback changes nothing. */
function cancel(saga: Saga): Applied {
  if (saga.status === 'committed') {
    return { refusal: { code: 'LOCKSTEP_ALREADY_COMMITTING', message: `Saga ${saga.id} has committed.` } }
  }
  return saga.status === 'committing'
    ? { saga: rollBack(saga, { branch: null, body: { code: 'cancelled' } }) }
    : { saga }
}

/** What follows from where the saga stands now. The only place that ends it, holds it, or lets calls leave. */
function decide(saga: Saga, now: number): Advance<Saga> {
  if (saga.endedAt !== null) return { transaction: saga, commands: [] }
  if (saga.held !== null) return { transaction: { ...saga, nextAt: null }, commands: [] }
  const judged = judgeDeadline(saga, now)
  const obstacle = obstacleOf(judged, now)
  if (obstacle !== null) return { transaction: { ...judged, held: obstacle, nextAt: null }, commands: [] }
  const moved = judged.status === 'committing' ? forward(judged, now) : backward(judged, now)
  if (moved.saga.endedAt !== null) return { transaction: { ...moved.saga, nextAt: null }, commands: [] }
  const aged = ageAlarm(moved.saga, now)
  const next = { ...aged.transaction, nextAt: nextAt(aged.transaction, now) }
  return { transaction: next, commands: [...moved.commands, ...aged.commands] }
}

function judgeDeadline(saga: Saga, now: number): Saga {
  const over = saga.status === 'committing' && saga.deadlineAt !== null && now >= saga.deadlineAt
  if (!over || isComplete(saga.state)) return saga
  return rollBack(saga, { branch: null, body: { code: 'deadline' } })
}

function obstacleOf(saga: Saga, now: number): Saga['held'] {
  const isOver = saga.status === 'committing' ? isComplete(saga.state) : nothingToReverse(saga)
  if (!isOver && isOlderThanBarrier(saga, now)) return hold('older-than-barrier', now, null)
  if (isTooOld(saga, now)) return hold('too-old', now, null)
  const missing = saga.status === 'committing' ? missingOutput(saga, now) : null
  return missing === null ? null : hold('output-missing', now, missing)
}

function isComplete(state: SagaState): boolean {
  return state.steps.every((step) => step.state === 'done' || step.state === 'skipped')
}

interface Moved {
  readonly saga: Saga
  readonly commands: readonly Command[]
}

function forward(saga: Saga, now: number): Moved {
  if (isComplete(saga.state)) return { saga: { ...saga, status: 'committed', endedAt: now }, commands: [] }
  return actionCalls(saga, now)
}

function backward(saga: Saga, now: number): Moved {
  if (nothingToReverse(saga)) return { saga: { ...saga, status: 'rolled-back', endedAt: now }, commands: [] }
  return compensationCalls(saga, now)
}

/** The next moment at which time alone moves the saga. What is due already waits for an outcome, and that will come. */
function nextAt(saga: Saga, now: number): number {
  const moments = [nextAgeAt(saga)]
  if (saga.status === 'committing' && saga.deadlineAt !== null) moments.push(saga.deadlineAt)
  for (const step of saga.state.steps) {
    const tries = saga.status === 'committing' ? step.action : step.compensate
    if (step.flight === null && tries.retryAt !== null) moments.push(tries.retryAt)
    if (saga.status === 'rolling-back' && step.quietUntil !== null) moments.push(step.quietUntil)
  }
  return Math.min(...moments.filter((moment) => moment > now))
}

function checkTransition(before: Saga, after: Saga): void {
  if (before.status === after.status) return
  // One event may lead through rolling-back to rolled-back, when nothing was ever sent.
  const direct = (transitions[before.status] as readonly string[]).includes(after.status)
  const through = before.status === 'committing' && after.status === 'rolled-back'
  invariant(direct || through, `saga ${before.id} went from ${before.status} to ${after.status}`)
}
