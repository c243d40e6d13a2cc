import { mutant } from '#mutant'
import type { Command, Event, Json, Outcome } from '../../ports/index.ts'
import { localBranch } from '../../protocol/headers.ts'
import { heldOnce } from '../age.ts'
import { isMissing, isOurs, landed, leaving, mayLeave, momentsOf, notSent } from '../errand.ts'
import { callTimeoutMs } from '../reading.ts'
import { attemptRow } from '../tries.ts'
import { commit, end } from './decide.ts'
import type { Message } from './definition.ts'
import type { Recorded } from './deliver.ts'

/**
 * The check-back: the producer is asked what became of its local transaction, until it says so. Neither silence nor any number of
 * failures decides a message; an unreachable producer costs no budget, and nor does "not yet".
 */

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>
type NotSentEvent = Extract<Event, { kind: 'not-sent' }>

export function checkCalls(message: Message, now: number): { message: Message; commands: Command[] } {
  const { checkBack, input } = message.definition
  const { check } = message.state
  if (checkBack === null || now < firstCheckAt(message) || !mayLeave(check, now)) return { message, commands: [] }
  const { errand, number } = leaving(check, 'check')
  const asked = { ...message, state: { ...message.state, check: errand } }
  const call = { kind: 'call', branch: localBranch, operation: 'check', number, target: checkBack, input } as const
  // Begin is durable, and that is all a question needs.
  return { message: asked, commands: [{ ...call, timeoutMs: callTimeoutMs, needs: 'nothing' }] }
}

function firstCheckAt({ state, createdAt, definition }: Message): number {
  return state.hurried ? createdAt : createdAt + definition.checkAfterMs
}

export function checkMoments(message: Message): number[] {
  if (message.definition.checkBack === null) return []
  return [firstCheckAt(message), ...momentsOf(message.state.check)]
}

export function recordCheck(message: Message, event: OutcomeEvent, now: number): Message {
  if (!isOurs(message.state.check, event)) return message
  const asked = { ...event, outcome: asQuestion(event.outcome) }
  const check = landed(message.state.check, asked, message.ageFrom, now)
  const noted = { ...message, attempts: [...message.attempts, attemptRow(asked)], state: { ...message.state, check } }
  if (message.status !== 'prepared') return noted
  const { outcome } = asked
  if (outcome.kind === 'done') return decided(noted, outcome.output, now)
  const isTooOld = outcome.kind === 'unknown' && outcome.code === 'older-than-barrier'
  if (!isTooOld) return noted
  const forgotten = { ...noted, state: { ...noted.state, forgotten: true } }
  return heldOnce(forgotten, 'older-than-barrier', event.branch, now)
}

function decided(message: Message, output: Json, now: number): Message {
  if (decisionIn(output) !== 'rollback') return commit(message, now)
  return end(message, { branch: localBranch, body: { code: 'rolled-back-by-check' } }, now)
}

/** Only an explicit decision decides: a 200 of a wrong URL must not commit a message, nor a 409 of one roll it back. */
function asQuestion(outcome: Outcome): Outcome {
  if (outcome.kind === 'done' && decisionIn(outcome.output) !== null) return outcome
  if (outcome.kind === 'done' && mutant('P2-any-answer-commits'))
    return { kind: 'done', output: { decision: 'commit' } }
  if (outcome.kind === 'unknown' && mutant('P3-silence-rolls-back'))
    return { kind: 'done', output: { decision: 'rollback' } }
  if (outcome.kind === 'done') return { kind: 'unknown', error: 'The check was answered without a decision.' }
  if (outcome.kind === 'refused') return { kind: 'unknown', error: 'A check cannot be refused.' }
  return outcome
}

function decisionIn(output: Json): 'commit' | 'rollback' | null {
  if (typeof output !== 'object' || output === null || Array.isArray(output)) return null
  const { decision } = output as { readonly [key: string]: Json }
  return decision === 'commit' || decision === 'rollback' ? decision : null
}

/** Whoever can call the producer will come, and until then age alone counts; but a person is told after a minute (law 11). */
export function recordCheckNotSent(message: Message, event: NotSentEvent, now: number): Recorded {
  const { ageFrom, alertedFor, state, definition } = message
  if (!isOurs(state.check, event)) return { message, commands: [] }
  const check = notSent(state.check, event, ageFrom, now)
  const noted = { ...message, state: { ...state, check } }
  if (!isMissing(check.missing, now) || alertedFor === ageFrom) return { message: noted, commands: [] }
  const detail = `nobody can call its check-back ${definition.checkBack}`
  return { message: { ...noted, alertedFor: ageFrom }, commands: [{ kind: 'alert', alert: 'undecided', detail }] }
}
