import { mutant } from '#mutant'
import type { AttemptRow, Event } from '../../ports/index.ts'
import { heldOnce } from '../age.ts'
import { grounded, hopeless, isOurs, landed, notSent, takenOver } from '../errand.ts'
import { attemptRow, withAttempts } from '../tries.ts'
import { isSettled, positionOf, type Tcc, withBranch } from './definition.ts'
import { operationOf } from './second-phase.ts'

/** Writes down what happened. Decides nothing that follows from it: `advance` does. */

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>
type NotSentEvent = Extract<Event, { kind: 'not-sent' }>

/** So long after the deadline a late try may still arrive; a confirm without one is no error before that. */
const tryMissingGraceMs = 60_000

/** Another owner takes it: whatever the old one may have started gets an attempt, and is sent again. */
export function recordClaim(tcc: Tcc, takeover: boolean, now: number): Tcc {
  if (tcc.endedAt !== null || tcc.status === 'prepared') return tcc
  const noted: AttemptRow[] = []
  const branches = tcc.state.branches.map((branch, position) => {
    const errand = grounded(branch.errand)
    const plan = tcc.definition.branches[position]
    if (!takeover || isSettled(branch) || plan === undefined) return { ...branch, errand }
    const [taken, attempt] = takenOver(errand, plan.name, operationOf(tcc), now)
    noted.push(attempt)
    return { ...branch, errand: taken }
  })
  return { ...withAttempts(tcc, noted), state: { branches } }
}

export function recordOutcome(tcc: Tcc, event: OutcomeEvent, now: number): Tcc {
  const position = positionOf(tcc, event.branch)
  const branch = tcc.state.branches[position]
  if (branch === undefined || !isOurs(branch.errand, event)) return tcc
  const errand = landed(branch.errand, event, tcc.ageFrom, now)
  const noted = withBranch({ ...tcc, attempts: [...tcc.attempts, attemptRow(event)] }, position, { errand })
  if (branch.state === 'skipped') return noted
  const { outcome } = event
  if (outcome.kind === 'done') {
    const change = event.operation === 'confirm' ? { output: outcome.output, state: 'done' as const } : reversed
    return withBranch(noted, position, change)
  }
  if (outcome.kind === 'refused') {
    if (mutant('T2-refused-second-phase-is-done')) return withBranch(noted, position, { state: 'done' })
    const detail = `${event.branch} ${event.operation}: ${JSON.stringify(outcome.reason)}`.slice(0, 500)
    return heldOnce(noted, 'phase-two-refused', detail, now)
  }
  if (isTryMissing(tcc, event, now)) return heldOnce(noted, 'try-missing', event.branch, now)
  const hold = hopeless(errand, event, now)
  return hold === null ? noted : heldOnce(noted, hold.reason, event.branch, now)
}

const reversed = { state: 'reversed' } as const

function isTryMissing({ deadlineAt, createdAt }: Tcc, { outcome }: OutcomeEvent, now: number): boolean {
  if (outcome.kind !== 'unknown' || outcome.code !== 'try-missing') return false
  return now >= (deadlineAt ?? createdAt) + tryMissingGraceMs
}

export function recordNotSent(tcc: Tcc, event: NotSentEvent, now: number): Tcc {
  const position = positionOf(tcc, event.branch)
  const branch = tcc.state.branches[position]
  if (branch === undefined || !isOurs(branch.errand, event)) return tcc
  const errand = notSent(branch.errand, event, tcc.ageFrom, now)
  const hold = hopeless(errand, event, now)
  const noted = withBranch(tcc, position, { errand })
  return hold === null ? noted : heldOnce(noted, hold.reason, event.branch, now)
}
