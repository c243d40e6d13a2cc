import type { Command, Event } from '../../ports/index.ts'
import { type Message, positionOf, withDelivery } from './definition.ts'
import { type Recorded, stick } from './deliver.ts'

/**
 * A receiver has said no and the decision cannot be taken back, so the producer is told to reverse its business: by a message of its
 * own, already decided, under an id that is made from this one's. It is begun once, however often a crash has it asked for.
 */
export function escalations(message: Message): { message: Message; commands: Command[] } {
  let moved = message
  const commands: Command[] = []
  for (const [position, delivery] of message.state.deliveries.entries()) {
    const plan = message.definition.deliveries[position]
    if (delivery.escalation !== 'owed' || plan === undefined || plan.escalate === null) continue
    moved = withDelivery(moved, position, { escalation: 'asked' })
    const payload = {
      transaction: message.id,
      delivery: plan.name,
      input: message.definition.input,
      payload: plan.payload,
    }
    const deliveries = [{ name: 'undo', to: plan.escalate, payload }]
    const labels = { 'escalation-of': message.id }
    commands.push({ kind: 'begin', branch: plan.name, body: { pattern: 'message', deliveries, labels } })
  }
  return { message: moved, commands }
}

export function recordBegun(message: Message, event: Extract<Event, { kind: 'begun' }>): Recorded {
  const position = positionOf(message, event.branch)
  if (message.state.deliveries[position]?.escalation !== 'asked') return { message, commands: [] }
  if (event.refusal === null) return { message: withDelivery(message, position, { escalation: 'begun' }), commands: [] }
  const detail = `${event.branch}, and its escalation cannot be begun: ${event.refusal}`.slice(0, 500)
  return stick(withDelivery(message, position, { escalation: null }), position, { reason: 'delivery-refused', detail })
}
