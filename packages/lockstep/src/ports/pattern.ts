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
  /** The age alert was given for this `ageFrom`. */
  readonly alertedFor: number | null
  /** Recent attempts, oldest first. The coordinator moves older ones out to rows of their own. */
  readonly attempts: readonly AttemptRow[]
  /** Services an instance must be able to call (law 11). Grows with the branches. */
  readonly needs: readonly string[]
  readonly definition: Definition
  readonly state: State
}

/** A branch that an initiator registers before it starts the work of it. */
export interface BranchPlan {
  readonly name: string
  /** Belongs to the pattern. */
  readonly work: unknown
  readonly needs: readonly string[]
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
  | { readonly kind: 'decide'; readonly decision: Decision }
  | { readonly kind: 'register'; readonly branch: BranchPlan }
  /** The linked transaction that a `begin` command asked for is durable, or cannot be begun at all. */
  | { readonly kind: 'begun'; readonly branch: string; readonly refusal: string | null }
  | { readonly kind: 'act'; readonly action: OperatorAction; readonly branch: string | null; readonly reason: string }
)

export type Decision = 'commit' | 'rollback'

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
  /** Begins a linked transaction, already decided, under an id made from this one's and the branch: once, however often asked. */
  | { readonly kind: 'begin'; readonly branch: string; readonly body: LinkedBody }
  /** A person should look. Given once per change of state, when it is durable. */
  | { readonly kind: 'alert'; readonly alert: 'old' | 'undecided' | 'branch-stuck'; readonly detail: string }

/** A begin body without its id. */
export interface LinkedBody {
  readonly pattern: Pattern
  readonly [key: string]: Json
}

export interface Advance<T extends Transaction = Transaction> {
  readonly transaction: T
  readonly commands: readonly Command[]
  /** The event asked for what was so already, and has changed nothing. */
  readonly repeated?: boolean
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
  /** True when something is left undone: an operator skipped it, or a receiver has refused it and its producer was told. */
  readonly incomplete: boolean
}

/** What a pattern may ask about the targets named in a begin. */
export interface TargetDirectory {
  /** Whether operations of this target go through the barrier. */
  usesBarrier(target: string): boolean
  /** The service that an instance must be able to call, or null when a URL needs none. */
  serviceOf(target: string): string | null
  /**
   * Null when the target may be called; otherwise why not. A check-back is a URL, or the bare name of a service. Of a participant in
   * this process it is known whether it has the operations.
   */
  refuses(target: string, as?: 'participant' | 'check-back', operations?: readonly Operation[]): string | null
  /** Null when the coordinator may call it; otherwise why not. Asked of what is a target at all. */
  forbids(target: string): string | null
}

export interface Plan {
  readonly definition: unknown
  readonly state: unknown
  readonly status: Status
  readonly needs: readonly string[]
  readonly deadlineMs: number | null
  /** Nothing happens before this unless somebody decides; null when the work starts at once. */
  readonly restsMs: number | null
}

export interface PatternMachine {
  readonly pattern: Pattern
  /** Keys of a begin body that belong to this pattern, besides those every begin has. */
  readonly bodyKeys: readonly string[]
  /** True when the deadline stands still while the transaction is held. */
  readonly deadlineRestsWhileHeld: boolean
  /** Checks the pattern's part of a begin body and lays out the work. Throws `LOCKSTEP_INVALID_REQUEST`. */
  plan(body: Readonly<Record<string, Json>>, targets: TargetDirectory): Plan
  /** Checks the registration of a branch. Throws `LOCKSTEP_INVALID_REQUEST`, or `LOCKSTEP_ACTION_NOT_ALLOWED` where there is none. */
  planBranch(body: Readonly<Record<string, Json>>, targets: TargetDirectory): BranchPlan
  /**
   * Pure: the same arguments give the same answer, and no argument is changed. `barrierRetentionMs` is how long participants remember
   * what ran (law 10), 30 days unless given.
   */
  advance(transaction: Transaction, event: Event, now: number, barrierRetentionMs?: number): Advance
  describe(transaction: Transaction): Description
}
