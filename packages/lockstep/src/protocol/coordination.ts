import type { Decision, Json, ListFilter } from '../ports/index.ts'
import type { Duration } from './duration.ts'
import type { TransactionBody, TransactionListBody } from './transaction-body.ts'
import type { ActionName } from './vocabulary.ts'

/** What every begin says, whatever its pattern; the rest belongs to the pattern. */
export interface BeginBody {
  readonly id: string
  readonly pattern: string
  readonly wait?: Duration
  readonly input?: Json
  readonly labels?: Readonly<Record<string, string>>
  readonly [key: string]: Json | undefined
}

/** A transaction, and whether this very call began it, or registered the branch. */
export interface BeginAnswer {
  readonly transaction: TransactionBody
  readonly replayed: boolean
}

/** A branch, registered before its work starts. */
export interface BranchBegin {
  readonly name: string
  readonly input?: Json
  readonly [key: string]: Json | undefined
}

/** What an operator asks for. `reason` is for the next person who reads the audit. */
export interface ActionRequest {
  readonly action: ActionName
  readonly branch?: string
  readonly reason: string
  readonly by?: string
}

export interface WaitOptions {
  readonly waitMs?: number
}

/**
 * A coordinator as its users see it: in this process, or at the other end of a URL. Both answer alike.
 *
 * Whatever is asked may be asked again with the same arguments: a repeat changes nothing and is answered with what is so.
 */
export interface Coordination {
  begin(body: BeginBody, options?: { readonly traceparent?: string }): Promise<BeginAnswer>
  /** Law 8: refused with `LOCKSTEP_DECIDED` once the decision is taken. */
  register(id: string, branch: BranchBegin): Promise<BeginAnswer>
  decide(id: string, decision: Decision, options?: WaitOptions): Promise<TransactionBody>
  /** Null when there is no such transaction. */
  get(id: string, options?: WaitOptions): Promise<TransactionBody | null>
  list(filter?: Partial<ListFilter>): Promise<TransactionListBody>
  act(id: string, request: ActionRequest): Promise<TransactionBody>
}
