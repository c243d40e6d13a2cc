import type { RollbackReason } from '../../ports/index.ts'
import type { Saga, StepState } from './definition.ts'

/** Irrevocable once durable: no compensation leaves before it is (law 1). */
export function rollBack(saga: Saga, reason: RollbackReason): Saga {
  return { ...saga, status: 'rolling-back', reason }
}

export function withStep(saga: Saga, position: number, change: Partial<StepState>): Saga {
  const steps = saga.state.steps.map((step, index) => (index === position ? { ...step, ...change } : step))
  return { ...saga, state: { ...saga.state, steps } }
}

export function positionOf(saga: Saga, name: string): number {
  return saga.definition.steps.findIndex((step) => step.name === name)
}
