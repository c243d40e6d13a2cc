import type { Command } from '../../ports/index.ts'
import { isDue } from '../tries.ts'
import type { Saga, StepPlan, StepState } from './definition.ts'
import { inputOf } from './forward.ts'
import { mustBeReversed, successorsOf } from './reach.ts'
import { withStep } from './roll-back.ts'

/** True when every step that may have left is compensated and no call is on its way. */
export function nothingToReverse(saga: Saga): boolean {
  return saga.definition.steps.every((plan, position) => {
    const step = saga.state.steps[position]
    return step === undefined || (step.flight === null && !mustBeReversed(plan, step))
  })
}

/** Lets every compensation leave whose later steps are all reversed: the reverse of the run order. */
export function compensationCalls(saga: Saga, now: number): { saga: Saga; commands: Command[] } {
  let moved = saga
  const commands: Command[] = []
  for (const [position, plan] of saga.definition.steps.entries()) {
    const step = saga.state.steps[position]
    if (step === undefined || plan.compensate === null || !isReady(saga, position, plan, step, now)) continue
    const input = inputOf(saga, plan)
    // A step whose input cannot be made was never sent; what was sent had its input.
    if ('missing' in input) continue
    const number = step.compensate.count + 1
    moved = withStep(moved, position, { flight: { operation: 'compensate', number, first: false } })
    commands.push({
      kind: 'call',
      branch: plan.name,
      operation: 'compensate',
      number,
      target: plan.compensate,
      input: input.input,
      timeoutMs: plan.timeoutMs,
      needs: 'status',
    })
  }
  return { saga: moved, commands }
}

function isReady(saga: Saga, position: number, plan: StepPlan, step: StepState, now: number): boolean {
  if (step.flight !== null || !mustBeReversed(plan, step) || !isDue(step.compensate, now)) return false
  if (step.quietUntil !== null && now < step.quietUntil) return false
  return successorsOf(saga.definition, position).every((after) => isOutOfTheWay(saga, after))
}

/** A later step stands in the way while it must still be reversed, or while one of its own successors does. */
function isOutOfTheWay(saga: Saga, position: number): boolean {
  const plan = saga.definition.steps[position]
  const step = saga.state.steps[position]
  if (plan === undefined || step === undefined) return true
  if (step.flight !== null || mustBeReversed(plan, step)) return false
  return successorsOf(saga.definition, position).every((after) => isOutOfTheWay(saga, after))
}
