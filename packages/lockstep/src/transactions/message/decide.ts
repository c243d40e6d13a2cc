import { mutant } from '#mutant'
import type { Decision, RollbackReason } from '../../ports/index.ts'
import { hurried } from '../errand.ts'
import type { Refused } from '../refusal.ts'
import type { Message } from './definition.ts'

type Decided = { readonly message: Message } | Refused | { readonly repeated: true }

/**
 * The initiator's decision. A commit is final. A rollback is its belief only: where there is a check-back, another `send` of the same id
 * may have committed, so it merely has the check asked now, and that answer decides.
 */
export function decide(message: Message, decision: Decision, now: number): Decided {
  if (message.status === 'prepared')
    return decision === 'commit' ? { message: commit(message, now) } : rollBack(message, now)
  const isCommit = message.status === 'committing' || message.status === 'committed'
  if (isCommit === (decision === 'commit')) return { repeated: true }
  const code = isCommit ? 'LOCKSTEP_ALREADY_COMMITTING' : 'LOCKSTEP_ALREADY_ROLLING_BACK'
  return { refusal: { code, message: `Message ${message.id} is ${message.status}.` } }
}

/** Delays count from here, and so does the age: a delivery is due now at the earliest. Nobody needs to call the producer any more. */
export function commit(message: Message, now: number): Message {
  const deliveries = message.state.deliveries.map((one, position) => {
    return { ...one, dueAt: now + (message.definition.deliveries[position]?.delayMs ?? 0) }
  })
  const { needs } = message.definition
  return { ...message, status: 'committing', needs, state: { ...message.state, deliveries } }
}

function rollBack(message: Message, now: number): Decided {
  const trusts = message.definition.checkBack === null || mutant('P1-rollback-on-own-belief')
  return trusts ? { message: end(message, { branch: null, body: { code: 'cancelled' } }, now) } : askNow(message)
}

export function askNow(message: Message): Decided {
  const { check, hurried: isHurried } = message.state
  // Held, it is asked once it is let go. What this very event lets go must not count as asked already.
  const isAsked = check.flight !== null || (message.held !== null && isHurried && check.tries.retryAt === null)
  if (isAsked) return { repeated: true }
  return { message: { ...message, state: { ...message.state, hurried: true, check: hurried(check) } } }
}

/**
 * Nothing was ever delivered, so there is nothing to reverse. What is held ends once it is let go: only a person lifts a hold, and what
 * has ended must not stay among what people look after.
 */
export function end(message: Message, reason: RollbackReason, now: number): Message {
  const decided = { ...message, status: 'rolling-back' as const, reason }
  return message.held === null ? rolledBack(decided, now) : decided
}

export function rolledBack(message: Message, now: number): Message {
  return { ...message, status: 'rolled-back', endedAt: now, nextAt: null }
}
