import type { Event } from '../../ports/index.ts'
import { barrierRetentionMs as defaultBarrierRetentionMs } from '../../protocol/limits.ts'
import { isOlderThanBarrier } from '../age.ts'
import { hurried } from '../errand.ts'
import { notAllowed, type Refused } from '../refusal.ts'
import { askNow, commit, end } from './decide.ts'
import { type DeliveryState, isSettled, type Message, positionOf, withDelivery } from './definition.ts'

type ActEvent = Extract<Event, { kind: 'act' }>
type Acted = { readonly message: Message } | Refused

/** What an operator may do to a message. Force decides what is undecided, and never flips a decision. */
export function act(message: Message, event: ActEvent, now: number, barrierRetentionMs?: number): Acted {
  if (message.endedAt !== null) return notAllowed(`Message ${message.id} has ended as ${message.status}.`)
  const position = event.branch === null ? -1 : positionOf(message, event.branch)
  if (event.branch !== null && position < 0) return notAllowed(`Message ${message.id} has no delivery ${event.branch}.`)
  switch (event.action) {
    case 'retry':
      return { message: retry(message, position, now) }
    case 'skip':
      return event.branch === null ? notAllowed('Skip needs the name of a delivery.') : skip(message, position)
    case 'force-commit':
      return message.status === 'prepared' ? { message: commit(message, now) } : decided(message)
    case 'force-rollback':
      return message.status === 'prepared'
        ? forceRollback(message, { event, now, barrierRetentionMs })
        : decided(message)
  }
}

function decided({ id, status }: Message): Refused {
  return notAllowed(
    `Message ${id} is ${status}: force never flips a decision, nor takes it twice. Skip its deliveries.`,
  )
}

interface Forcing {
  readonly event: ActEvent
  readonly now: number
  readonly barrierRetentionMs: number | undefined
}

/** Nobody may roll back what the producer has committed: as long as it can be asked, it is. Once it has forgotten, a person decides. */
function forceRollback(
  message: Message,
  { event, now, barrierRetentionMs = defaultBarrierRetentionMs }: Forcing,
): Acted {
  const isForgotten = message.state.forgotten === true || isOlderThanBarrier(message, now, barrierRetentionMs)
  if (message.definition.checkBack === null || isForgotten) {
    return { message: end(message, { branch: null, body: { code: 'forced', reason: event.reason } }, now) }
  }
  const asked = askNow(message)
  return 'message' in asked ? asked : { message }
}

/** One attempt now: of the check while nobody has decided, of one delivery or of all that wait. */
function retry(message: Message, position: number, now: number): Message {
  if (message.status === 'prepared') {
    return { ...message, state: { ...message.state, hurried: true, check: hurried(message.state.check) } }
  }
  const deliveries = message.state.deliveries.map((delivery, at) =>
    position < 0 || at === position
      ? { ...delivery, stuck: null, dueAt: soonest(delivery, now), errand: hurried(delivery.errand) }
      : delivery,
  )
  return { ...message, state: { ...message.state, deliveries } }
}

/** An operator does not wait for a delay. */
function soonest({ dueAt }: DeliveryState, now: number): number | null {
  return dueAt === null ? null : Math.min(dueAt, now)
}

function skip(message: Message, position: number): Acted {
  const delivery = message.state.deliveries[position]
  if (message.status !== 'committing')
    return notAllowed(`Message ${message.id} is ${message.status}: there is nothing to skip.`)
  if (delivery === undefined || isSettled(delivery))
    return notAllowed(`This delivery of ${message.id} is ${delivery?.state ?? 'unknown'}: there is nothing to skip.`)
  // Whoever skips it has settled it in another way, so nobody is told of it any more either.
  return { message: withDelivery(message, position, { state: 'skipped', stuck: null, escalation: null }) }
}
