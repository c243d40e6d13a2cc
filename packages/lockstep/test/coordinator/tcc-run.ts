/** One TCC in a test's hands. */
import type { Json } from '../../src/ports/index.ts'
import type { Tcc, TccBranchState } from '../../src/transactions/tcc/definition.ts'
import { tccPattern } from '../../src/transactions/tcc/index.ts'
import { PatternRun, testTargets } from './pattern-run.ts'

export type Body = Readonly<Record<string, Json>>

export class TccRun extends PatternRun<Tcc> {
  /** One letter is one branch, registered at once: `tcc('ab')`. */
  constructor(letters = '', body: Body = {}, options: { barrierRetentionMs?: number } = {}) {
    super(tccPattern, body, options)
    for (const name of letters) this.add(name)
  }

  /** Registers a branch as the initiator would. */
  add(name: string, more: Body = {}): this {
    const body: Body = { name, participant: `bar.${name}`, ...more }
    return this.register(tccPattern.planBranch(body, testTargets))
  }

  branch(name: string): TccBranchState {
    const { definition, state } = this.transaction
    const branch = state.branches[definition.branches.findIndex((plan) => plan.name === name)]
    if (branch === undefined) throw new Error(`no branch ${name}`)
    return branch
  }

  names(): string[] {
    return this.transaction.definition.branches.map(({ name }) => name)
  }

  protected states(): readonly string[] {
    return this.transaction.state.branches.map(({ state }) => state)
  }

  protected flightOf(branch: string) {
    return this.branch(branch).errand.flight
  }
}
