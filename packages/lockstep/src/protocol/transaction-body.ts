import type { BranchState, Json, Operation, Outcome, Pattern, Status } from '../ports/index.ts'

/** Types of what the coordinator answers over HTTP; times are ISO 8601 in UTC with milliseconds. */

export interface AttemptBody {
  readonly operation: Operation
  readonly number: number
  readonly startedAt: string
  readonly durationMs: number
  readonly outcome: Outcome['kind']
  readonly error: string | null
}

export interface BranchBody {
  readonly name: string
  readonly state: BranchState
  readonly output: Json
  readonly attempts: readonly AttemptBody[]
}

export interface HeldBody {
  readonly reason: string
  readonly since: string
  readonly by: string
  readonly detail: string | null
}

/** Why it rolled back: the branch that refused, and the body of its refusal. */
export interface ReasonBody {
  readonly branch: string | null
  readonly body: Json
}

export interface TransactionBody {
  readonly id: string
  readonly store: string
  readonly pattern: Pattern
  readonly status: Status
  readonly held: HeldBody | null
  readonly reason: ReasonBody | null
  readonly output: Json
  /** True when an operator skipped a branch. */
  readonly incomplete: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly deadlineAt: string | null
  readonly createdAt: string
  readonly updatedAt: string
  readonly endedAt: string | null
  readonly version: number
  readonly branches: readonly BranchBody[]
}

export interface TransactionListBody {
  readonly items: readonly Omit<TransactionBody, 'branches'>[]
  readonly next: string | null
}

/** What is left of a transaction after retention. */
export interface ExpiredBody {
  readonly id: string
  readonly status: Status
}
