import { mutant } from '#mutant'
import type { AttemptRow, Event, Held, Operation } from '../ports/index.ts'
import { hold } from './age.ts'
import { type Flight, isDue, pendingMaxMs, retryLater, type Tries, takeoverAttempt, untried } from './tries.ts'

/** Nobody could call the target since `from`. */
export interface Missing {
  readonly from: number
  /** The `ageFrom` under which it was noted: a resume starts the minute again. */
  readonly under: number
}

/**
 * One operation of one branch, sent again and again until it is answered for good: at most one call of it is out at a time. The
 * confirms and cancels of a TCC, the deliveries and the check-back of a message are errands.
 */
export interface Errand {
  readonly tries: Tries
  readonly flight: Flight | null
  readonly missing: Missing | null
}

export const newErrand: Errand = { tries: untried, flight: null, missing: null }

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>
type NotSentEvent = Extract<Event, { kind: 'not-sent' }>

export function mayLeave({ flight, tries }: Errand, now: number): boolean {
  return flight === null && isDue(tries, now)
}

export function leaving(errand: Errand, operation: Operation): { readonly errand: Errand; readonly number: number } {
  const number = errand.tries.count + 1
  return { errand: { ...errand, flight: { operation, number, first: false } }, number }
}

/** False for a late answer of a call that is no longer ours: the barrier knows what it did. */
export function isOurs({ flight }: Errand, event: OutcomeEvent | NotSentEvent): boolean {
  return flight?.number === event.number && flight.operation === event.operation
}

/** The call has ended; what it answered for good is for the pattern to note. */
export function landed(errand: Errand, event: OutcomeEvent, ageFrom: number, now: number): Errand {
  const isFinal = event.outcome.kind === 'done' || event.outcome.kind === 'refused'
  const tries = isFinal
    ? { ...errand.tries, count: event.number, retryAt: null }
    : retryLater(errand.tries, event, ageFrom, now)
  return { tries, flight: null, missing: null }
}

/** The call did not leave, and costs no attempt (law 9). */
export function notSent(errand: Errand, event: NotSentEvent, ageFrom: number, now: number): Errand {
  const tries = { ...errand.tries, retryAt: event.retryAt }
  return { tries, flight: null, missing: event.missing ? missingSince(errand.missing, ageFrom, now) : null }
}

export function missingSince(missing: Missing | null, ageFrom: number, now: number): Missing {
  return missing?.under === ageFrom ? missing : { from: now, under: ageFrom }
}

const missingHoldAfterMs = 60_000

/** Law 11: what nobody can call is a matter for a person after a minute. */
export function isMissing(missing: Missing | null, now: number): boolean {
  return missing !== null && now - missing.from >= missingHoldAfterMs
}

/** Retrying alone cannot help here. */
export function hopeless(errand: Errand, event: OutcomeEvent | NotSentEvent, now: number): Held | null {
  if (event.kind === 'not-sent')
    return isMissing(errand.missing, now) ? hold('participant-missing', now, event.branch) : null
  if (event.outcome.kind === 'unknown' && event.outcome.code === 'older-than-barrier')
    return hold('older-than-barrier', now, event.branch)
  const { pendingFrom } = errand.tries
  const isPendingLong = pendingFrom !== null && now - pendingFrom >= pendingMaxMs
  return isPendingLong ? hold('pending-too-long', now, event.branch) : null
}

/** Another owner takes the transaction: the call of the old one is not ours any more. */
export function grounded(errand: Errand): Errand {
  return mutant('L9-takeover-waits-for-the-dead') ? errand : { ...errand, flight: null }
}

/** A dead owner may have sent it: that leaves a trace, so that a call that kills its owner cannot loop for ever unseen. */
export function takenOver(errand: Errand, branch: string, operation: Operation, now: number): [Errand, AttemptRow] {
  const [tries, attempt] = takeoverAttempt(branch, operation, errand.tries, now)
  return [{ ...errand, tries }, attempt]
}

/** An operator wants it now. A spent limit stays spent. */
export function hurried(errand: Errand): Errand {
  return { ...errand, tries: { ...errand.tries, retryAt: null } }
}

export function momentsOf(errand: Errand): number[] {
  return errand.flight === null && errand.tries.retryAt !== null ? [errand.tries.retryAt] : []
}
