/**
 * TCC: try, confirm, cancel. The initiator registers each branch, tries it, then decides; the coordinator confirms or cancels.
 *
 *   prepared      the decision is open. Moves: the initiator (register, commit, rollback), an operator's force, the clock
 *                 (deadline → rolling-back): silence means rollback.
 *   committing    irrevocable. Moves: each confirm `done`; the last one → committed.
 *   rolling-back  irrevocable. Moves: each cancel `done`; the last one → rolled-back.
 *   committed, rolled-back    final.
 *
 * Every registered branch is cancelled, whether its try was answered or not: a cancel that comes before its try leaves a tombstone, and
 * the late try is refused. Confirms and cancels run concurrently over branches.
 *
 * A crash in `prepared` leaves tried branches frozen until the deadline. A crash in `committing` or `rolling-back` leaves operations
 * that may have happened; they are sent again, and the barrier makes the second one a no-op. `refused` in the second phase is a
 * defect of the participant: the transaction is held, never decided anew.
 *
 * After Helland, "Life beyond Distributed Transactions", CIDR 2007, and Pardon and Pautasso, "Towards Distributed Atomic
 * Transactions over RESTful Services", 2011.
 */
import { invariant } from '../../errors.ts'
import type { Advance, Event, Transaction } from '../../ports/index.ts'
import { momentsOf } from '../errand.ts'
import { type Course, proceed } from '../proceed.ts'
import { notAllowed, type Refused } from '../refusal.ts'
import { act } from './act.ts'
import { decide, rollBack } from './decide.ts'
import type { Tcc } from './definition.ts'
import { recordClaim, recordNotSent, recordOutcome } from './record.ts'
import { register } from './register.ts'
import { isOver, secondPhaseCalls } from './second-phase.ts'

/** What may follow what. One event may lead over two arrows when there is no branch to call. */
const transitions = {
  prepared: ['committing', 'rolling-back', 'committed', 'rolled-back'],
  committing: ['committed'],
  'rolling-back': ['rolled-back'],
  committed: [],
  'rolled-back': [],
} as const satisfies Record<Tcc['status'], readonly Tcc['status'][]>

export function advance(transaction: Transaction, event: Event, now: number, barrierRetentionMs?: number): Advance {
  const tcc = transaction as Tcc
  const claimed = event.claim === undefined ? tcc : recordClaim(tcc, event.claim.takeover, now)
  const applied = apply(claimed, event, now)
  if (!('tcc' in applied)) return { transaction: claimed, commands: [], ...applied }
  const moved = proceed(applied.tcc, now, course, barrierRetentionMs)
  checkTransition(tcc, moved.transaction)
  return moved
}

type Applied = { readonly tcc: Tcc } | Refused | { readonly repeated: true }

function apply(tcc: Tcc, event: Event, now: number): Applied {
  switch (event.kind) {
    case 'woke':
      return { tcc }
    case 'register':
      return register(tcc, event.branch)
    case 'decide':
      return decide(tcc, event.decision)
    case 'outcome':
      return { tcc: recordOutcome(tcc, event, now) }
    case 'not-sent':
      return { tcc: recordNotSent(tcc, event, now) }
    case 'act':
      return act(tcc, event)
    case 'begun':
      return notAllowed('A TCC begins no other transaction.')
  }
}

const course: Course<Tcc> = {
  judge: judgeDeadline,
  isOver,
  isOut: ({ state }) => state.branches.some(({ errand }) => errand.flight !== null),
  obstacle: () => null,
  move(tcc, now) {
    if (tcc.status === 'prepared') return { transaction: tcc, commands: [] }
    if (isOver(tcc)) return { transaction: ended(tcc, now), commands: [] }
    const { tcc: transaction, commands } = secondPhaseCalls(tcc, now)
    return { transaction, commands }
  },
  moments(tcc) {
    if (tcc.status === 'prepared') return tcc.deadlineAt === null ? [] : [tcc.deadlineAt]
    return tcc.state.branches.flatMap(({ errand }) => momentsOf(errand))
  },
}

function judgeDeadline(tcc: Tcc, now: number): Tcc {
  const over = tcc.status === 'prepared' && tcc.deadlineAt !== null && now >= tcc.deadlineAt
  return over ? rollBack(tcc, { branch: null, body: { code: 'deadline' } }) : tcc
}

function ended(tcc: Tcc, now: number): Tcc {
  return { ...tcc, status: tcc.status === 'committing' ? 'committed' : 'rolled-back', endedAt: now }
}

function checkTransition(before: Tcc, after: Tcc): void {
  if (before.status === after.status) return
  const allowed = (transitions[before.status] as readonly string[]).includes(after.status)
  invariant(allowed, `TCC ${before.id} went from ${before.status} to ${after.status}`)
}
