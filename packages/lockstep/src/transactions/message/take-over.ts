import { mutant } from '#mutant'
import type { AttemptRow } from '../../ports/index.ts'
import { localBranch } from '../../protocol/headers.ts'
import { grounded, takenOver } from '../errand.ts'
import { withAttempts } from '../tries.ts'
import { type DeliveryState, isSettled, type Message } from './definition.ts'

/** Another owner takes it: whatever the old one may have started gets an attempt, and is sent again. */
export function recordClaim(message: Message, takeover: boolean, now: number): Message {
  if (message.endedAt !== null) return message
  const noted: AttemptRow[] = []
  const { status, state, definition } = message
  const wasAsked = takeover && status === 'prepared' && definition.checkBack !== null
  let check = grounded(state.check)
  if (wasAsked) {
    const [taken, attempt] = takenOver(check, localBranch, 'check', now)
    check = taken
    noted.push(attempt)
  }
  const deliveries = state.deliveries.map((delivery, position) => {
    const owed = askedAgain(delivery)
    const name = definition.deliveries[position]?.name
    if (!takeover || status !== 'committing' || name === undefined || !mayHaveLeft(owed, now)) return owed
    const [errand, attempt] = takenOver(owed.errand, name, 'deliver', now)
    noted.push(attempt)
    return { ...owed, errand }
  })
  return { ...withAttempts(message, noted), state: { ...state, check, deliveries } }
}

function askedAgain(delivery: DeliveryState): DeliveryState {
  const isOwed = delivery.escalation === 'asked' && !mutant('P4-takeover-forgets-escalations')
  const escalation = isOwed ? 'owed' : delivery.escalation
  const dueAt = mutant('P5-takeover-forgets-delays') ? null : delivery.dueAt
  return { ...delivery, escalation, dueAt, errand: grounded(delivery.errand) }
}

function mayHaveLeft(delivery: DeliveryState, now: number): boolean {
  if (isSettled(delivery) || delivery.state === 'refused' || delivery.stuck !== null) return false
  return delivery.dueAt === null || delivery.dueAt <= now
}
