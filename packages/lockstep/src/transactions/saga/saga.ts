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
import { hold } from '../age.ts'
import { type Course, proceed } from '../proceed.ts'
import { notAllowed } from '../refusal.ts'
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

export function advance(transaction: Transaction, event: Event, now: number, barrierRetentionMs?: number): Advance {
  const saga = transaction as Saga
  const claimed = event.claim === undefined ? saga : recordClaim(saga, event.claim.takeover, now)
  const applied = apply(claimed, event, now)
  if (!('saga' in applied)) return { transaction: claimed, commands: [], ...applied }
  const moved = proceed(applied.saga, now, course, barrierRetentionMs)
  checkTransition(saga, moved.transaction)
  return moved
}

type Applied =
  | { readonly saga: Saga }
  | { readonly refusal: NonNullable<Advance['refusal']> }
  | { readonly repeated: true }

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
    case 'register':
    case 'begun':
      return notAllowed('The steps of a saga are fixed when it begins.')
  }
}

function refuseCommit(): Applied {
  return notAllowed('A saga commits by itself when its last step is done; nobody else decides that.')
}

/** The initiator's rollback. First come: a saga that has committed stays so; a second rollback changes nothing. */
function cancel(saga: Saga): Applied {
  if (saga.status === 'committed') {
    return { refusal: { code: 'LOCKSTEP_ALREADY_COMMITTING', message: `Saga ${saga.id} has committed.` } }
  }
  return saga.status === 'committing'
    ? { saga: rollBack(saga, { branch: null, body: { code: 'cancelled' } }) }
    : { repeated: true }
}

/** How a saga goes on: forward until all is done, backward until all is reversed. */
const course: Course<Saga> = {
  judge: judgeDeadline,
  isOver: (saga) => (saga.status === 'committing' ? isComplete(saga.state) : nothingToReverse(saga)),
  isOut: ({ state }) => state.steps.some(({ flight }) => flight !== null),
  obstacle(saga, now) {
    const missing = saga.status === 'committing' ? missingOutput(saga, now) : null
    return missing === null ? null : hold('output-missing', now, missing)
  },
  move: (saga, now) => (saga.status === 'committing' ? forward(saga, now) : backward(saga, now)),
  moments: momentsOf,
}

function judgeDeadline(saga: Saga, now: number): Saga {
  const over = saga.status === 'committing' && saga.deadlineAt !== null && now >= saga.deadlineAt
  if (!over || isComplete(saga.state)) return saga
  return rollBack(saga, { branch: null, body: { code: 'deadline' } })
}

function isComplete(state: SagaState): boolean {
  return state.steps.every((step) => step.state === 'done' || step.state === 'skipped')
}

interface Moved {
  readonly transaction: Saga
  readonly commands: readonly Command[]
}

function forward(saga: Saga, now: number): Moved {
  if (isComplete(saga.state)) return { transaction: { ...saga, status: 'committed', endedAt: now }, commands: [] }
  const { saga: transaction, commands } = actionCalls(saga, now)
  return { transaction, commands }
}

function backward(saga: Saga, now: number): Moved {
  if (nothingToReverse(saga)) return { transaction: { ...saga, status: 'rolled-back', endedAt: now }, commands: [] }
  const { saga: transaction, commands } = compensationCalls(saga, now)
  return { transaction, commands }
}

function momentsOf(saga: Saga): number[] {
  const moments = saga.status === 'committing' && saga.deadlineAt !== null ? [saga.deadlineAt] : []
  for (const step of saga.state.steps) {
    const tries = saga.status === 'committing' ? step.action : step.compensate
    if (step.flight === null && tries.retryAt !== null) moments.push(tries.retryAt)
    if (saga.status === 'rolling-back' && step.quietUntil !== null) moments.push(step.quietUntil)
  }
  return moments
}

function checkTransition(before: Saga, after: Saga): void {
  if (before.status === after.status) return
  // One event may lead through rolling-back to rolled-back, when nothing was ever sent.
  const direct = (transitions[before.status] as readonly string[]).includes(after.status)
  const through = before.status === 'committing' && after.status === 'rolled-back'
  invariant(direct || through, `saga ${before.id} went from ${before.status} to ${after.status}`)
}
