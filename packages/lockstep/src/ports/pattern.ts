import type { ErrorCode } from '../errors.ts'
import type { Json } from './json.ts'
import type { Operation, Outcome } from './outcome.ts'
import type { AttemptRow, Held, Pattern, Status } from './transaction-store.ts'

/**
 * What a pattern is to the coordinator: one pure function over a transaction, and three small translations.
 * The coordinator executes commands and feeds events back; it knows no pattern by name.
 */

/** Why a transaction rolls back. `branch` is null when no branch caused it (deadline, initiator, operator). */
export interface RollbackReason {
  readonly branch: string | null
  readonly body: Json
}

/** A transaction while somebody works on it. `definition` and `state` belong to the pattern. */
export interface Transaction<Definition = unknown, State = unknown> {
  readonly id: string
  readonly pattern: Pattern
  readonly status: Status
  readonly held: Held | null
  readonly reason: RollbackReason | null
  readonly createdAt: number
  readonly deadlineAt: number | null
  readonly ageFrom: number
  readonly endedAt: number | null
  /** When `advance` wants to be woken even if nothing else happens; null when only an outcome can move it. */
  readonly nextAt: number | null
  /** The age alarm was given for this `ageFrom`. */
  readonly alarmedFor: number | null
  /** Recent attempts, oldest first. The coordinator moves older ones out to rows of their own. */
  readonly attempts: readonly AttemptRow[]
  readonly definition: Definition
  readonly state: State
}

export type OperatorAction = 'retry' | 'skip' | 'force-commit' | 'force-rollback'

/** `claim` says that the transaction was just taken from elsewhere, and is applied before the event itself. */
export type Event = { readonly claim?: { readonly takeover: boolean } } & (
  | { readonly kind: 'woke' }
  | {
      readonly kind: 'outcome'
      readonly branch: string
      readonly operation: Operation
      readonly number: number
      readonly startedAt: number
      readonly durationMs: number
      readonly outcome: Outcome
      /** Uniform in [0, 1): the jitter of the back-off. */
      readonly jitter: number
    }
  /** The call did not leave: the breaker is open, the lease is over, or nobody here can call the target. */
  | {
      readonly kind: 'not-sent'
      readonly branch: string
      readonly operation: Operation
      readonly number: number
      readonly retryAt: number
      readonly missing: boolean
    }
  | { readonly kind: 'decide'; readonly decision: 'commit' | 'rollback' }
  | { readonly kind: 'act'; readonly action: OperatorAction; readonly branch: string | null; readonly reason: string }
)

/** What must be durable before a call may leave (law 1). Begin is durable before anything. */
export type CallNeeds = 'nothing' | 'status' | 'state'

export type Command =
  | {
      readonly kind: 'call'
      readonly branch: string
      readonly operation: Operation
      readonly number: number
      readonly target: string
      readonly input: Json
      readonly timeoutMs: number
      readonly needs: CallNeeds
      /** An operator wants it now: it leaves although the breaker of its endpoint is open. */
      readonly insists?: boolean
    }
  /** Unfinished for ten minutes: a person should look. */
  | { readonly kind: 'alarm'; readonly ageMs: number }

export interface Advance<T extends Transaction = Transaction> {
  readonly transaction: T
  readonly commands: readonly Command[]
  /** Why the event was not accepted. The transaction is then unchanged by it. */
  readonly refusal?: { readonly code: ErrorCode; readonly message: string }
}

export type BranchState = 'waiting' | 'active' | 'done' | 'refused' | 'reversed' | 'skipped'

export interface BranchView {
  readonly name: string
  readonly state: BranchState
  readonly output: Json | null
}

export interface Description {
  readonly branches: readonly BranchView[]
  readonly output: Json | null
  /** True when an operator skipped something. */
  readonly incomplete: boolean
}

/** What a pattern may ask about the targets named in a begin. */
export interface TargetDirectory {
  /** Whether operations of this target go through the barrier. */
  usesBarrier(target: string): boolean
  /** The service that an instance must be able to call, or null when a URL needs none. */
  serviceOf(target: string): string | null
  /** Null when the target may be called; otherwise why not. */
  refuses(target: string): string | null
  /** Null when the coordinator may call it; otherwise why not. Asked of what is a target at all. */
  forbids(target: string): string | null
}

export interface Plan {
  readonly definition: unknown
  readonly state: unknown
  readonly status: Status
  readonly needs: readonly string[]
  readonly deadlineMs: number | null
}

export interface PatternMachine {
  readonly pattern: Pattern
  /** Keys of a begin body that belong to this pattern, besides those every begin has. */
  readonly bodyKeys: readonly string[]
  /** True when the deadline stands still while the transaction is held. */
  readonly deadlineRestsWhileHeld: boolean
  /** Checks the pattern's part of a begin body and lays out the work. Throws `LOCKSTEP_INVALID_REQUEST`. */
  plan(body: Readonly<Record<string, Json>>, targets: TargetDirectory): Plan
  /** Pure: the same arguments give the same answer, and no argument is changed. */
  advance(transaction: Transaction, event: Event, now: number): Advance
  describe(transaction: Transaction): Description
}
