import { LockstepError } from '../errors.ts'
import type { Advance, StoredTransaction, Transaction } from '../ports/index.ts'

/** A durable picture of a transaction: all that may be shown. */
export interface Snapshot {
  readonly transaction: Transaction
  readonly base: StoredTransaction
  readonly version: number
  readonly updatedAt: number
  /** Attempts that were moved out to rows of their own. */
  readonly spilled: number
}

/** What is durable now, and whether it was so before. */
export interface Changed {
  readonly snapshot: Snapshot
  readonly repeated: boolean
}

/** What a machine has not accepted, as its caller gets it. */
export function refused({ code, message }: NonNullable<Advance['refusal']>): LockstepError {
  return new LockstepError(code, { message })
}
