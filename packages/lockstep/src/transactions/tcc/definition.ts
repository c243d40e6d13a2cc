import type { BranchState, Json, Transaction } from '../../ports/index.ts'
import type { Errand } from '../errand.ts'

/** One branch as it was registered: written once, never changed. */
export interface TccBranch {
  readonly name: string
  readonly confirm: string
  readonly cancel: string
  /** The body of confirm and cancel: the same as that of the try. */
  readonly input: Json
  /** Of the input as text. */
  readonly characters: number
}

/** Grows by registration until the decision. */
export interface TccDefinition {
  readonly branches: readonly TccBranch[]
}

export interface TccBranchState {
  readonly state: BranchState
  readonly output: Json | null
  /** Its confirm or its cancel: the decision says which. */
  readonly errand: Errand
}

export interface TccState {
  readonly branches: readonly TccBranchState[]
}

export type Tcc = Transaction<TccDefinition, TccState>

export function withBranch(tcc: Tcc, position: number, change: Partial<TccBranchState>): Tcc {
  const branches = tcc.state.branches.map((branch, at) => (at === position ? { ...branch, ...change } : branch))
  return { ...tcc, state: { ...tcc.state, branches } }
}

export function positionOf(tcc: Tcc, name: string): number {
  return tcc.definition.branches.findIndex((branch) => branch.name === name)
}

export function isSettled({ state }: TccBranchState): boolean {
  return state === 'done' || state === 'reversed' || state === 'skipped'
}
