import type { StoredTransaction, Transaction } from '../ports/index.ts'

/** A durable picture of a transaction: all that may be shown. */
export interface Snapshot {
  readonly transaction: Transaction
  readonly base: StoredTransaction
  readonly version: number
  readonly updatedAt: number
  /** Attempts that were moved out to rows of their own. */
  readonly spilled: number
}
