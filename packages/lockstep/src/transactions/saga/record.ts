import { mutant } from '#mutant'
import type { AttemptRow, Event, Operation, Outcome } from '../../ports/index.ts'
import { heldOnce } from '../age.ts'
import { isMissing, missingSince } from '../errand.ts'
import { attemptRow, pendingMaxMs, retryLater, takeoverAttempt, type untried } from '../tries.ts'
import type { Saga, StepPlan, StepState } from './definition.ts'
import { inputOf } from './forward.ts'
import { maybeStarted, mustBeReversed } from './reach.ts'
import { positionOf, rollBack, withStep } from './roll-back.ts'

/** Writes down what happened. Decides nothing that follows from it: `advance` does. */

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>
type NotSentEvent = Extract<Event, { kind: 'not-sent' }>

/**
 * Another owner takes the saga. What the old one may have started is marked as sent and gets one attempt, so that a call that
 * kills its owner cannot loop for ever with an empty history. A parked saga says itself what was sent.
 */
export function recordClaim(saga: Saga, takeover: boolean, now: number): Saga {
  if (saga.endedAt !== null) return saga
  const known = takeover ? keepQuietForLostActions(saga, now) : saga
  const grounded = {
    ...known,
    state: { ...known.state, steps: known.state.steps.map((step) => ({ ...step, flight: null })) },
  }
  if (!takeover) return grounded
  return grounded.status === 'committing' ? takeOverActions(grounded, now) : takeOverCompensations(grounded, now)
}

/** An action that was out when the rollback was decided may still be on the wire: its reverse must not overtake it. */
function keepQuietForLostActions(saga: Saga, now: number): Saga {
  const steps = saga.state.steps.map((step, position) => {
    const plan = saga.definition.steps[position]
    const isLost = step.flight?.operation === 'action' && plan !== undefined && !plan.barrier
    return isLost ? { ...step, quietUntil: now + plan.timeoutMs } : step
  })
  return { ...saga, state: { ...saga.state, steps } }
}

function takeOverActions(saga: Saga, now: number): Saga {
  if (mutant('L4-second-takeover-forgets') && saga.state.steps.some((step) => step.doubtful)) return saga
  const started = maybeStarted(saga.definition, saga.state)
  return mapSteps(saga, (step, plan, position) => {
    // What refers to an output that is not there cannot have left: such a step waits for durable outputs.
    if (!started.has(position) || 'missing' in inputOf(saga, plan)) return null
    const [action, attempt] = takeoverAttempt(plan.name, 'action', step.action, now)
    const quietUntil = plan.barrier || mutant('L3-reverse-overtakes-action') ? null : now + plan.timeoutMs
    return { change: { state: 'active', sent: true, doubtful: true, action, quietUntil }, attempt }
  })
}

function takeOverCompensations(saga: Saga, now: number): Saga {
  return mapSteps(saga, (step, plan) => {
    if (!mustBeReversed(plan, step)) return null
    const [compensate, attempt] = takeoverAttempt(plan.name, 'compensate', step.compensate, now)
    return { change: { compensate }, attempt }
  })
}

type StepChange = { readonly change: Partial<StepState>; readonly attempt: AttemptRow } | null

function mapSteps(saga: Saga, change: (step: StepState, plan: StepPlan, position: number) => StepChange): Saga {
  const attempts = [...saga.attempts]
  const steps = saga.state.steps.map((step, position) => {
    const plan = saga.definition.steps[position]
    const changed = plan === undefined ? null : change(step, plan, position)
    if (changed === null) return step
    attempts.push(changed.attempt)
    return { ...step, ...changed.change }
  })
  return { ...saga, attempts, state: { ...saga.state, steps } }
}

export function recordOutcome(saga: Saga, event: OutcomeEvent, now: number): Saga {
  const position = positionOf(saga, event.branch)
  const step = saga.state.steps[position]
  const plan = saga.definition.steps[position]
  // A late answer of a call that is no longer ours changes nothing: the barrier knows what it did.
  if (step?.flight?.number !== event.number || step.flight.operation !== event.operation || plan === undefined)
    return saga
  const landed = withStep({ ...saga, attempts: [...saga.attempts, attemptRow(event)] }, position, {
    flight: null,
    missing: null,
  })
  if (step.state === 'skipped') return landed
  const recorded = event.operation === 'action' ? recordAction : recordCompensation
  return recorded(landed, { position, plan, step, event, now })
}

interface Landing {
  readonly position: number
  readonly plan: StepPlan
  readonly step: StepState
  readonly event: OutcomeEvent
  readonly now: number
}

function recordAction(saga: Saga, landing: Landing): Saga {
  const { position, plan, step, event, now } = landing
  const counted = { ...step.action, count: event.number, retryAt: null }
  const outcome = mutant('M04-unknown-is-refused') ? asRefusal(event.outcome) : event.outcome
  switch (outcome.kind) {
    case 'done':
      return withStep(saga, position, { state: 'done', output: outcome.output, action: counted })
    case 'refused': {
      const refused = withStep(saga, position, { state: 'refused', action: counted })
      return saga.status === 'committing' ? rollBack(refused, { branch: plan.name, body: outcome.reason }) : refused
    }
    default: {
      const action = retryLater(step.action, event, saga.ageFrom, now)
      return holdIfHopeless(withStep(saga, position, { action, ...traceOf(step, outcome) }), landing, action)
    }
  }
}

/** What an attempt without an answer leaves: doubt, unless it is certain that the call never got there. */
function traceOf(step: StepState, outcome: Outcome): Partial<StepState> {
  if (outcome.kind !== 'unknown') return {}
  if (outcome.unreached !== true) return { doubtful: true }
  return step.flight?.first === true ? { sent: false, state: 'waiting' } : {}
}

function asRefusal(outcome: Outcome): Outcome {
  return outcome.kind === 'unknown' ? { kind: 'refused', reason: outcome.error } : outcome
}

function recordCompensation(saga: Saga, landing: Landing): Saga {
  const { position, step, event, now } = landing
  const counted = { ...step.compensate, count: event.number, retryAt: null }
  switch (event.outcome.kind) {
    case 'done':
      return withStep(saga, position, { state: 'reversed', compensate: counted })
    case 'refused': {
      const detail = `${event.branch}: ${JSON.stringify(event.outcome.reason)}`.slice(0, 500)
      return heldOnce(withStep(saga, position, { compensate: counted }), 'compensation-refused', detail, now)
    }
    default: {
      const compensate = retryLater(step.compensate, event, saga.ageFrom, now)
      return holdIfHopeless(withStep(saga, position, { compensate }), landing, compensate)
    }
  }
}

/** Retrying alone cannot help here: a person must look. While rolling back, an action's own troubles no longer matter. */
function holdIfHopeless(saga: Saga, landing: Landing, tries: typeof untried): Saga {
  const { plan, event, now } = landing
  if (event.operation === 'action' && saga.status !== 'committing') return saga
  if (event.outcome.kind === 'unknown' && event.outcome.code === 'older-than-barrier') {
    return heldOnce(saga, 'older-than-barrier', plan.name, now)
  }
  if (tries.pendingFrom !== null && now - tries.pendingFrom >= pendingMaxMs) {
    return heldOnce(saga, 'pending-too-long', plan.name, now)
  }
  const spent = plan.retryLimit !== null && tries.spent >= plan.retryLimit
  return spent ? heldOnce(saga, 'limit-spent', `${plan.name}: ${tries.spent} attempts`, now) : saga
}

/** The call did not leave. It costs no attempt (law 9); a target that nobody can call is held after a minute (law 11). */
export function recordNotSent(saga: Saga, event: NotSentEvent, now: number): Saga {
  const position = positionOf(saga, event.branch)
  const step = saga.state.steps[position]
  if (step?.flight?.number !== event.number || step.flight.operation !== event.operation) return saga
  const missing = event.missing ? missingSince(step.missing, saga.ageFrom, now) : null
  const grounded = withStep(saga, position, {
    flight: null,
    missing,
    ...postponed(step, event.operation, event.retryAt),
  })
  return isMissing(missing, now) ? heldOnce(grounded, 'participant-missing', event.branch, now) : grounded
}

function postponed(step: StepState, operation: Operation, retryAt: number): Partial<StepState> {
  const spent = mutant('L9-dead-endpoint-spends-limit') ? 1 : 0
  if (operation === 'compensate')
    return { compensate: { ...step.compensate, retryAt, spent: step.compensate.spent + spent } }
  // What an operator has skipped meanwhile stays skipped.
  const unsent = step.flight?.first === true && step.state !== 'skipped'
  return {
    action: { ...step.action, retryAt, spent: step.action.spent + spent },
    ...(unsent ? { sent: false, state: 'waiting' as const } : {}),
  }
}
