/** One saga in a test's hands. */
import type { Json } from '../../src/ports/index.ts'
import type { Saga, StepState } from '../../src/transactions/saga/definition.ts'
import { sagaPattern } from '../../src/transactions/saga/index.ts'
import { PatternRun } from './pattern-run.ts'

export { beganAt, testTargets } from './pattern-run.ts'

export interface StepSpec {
  readonly name: string
  readonly [key: string]: Json
}

/** `a`, `b` with a barrier; `A`, `B` without: one letter is one step. */
export function steps(
  letters: string,
  more: Readonly<Record<string, Readonly<Record<string, Json>>>> = {},
): StepSpec[] {
  return [...letters].map((name) => ({
    name,
    participant: `${name === name.toLowerCase() ? 'bar' : 'pln'}.${name}`,
    ...more[name],
  }))
}

export class SagaRun extends PatternRun<Saga> {
  constructor(given: readonly StepSpec[], body: Readonly<Record<string, Json>> = {}) {
    super(sagaPattern, { input: { amount: 5 }, ...body, steps: given })
  }

  get saga(): Saga {
    return this.transaction
  }

  set saga(saga: Saga) {
    this.transaction = saga
  }

  cancel(): this {
    return this.rollback()
  }

  step(name: string): StepState {
    const step = this.saga.state.steps[this.saga.definition.steps.findIndex((plan) => plan.name === name)]
    if (step === undefined) throw new Error(`no step ${name}`)
    return step
  }

  /** A cancel that comes again is no other answer for a saga, so its tables do not tell the two apart. */
  override show(): string {
    return super.show().replace(' | repeated', '')
  }

  protected states(): readonly string[] {
    return this.saga.state.steps.map((step) => step.state)
  }

  protected flightOf(branch: string) {
    return this.step(branch).flight
  }
}
