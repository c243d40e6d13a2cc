import { mutant } from '#mutant'
import type { AttemptRow, Event, Operation, Outcome, Transaction } from '../ports/index.ts'
import { backOffMs, boundedRetryAfterMs, firstBackOffMs, maxBackOffMs } from './back-off.ts'

/**
 * How often one operation of one branch was tried, and when it may be tried again. Every pattern counts this way.
 */
export interface Tries {
  /** Attempts ever, takeovers included: the next attempt is `count + 1`. */
  readonly count: number
  /** Failures in a row: the back-off grows with them. */
  readonly failures: number
  /** Attempts that spend the opt-in `retry.limit`: neither takeovers nor calls that certainly never left (law 9). */
  readonly spent: number
  /** The `ageFrom` under which `spent` and `pendingFrom` were counted: a resume starts them anew. */
  readonly countedFrom: number
  readonly retryAt: number | null
  /** When the branch first answered "ask again", or null. */
  readonly pendingFrom: number | null
}

/** A call that has left, or is about to: at most one per branch at a time. */
export interface Flight {
  readonly operation: Operation
  readonly number: number
  /** True when nothing of this operation had ever been sent: a call that does not leave takes its mark back. */
  readonly first: boolean
}

export const untried: Tries = { count: 0, failures: 0, spent: 0, countedFrom: 0, retryAt: null, pendingFrom: null }

export const pendingMaxMs = 24 * 3_600_000
const askAgainMs = 1_000

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>

export function isDue(tries: Tries, now: number): boolean {
  return tries.retryAt === null || tries.retryAt <= now
}

/** The counters after one more attempt that ended neither done nor refused. */
export function retryLater(tries: Tries, event: OutcomeEvent, ageFrom: number, now: number): Tries {
  const fresh = tries.countedFrom === ageFrom ? tries : { ...tries, spent: 0, pendingFrom: null, countedFrom: ageFrom }
  const { outcome } = event
  if (outcome.kind === 'pending') {
    const pendingFrom = fresh.pendingFrom ?? now
    const retryAt = now + askAgainInMs(outcome.retryAfterMs, now - pendingFrom)
    return { ...fresh, count: event.number, failures: 0, retryAt, pendingFrom }
  }
  const failures = fresh.failures + 1
  return {
    ...fresh,
    count: event.number,
    failures,
    spent: fresh.spent + (spendsLimit(outcome) ? 1 : 0),
    retryAt: now + backOffMs(failures, event.jitter, outcome.kind === 'unknown' ? outcome.retryAfterMs : 0),
    pendingFrom: null,
  }
}

/**
 * `Retry-After` is a lower bound. Who says "not yet" for long is asked more rarely: every attempt is stored, and a day of one a second
 * would be 86,000 of them.
 */
function askAgainInMs(retryAfterMs: number | undefined, waitedMs: number): number {
  const askedMs = Math.max(boundedRetryAfterMs(retryAfterMs ?? askAgainMs), firstBackOffMs)
  return Math.max(askedMs, Math.min(maxBackOffMs, 10 * askedMs, Math.floor(waitedMs / 10)))
}

function spendsLimit(outcome: Outcome): boolean {
  if (mutant('L9-dead-endpoint-spends-limit')) return true
  return outcome.kind === 'unknown' && outcome.unreached !== true && outcome.code !== 'takeover'
}

/** The attempt that every claim adds for what a dead owner may have started: a poisonous call leaves a trace. */
export function takeoverAttempt(branch: string, operation: Operation, tries: Tries, now: number): [Tries, AttemptRow] {
  const number = tries.count + 1
  const row = { branch, operation, number, startedAt: now, durationMs: 0, outcome: 'unknown', error: 'takeover' }
  return [{ ...tries, count: number, retryAt: null }, row]
}

/** The same list where nothing is new: the driver writes what has new attempts. */
export function withAttempts<T extends Transaction>(transaction: T, noted: readonly AttemptRow[]): T {
  return noted.length === 0 ? transaction : { ...transaction, attempts: [...transaction.attempts, ...noted] }
}

export function attemptRow(event: OutcomeEvent): AttemptRow {
  const { branch, operation, number, startedAt, durationMs, outcome } = event
  return { branch, operation, number, startedAt, durationMs, outcome: outcome.kind, error: errorOf(outcome) }
}

function errorOf(outcome: Outcome): string | null {
  if (outcome.kind === 'unknown')
    return cut(outcome.code === undefined ? outcome.error : `${outcome.code}: ${outcome.error}`)
  if (outcome.kind === 'refused') return cut(JSON.stringify(outcome.reason ?? null))
  return null
}

/** Attempts are stored with the transaction: what a participant says must not make its row grow without bound. */
const errorCharactersMax = 500

function cut(text: string): string {
  return text.slice(0, errorCharactersMax)
}
