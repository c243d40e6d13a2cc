import type { Command, Event } from '../../ports/index.ts'
import { hopeless, isOurs, landed, leaving, mayLeave, momentsOf, notSent } from '../errand.ts'
import { callTimeoutMs } from '../reading.ts'
import { attemptRow } from '../tries.ts'
import {
  type Delivery,
  type DeliveryState,
  isSettled,
  isStuck,
  type Message,
  positionOf,
  withDelivery,
} from './definition.ts'

/** Each delivery is a branch with a back-off of its own: what keeps one of them back keeps back no other. */

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>
type NotSentEvent = Extract<Event, { kind: 'not-sent' }>

export interface Recorded {
  readonly message: Message
  readonly commands: readonly Command[]
}

export function deliveryCalls(message: Message, now: number): { message: Message; commands: Command[] } {
  let moved = message
  const commands: Command[] = []
  for (const [position, plan] of message.definition.deliveries.entries()) {
    const delivery = message.state.deliveries[position]
    if (delivery === undefined || !isOpen(message, delivery, now)) continue
    const { errand, number } = leaving(delivery.errand, 'deliver')
    moved = withDelivery(moved, position, { state: 'active', stuck: null, errand })
    const call = { kind: 'call', branch: plan.name, operation: 'deliver', number, target: plan.to } as const
    commands.push({ ...call, input: plan.payload, timeoutMs: callTimeoutMs, needs: 'status' })
  }
  return { message: moved, commands }
}

function isOpen(message: Message, delivery: DeliveryState, now: number): boolean {
  if (isSettled(delivery) || delivery.escalation !== null || isStuck(delivery, message)) return false
  return (delivery.dueAt === null || delivery.dueAt <= now) && mayLeave(delivery.errand, now)
}

export function deliveryMoments(message: Message): number[] {
  return message.state.deliveries.flatMap((delivery) => {
    if (isSettled(delivery) || isStuck(delivery, message)) return []
    return [...momentsOf(delivery.errand), ...(delivery.dueAt === null ? [] : [delivery.dueAt])]
  })
}

export function recordDelivery(message: Message, event: OutcomeEvent, now: number): Recorded {
  const position = positionOf(message, event.branch)
  const delivery = message.state.deliveries[position]
  const plan = message.definition.deliveries[position]
  if (delivery === undefined || plan === undefined || !isOurs(delivery.errand, event)) return { message, commands: [] }
  const errand = landed(delivery.errand, event, message.ageFrom, now)
  const noted = withDelivery({ ...message, attempts: [...message.attempts, attemptRow(event)] }, position, { errand })
  if (delivery.state === 'skipped') return { message: noted, commands: [] }
  const { outcome } = event
  if (outcome.kind === 'done') {
    return { message: withDelivery(noted, position, { state: 'done', output: outcome.output }), commands: [] }
  }
  if (outcome.kind === 'refused') return refuse(noted, { position, plan, reason: JSON.stringify(outcome.reason) })
  const hold = hopeless(errand, event, now)
  return hold === null
    ? { message: noted, commands: [] }
    : stick(noted, position, { reason: hold.reason, detail: plan.name })
}

interface Refusal {
  readonly position: number
  readonly plan: Delivery
  readonly reason: string
}

/** The decision stands all the same. The producer is told, where it wants to be; else a person. */
function refuse(message: Message, { position, plan, reason }: Refusal): Recorded {
  const refused = withDelivery(message, position, { state: 'refused' })
  const detail = `${plan.name}: ${reason}`.slice(0, 500)
  if (plan.escalate === null) return stick(refused, position, { reason: 'delivery-refused', detail })
  return { message: withDelivery(refused, position, { escalation: 'owed' }), commands: [alert(detail)] }
}

export function stick(message: Message, position: number, why: { reason: string; detail: string }): Recorded {
  const stuck = { ...why, under: message.ageFrom }
  return { message: withDelivery(message, position, { stuck }), commands: [alert(`${why.reason}: ${why.detail}`)] }
}

function alert(detail: string): Command {
  return { kind: 'alert', alert: 'branch-stuck', detail }
}

export function recordDeliveryNotSent(message: Message, event: NotSentEvent, now: number): Recorded {
  const position = positionOf(message, event.branch)
  const delivery = message.state.deliveries[position]
  if (delivery === undefined || !isOurs(delivery.errand, event)) return { message, commands: [] }
  const errand = notSent(delivery.errand, event, message.ageFrom, now)
  const noted = withDelivery(message, position, { errand })
  const hold = hopeless(errand, event, now)
  return hold === null
    ? { message: noted, commands: [] }
    : stick(noted, position, { reason: hold.reason, detail: event.branch })
}
