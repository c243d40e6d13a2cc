import type { ErrorCode, ErrorOutcome } from '../../errors.ts'
import type { ClaimRequest, HeartbeatAnswer, History, ListFilter } from '../../ports/index.ts'
import type { SqlRow } from '../sql-row.ts'

export type SqlValue = string | number | null

/** One entry as it crosses to the worker: rows are arrays in the order of the statements' parameters. */
export interface EntryRows {
  readonly kind: 'insert' | 'advance' | 'take' | 'mark'
  readonly id: string
  readonly values: readonly SqlValue[]
  readonly labels: readonly (readonly SqlValue[])[]
  readonly attempts: readonly (readonly SqlValue[])[]
  readonly audit: readonly SqlValue[] | null
}

export interface Writer {
  readonly instance: string
  readonly number: number
}

export type DecidedRow = Pick<
  SqlRow,
  'epoch' | 'version' | 'held_reason' | 'held_since' | 'held_by' | 'held_detail' | 'deadline_at' | 'age_from'
>

/** A `DecidedRow` in the order of `decidedColumns`: an object per entry would cross to the other thread with all its names. */
export type DecidedValues = readonly [
  epoch: number,
  version: number,
  heldReason: string | null,
  heldSince: number | null,
  heldBy: string | null,
  heldDetail: string | null,
  deadlineAt: number | null,
  ageFrom: number,
]

export type EntryAnswer =
  | DecidedValues
  | { readonly kind: 'missed'; readonly row: SqlRow | null }
  | { readonly kind: 'invalid'; readonly message: string }

/** What the worker can be asked: name → [arguments, answer]. */
export interface WorkerCalls {
  open: [{ readonly path: string; readonly maxPageCount: number | null }, { readonly id: string; readonly now: number }]
  commit: [{ readonly entries: readonly EntryRows[]; readonly writer: Writer }, readonly EntryAnswer[]]
  read: [readonly string[], readonly SqlRow[]]
  history: [string, History]
  list: [ListFilter, readonly SqlRow[]]
  claim: [ClaimRequest, readonly { readonly row: SqlRow; readonly takeover: boolean }[]]
  heartbeat: [string, HeartbeatAnswer]
  retire: [{ endedBefore: number; forgetBefore: number; limit: number }, { expired: number; forgotten: number }]
  close: [null, null]
}

export type WorkerCallName = keyof WorkerCalls

export interface WorkerRequest {
  readonly sequence: number
  readonly call: WorkerCallName
  readonly argument: unknown
}

/** A `LockstepError` loses its class on the way between threads, so it travels as its fields. */
export interface ErrorFields {
  readonly code: ErrorCode
  readonly message: string
  readonly outcome: ErrorOutcome
  readonly retriable: boolean
  readonly next: string
}

export type WorkerReply =
  | { readonly sequence: number; readonly answer: unknown }
  | { readonly sequence: number; readonly error: ErrorFields }
