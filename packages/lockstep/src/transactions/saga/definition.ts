import type { BranchState, Json, Transaction } from '../../ports/index.ts'
import type { Missing } from '../errand.ts'
import type { Flight, Tries } from '../tries.ts'

/** One step as fixed at begin: written once, never changed. */
export interface StepPlan {
  readonly name: string
  /** URL or participant name of the forward operation. */
  readonly action: string
  /** Null when rollback leaves this step as it is. */
  readonly compensate: string | null
  /** Operations of this step go through the barrier: a surplus call is a no-op. */
  readonly barrier: boolean
  /** Absent: the step gets the transaction's input. */
  readonly input?: Json
  /** Positions of the steps that must be done first. */
  readonly after: readonly number[]
  /** Positions of the steps whose outputs the input refers to. */
  readonly references: readonly number[]
  readonly timeoutMs: number
  /** Opt-in. Null: tried until it answers, or a person is asked. */
  readonly retryLimit: number | null
}

export interface SagaDefinition {
  readonly input: Json
  readonly steps: readonly StepPlan[]
}

export interface StepState {
  readonly state: BranchState
  readonly output: Json | null
  /** An action of this step may have left, by this owner or an earlier one (law 4). Never taken back by an answer. */
  readonly sent: boolean
  /** An attempt of the action ended without a certain answer: a later refusal does not clear it. */
  readonly doubtful: boolean
  readonly flight: Flight | null
  readonly action: Tries
  readonly compensate: Tries
  /** No reverse call before this moment: an action of a dead owner may still be on the wire. */
  readonly quietUntil: number | null
  readonly missing: Missing | null
}

export interface SagaState {
  readonly steps: readonly StepState[]
}

export type Saga = Transaction<SagaDefinition, SagaState>
