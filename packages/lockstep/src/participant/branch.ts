import type { Operation } from '../ports/index.ts'

/**
 * What `branch.transact` hands to its function: a client of the pool, or the transaction that the handle begins, or the
 * handle itself, since it is the one connection.
 */
export type TransactionOf<Handle> = Handle extends { readonly totalCount: number; connect: Connect<infer Client> }
  ? Client
  : Handle extends { begin(): Promise<infer Transaction> }
    ? Transaction
    : Handle

/** The `connect` of a pg Pool is overloaded; its promise form is the one that counts. */
type Connect<Client> = { (): Promise<Client>; (...callback: never[]): unknown }

/** Which operation of which branch is called. */
export interface BranchFacts {
  readonly store: string
  readonly transaction: string
  readonly name: string
  readonly operation: Operation
  readonly attempt: number
  /** When the transaction began, milliseconds by the coordinator store's clock. */
  readonly begunAt: number
  readonly traceparent: string | null
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal
}

/** The transaction branch that a participant operation is called for. */
export interface Branch extends BranchFacts {
  /**
   * Runs `run` in one transaction of the database behind `handle`, together with the barrier row.
   *
   * **Guarantees** that the effect of `run` happens at most once per operation, and never after its reversal. A repeat
   * answers the stored output without running. A reversal of something that never ran does nothing.
   * **Does not guarantee** that `run` is called once: it may run again after a deadlock. Let it do database work only.
   * Fails with `LOCKSTEP_ADAPTER_MISMATCH`, `LOCKSTEP_BARRIER_MISSING`. At most once per call; return its result.
   *
   * @example
   * action: (input, branch) => branch.transact(pool, async (tx) => {
   *   await tx.query('UPDATE account SET balance = balance - $1 WHERE id = $2', [input.amount, input.account])
   *   return { receipt: `r-${branch.transaction}` }
   * })
   */
  transact<Handle extends object, Output>(
    handle: Handle,
    run: (tx: TransactionOf<Handle>) => Promise<Output> | Output,
  ): Promise<Output>
}

/** A branch whose operation comes after a forward one: compensate, confirm, cancel. */
export interface LaterBranch<Output> extends Branch {
  /**
   * What the function given to `branch.transact` returned in the forward operation. Known inside `transact` only, since it
   * is stored in the same database; undefined before that, and when the forward operation never ran.
   */
  readonly output: Output | undefined
  /** True when a cancel with `cancelOnEmpty` runs though no try left a row. Known inside `transact` only, like `output`. */
  readonly empty: boolean
}
