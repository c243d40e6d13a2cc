import type { CheckBackDefinition, Json, Outcome, ParticipantCall, ParticipantSurroundings } from '../ports/index.ts'
import { localBranch as localBranchName } from '../protocol/index.ts'
import type { Branch } from './branch.ts'
import { answerCheck, checkOn } from './check-back.ts'
import { OpenBranch } from './open-branch.ts'

export interface LocalBranchOptions {
  /** The coordinator store's id, and the message's transaction, as begin answered them. */
  readonly store: string
  readonly transaction: string
  /** The input of the transaction. */
  readonly input: Json
  readonly begunAt: number
  readonly traceparent: string | null
  readonly surroundings: ParticipantSurroundings
  /** What answers for this service when it is asked; null where only the barrier can tell. */
  readonly checkBack?: CheckBackDefinition | null
  readonly signal?: AbortSignal
}

/** The producer's own side of a reliable message. */
export interface LocalBranch {
  /** What the local transaction is given: its `transact` writes the row that a check-back looks for. */
  readonly branch: Branch
  /** False while nothing has gone through `branch.transact`. */
  readonly used: boolean
  /** Waits for `transact` even where the local transaction did not, and throws what it threw even where that was caught. */
  settle(): Promise<void>
  /**
   * The check-back, in this process: what the service has declared, or else the barrier on the same handle. After `rollback` the local
   * transaction can never commit. Unknown while neither is known.
   */
  check(): Promise<Outcome>
}

/** Opens the branch `_local` of a message that has been begun. */
export function localBranch(options: LocalBranchOptions): LocalBranch {
  const { input, surroundings, store, transaction, begunAt, traceparent, signal, checkBack = null } = options
  const facts = { store, transaction, branch: localBranchName, attempt: 1, begunAt, traceparent }
  const call: ParticipantCall = signal === undefined ? facts : { ...facts, signal }
  const branch = new OpenBranch('action', input, call, surroundings)
  return {
    branch,
    get used() {
      return branch.handle !== null
    },
    settle: () => branch.settle(),
    async check() {
      // The coordinator would get this very answer: two ways to decide must not disagree.
      if (checkBack !== null) return checkBack.run('check', input, call, surroundings)
      const { handle } = branch
      if (handle === null)
        return { kind: 'unknown', error: 'branch.transact was not called: its database is not known.' }
      const asked = new OpenBranch('check', input, call, surroundings)
      return answerCheck({ name: localBranchName, branch: asked, call, surroundings }, () => checkOn(handle, asked))
    },
  }
}
