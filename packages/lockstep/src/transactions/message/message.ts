/**
 * The reliable message: a half message, the producer's local transaction, then delivery to every receiver.
 *
 *   prepared      the half message is durable, the decision is open. Moves: the initiator's commit → committing; the check-back's
 *                 answer → committing or rolled-back; a rollback by anybody only has the check asked now, where there is one.
 *   committing    irrevocable. Moves: each delivery `done`; the last one → committed. A delivery that is refused is told to the
 *                 producer by a linked message, or held for a person once the others are through.
 *   rolling-back  irrevocable, and nothing to do: only what is held stays here. Moves: whoever lets it go → rolled-back.
 *   committed, rolled-back    final.
 *
 * Silence decides nothing: the check is asked until it answers with a decision. Age alone alerts, then holds, and a held message still
 * takes its decision.
 *
 * A crash in `prepared` leaves a message that the check decides. A crash in `committing` leaves deliveries that may have arrived; they
 * are sent again, and the receiver's barrier makes the second one a no-op.
 *
 * After the half messages of RocketMQ, and Helland and Campbell, "Building on Quicksand", CIDR 2009.
 */
import { invariant } from '../../errors.ts'
import type { Advance, Command, Event, Held, Transaction } from '../../ports/index.ts'
import { localBranch } from '../../protocol/headers.ts'
import { hold } from '../age.ts'
import { type Course, proceed } from '../proceed.ts'
import { notAllowed, type Refused } from '../refusal.ts'
import { act } from './act.ts'
import { checkCalls, checkMoments, recordCheck, recordCheckNotSent } from './check.ts'
import { decide, rolledBack } from './decide.ts'
import { isSettled, isStuck, type Message } from './definition.ts'
import { deliveryCalls, deliveryMoments, recordDelivery, recordDeliveryNotSent } from './deliver.ts'
import { escalations, recordBegun } from './escalate.ts'
import { recordClaim } from './take-over.ts'

/** What may follow what. */
const transitions = {
  prepared: ['committing', 'rolling-back', 'rolled-back'],
  committing: ['committed'],
  'rolling-back': ['rolled-back'],
  committed: [],
  'rolled-back': [],
} as const satisfies Record<Message['status'], readonly Message['status'][]>

export function advance(transaction: Transaction, event: Event, now: number, barrierRetentionMs?: number): Advance {
  const message = transaction as Message
  const claimed = event.claim === undefined ? message : recordClaim(message, event.claim.takeover, now)
  const applied = apply(claimed, event, now, barrierRetentionMs)
  if (!('message' in applied)) return { transaction: claimed, commands: [], ...applied }
  const moved = proceed(applied.message, now, course, barrierRetentionMs)
  checkTransition(message, moved.transaction)
  return { ...moved, commands: [...(applied.commands ?? []), ...moved.commands] }
}

type Applied =
  | { readonly message: Message; readonly commands?: readonly Command[] }
  | Refused
  | { readonly repeated: true }

function apply(message: Message, event: Event, now: number, barrierRetentionMs?: number): Applied {
  switch (event.kind) {
    case 'woke':
      return { message }
    case 'decide':
      return decide(message, event.decision, now)
    case 'outcome':
      return event.branch === localBranch
        ? { message: recordCheck(message, event, now) }
        : recordDelivery(message, event, now)
    case 'not-sent':
      return event.branch === localBranch
        ? recordCheckNotSent(message, event, now)
        : recordDeliveryNotSent(message, event, now)
    case 'begun':
      return recordBegun(message, event)
    case 'act':
      return act(message, event, now, barrierRetentionMs)
    case 'register':
      return notAllowed('The deliveries of a message are fixed when it begins.')
  }
}

const course: Course<Message> = {
  judge: (message) => message,
  isOver({ status, state }) {
    return status === 'rolling-back' || state.deliveries.every((delivery) => isSettled(delivery) && isLanded(delivery))
  },
  isOut: ({ state }) =>
    state.check.flight !== null || state.deliveries.some((one) => !isLanded(one) || one.escalation === 'asked'),
  obstacle: stuckReason,
  move(message, now) {
    if (message.status === 'prepared') {
      const { message: transaction, commands } = checkCalls(message, now)
      return { transaction, commands }
    }
    if (message.status === 'rolling-back') return { transaction: rolledBack(message, now), commands: [] }
    if (course.isOver(message)) return { transaction: { ...message, status: 'committed', endedAt: now }, commands: [] }
    const told = escalations(message)
    const { message: transaction, commands } = deliveryCalls(told.message, now)
    return { transaction, commands: [...told.commands, ...commands] }
  },
  moments: (message) => (message.status === 'prepared' ? checkMoments(message) : deliveryMoments(message)),
  startsAt: (message) => Math.max(0, ...message.state.deliveries.map(({ dueAt }) => dueAt ?? 0)),
}

function isLanded({ errand }: Message['state']['deliveries'][number]): boolean {
  return errand.flight === null
}

/** A person is asked once nothing else is left to do: what is stuck must not keep the others back. */
function stuckReason(message: Message, now: number): Held | null {
  if (message.status !== 'committing') return null
  const waits = message.state.deliveries.some((one) => !isLanded(one) || !(isSettled(one) || isStuck(one, message)))
  const stuck = message.state.deliveries.flatMap((one) =>
    isStuck(one, message) && one.stuck !== null ? [one.stuck] : [],
  )
  const [first] = stuck
  if (waits || first === undefined) return null
  return hold(
    first.reason,
    now,
    stuck
      .map(({ detail }) => detail)
      .join('; ')
      .slice(0, 500),
  )
}

function checkTransition(before: Message, after: Message): void {
  if (before.status === after.status) return
  const direct = (transitions[before.status] as readonly string[]).includes(after.status)
  invariant(direct, `message ${before.id} went from ${before.status} to ${after.status}`)
}
