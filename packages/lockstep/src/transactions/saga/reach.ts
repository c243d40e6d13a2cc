import { mutant } from '#mutant'
import type { SagaDefinition, SagaState, StepPlan } from './definition.ts'

/**
 * How far a dead owner may have come, and what may overtake what. Both follow from one question: which results must be
 * durable before the next step may leave.
 */

/** Positions of the steps that wait for `position`. */
export function successorsOf(definition: SagaDefinition, position: number): number[] {
  return definition.steps.flatMap((step, index) => (step.after.includes(position) ? [index] : []))
}

/**
 * Whether `next` may leave before the result of `previous` is durable. Only between two steps with a barrier, and only when no
 * output is handed on: the barrier turns what a takeover repeats into no-ops.
 */
export function mayRunAhead(previous: StepPlan, next: StepPlan): boolean {
  return previous.barrier && next.barrier && next.references.length === 0
}

/**
 * Steps without a durable result that an owner may have sent, judged from the durable state alone: all predecessors are
 * durably done, or may themselves have been started over edges that need no durability.
 */
export function maybeStarted(definition: SagaDefinition, state: SagaState): Set<number> {
  const found = new Set<number>()
  for (const [position, plan] of definition.steps.entries()) {
    const step = state.steps[position]
    if (step === undefined || (step.state !== 'waiting' && step.state !== 'active')) continue
    const reachable = plan.after.every((before) => {
      const previous = definition.steps[before]
      const settled = state.steps[before]?.state
      if (settled === 'done' || settled === 'skipped') return true
      if (mutant('L4-run-ahead-is-forgotten')) return false
      return previous !== undefined && found.has(before) && mayRunAhead(previous, plan)
    })
    if (reachable) found.add(position)
  }
  return found
}

/** Law 4: whether rollback must compensate this step. */
export function mustBeReversed(plan: StepPlan, step: SagaState['steps'][number]): boolean {
  if (plan.compensate === null || step.state === 'reversed' || step.state === 'skipped' || !step.sent) return false
  if (step.state !== 'refused') return true
  if (mutant('L4-refused-after-doubt-is-clear')) return false
  // A plain URL whose known attempts were all refused is not called; a barrier makes the surplus call a no-op.
  return plan.barrier || step.doubtful
}
