import type { Operation } from './outcome.ts'

/** The key of one barrier row (together with the store's id). */
export interface BarrierKey {
  readonly store: string
  readonly transaction: string
  readonly branch: string
  readonly operation: Operation
}

export interface BarrierRow {
  /** The operation that wrote the row: itself, or the one that planted it as a tombstone. */
  readonly by: Operation
  readonly inputHash: string
  /** Canonical JSON text of the output, or null while the business has not answered. */
  readonly output: string | null
}

/**
 * The barrier's rows inside one open database transaction of the participant.
 *
 * **Guarantees** `insert` waits while another open transaction holds the same key, and answers `false` once that one
 * has committed, `true` once it has rolled back. After `false`, `find` sees the winner's row.
 */
export interface BarrierRows {
  /** True when the row is new. Never overwrites. */
  insert(key: BarrierKey, row: BarrierRow): Promise<boolean>
  /** A plain read; takes no lock. */
  find(key: BarrierKey): Promise<BarrierRow | null>
  /** Writes the output into the row that this transaction inserted. */
  complete(key: BarrierKey, output: string): Promise<void>
}

/**
 * Opens transactions on one kind of handle that the user owns.
 *
 * `transact` begins, runs, and commits; it rolls back when `run` throws and passes the error on. It may run `run` again after
 * a serialisation failure or a deadlock. When the lock wait is over it throws a `BarrierBusy`.
 */
export interface BarrierDatabase {
  readonly name: string
  /** What `recognises` takes, in words, with package and tested range: part of the error for a handle nobody knows. */
  readonly accepts?: string
  recognises(handle: unknown): boolean
  transact<T>(
    handle: unknown,
    run: (tx: unknown, rows: BarrierRows) => Promise<T>,
    options: { readonly lockWaitMs: number },
  ): Promise<T>
}

/** Somebody else holds the key or the database longer than the lock wait: ask again later. */
export class BarrierBusy extends Error {
  override readonly name = 'BarrierBusy'
}
