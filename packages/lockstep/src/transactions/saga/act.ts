import type { Event } from '../../ports/index.ts'
import { notAllowed, type Refused } from '../refusal.ts'
import type { Saga, StepState } from './definition.ts'
import { mustBeReversed } from './reach.ts'
import { positionOf, rollBack, withStep } from './roll-back.ts'

/**
 * What an operator may do to a saga. Force never flips a durable decision: a saga that rolls back cannot be committed, one that has
 * committed cannot be rolled back.
 */

type ActEvent = Extract<Event, { kind: 'act' }>
type Acted = { readonly saga: Saga } | Refused

export function act(saga: Saga, event: ActEvent): Acted {
  if (saga.endedAt !== null) return notAllowed(`Saga ${saga.id} has ended as ${saga.status}.`)
  const position = event.branch === null ? -1 : positionOf(saga, event.branch)
  if (event.branch !== null && position < 0) return notAllowed(`Saga ${saga.id} has no step ${event.branch}.`)
  switch (event.action) {
    case 'retry':
      return retry(saga, position)
    case 'skip':
      return event.branch === null ? notAllowed('Skip needs the name of a branch.') : skip(saga, position)
    case 'force-commit':
      return saga.status === 'committing'
        ? { saga: skipAll(saga, (step) => step.state !== 'done') }
        : notAllowed(`Saga ${saga.id} is ${saga.status}: force never flips a decision.`)
    case 'force-rollback':
      return saga.status === 'committing'
        ? { saga: rollBack(saga, { branch: null, body: { code: 'forced', reason: event.reason } }) }
        : { saga: skipAll(saga, (step, at) => isOwed(saga, step, at)) }
  }
}

/** One attempt now, of one step or of all that wait. A spent limit stays spent: only a resume gives a fresh one. */
function retry(saga: Saga, position: number): Acted {
  const now = { retryAt: null, countedFrom: saga.ageFrom }
  const dueNow = (step: StepState): StepState => {
    return { ...step, action: { ...step.action, ...now }, compensate: { ...step.compensate, ...now } }
  }
  const steps = saga.state.steps.map((step, at) => (position < 0 || at === position ? dueNow(step) : step))
  return { saga: { ...saga, state: { ...saga.state, steps } } }
}

function skip(saga: Saga, position: number): Acted {
  const step = saga.state.steps[position]
  const open = step !== undefined && (saga.status === 'committing' ? isOpen(step) : isOwed(saga, step, position))
  if (!open) return notAllowed(`This step of ${saga.id} is ${step?.state ?? 'unknown'}: there is nothing to skip.`)
  return { saga: withStep(saga, position, { state: 'skipped' }) }
}

function isOpen(step: StepState): boolean {
  return step.state === 'waiting' || step.state === 'active'
}

function isOwed(saga: Saga, step: StepState, position: number): boolean {
  const plan = saga.definition.steps[position]
  return plan !== undefined && mustBeReversed(plan, step)
}

function skipAll(saga: Saga, which: (step: StepState, position: number) => boolean): Saga {
  const steps = saga.state.steps.map((step, at) => (which(step, at) ? { ...step, state: 'skipped' as const } : step))
  return { ...saga, state: { ...saga.state, steps } }
}
