import type { CallNeeds, Command, Json } from '../../ports/index.ts'
import { isDue } from '../tries.ts'
import type { Saga, StepPlan, StepState } from './definition.ts'
import { resolveReferences } from './output-reference.ts'
import { mayRunAhead } from './reach.ts'
import { withStep } from './roll-back.ts'

/** Lets every action leave whose predecessors are done and which is not waiting for its back-off. */
export function actionCalls(saga: Saga, now: number): { saga: Saga; commands: Command[] } {
  let moved = saga
  const commands: Command[] = []
  for (const position of readySteps(saga, now)) {
    const plan = saga.definition.steps[position]
    const step = saga.state.steps[position]
    if (plan === undefined || step === undefined) continue
    const input = inputOf(saga, plan)
    if ('missing' in input) continue
    const number = step.action.count + 1
    moved = withStep(moved, position, {
      state: 'active',
      sent: true,
      flight: { operation: 'action', number, first: !step.sent },
    })
    const { name, action, timeoutMs } = plan
    const needs = needsOf(saga, plan)
    commands.push({
      kind: 'call',
      branch: name,
      operation: 'action',
      number,
      target: action,
      input: input.input,
      timeoutMs,
      needs,
    })
  }
  return { saga: moved, commands }
}

/** What a ready step refers to and no output holds: retrying cannot find it. Null when nothing is missing. */
export function missingOutput(saga: Saga, now: number): string | null {
  for (const position of readySteps(saga, now)) {
    const plan = saga.definition.steps[position]
    const input = plan === undefined ? null : inputOf(saga, plan)
    if (plan !== undefined && input !== null && 'missing' in input) {
      return `${plan.name} refers to ${input.missing.$output}${input.missing.path}, which that output does not have`
    }
  }
  return null
}

function readySteps(saga: Saga, now: number): number[] {
  return saga.definition.steps.flatMap((plan, position) => {
    const step = saga.state.steps[position]
    return step !== undefined && isReady(saga, plan, step, now) ? [position] : []
  })
}

function isReady(saga: Saga, plan: StepPlan, step: StepState, now: number): boolean {
  if (step.flight !== null || !isDue(step.action, now)) return false
  if (step.state !== 'waiting' && step.state !== 'active') return false
  return plan.after.every((before) => ['done', 'skipped'].includes(saga.state.steps[before]?.state ?? 'waiting'))
}

export function inputOf(saga: Saga, plan: StepPlan) {
  if (plan.input === undefined) return { input: saga.definition.input }
  return resolveReferences(plan.input, (name) => outputOf(saga, name))
}

function outputOf(saga: Saga, name: string): Json | undefined {
  const step = saga.state.steps[saga.definition.steps.findIndex((plan) => plan.name === name)]
  // What rolls back was sent, so its input could be made: also when an operator has skipped a step it refers to since then.
  const isKnown = step?.state === 'done' || saga.status === 'rolling-back'
  return isKnown ? step?.output : undefined
}

function needsOf(saga: Saga, plan: StepPlan): CallNeeds {
  const ahead = plan.after.every((before) => {
    const previous = saga.definition.steps[before]
    return previous !== undefined && mayRunAhead(previous, plan)
  })
  return ahead ? 'nothing' : 'state'
}
