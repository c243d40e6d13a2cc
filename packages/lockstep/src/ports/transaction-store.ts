import type { Operation } from './outcome.ts'

/**
 * Where transactions live. One row per transaction; the store knows no pattern: `definition` and `state` are text
 * that it keeps byte for byte.
 *
 * Time: every `…At` is milliseconds since 1970 by the store's clock, as estimated by the writer; `claim` and `heartbeat`
 * alone read the store's clock themselves.
 */

/** `none` is the pattern of a tombstone: a rollback came for an id that was never begun. */
export type Pattern = 'saga' | 'tcc' | 'xa' | 'message' | 'notification' | 'none'
export type Status = 'prepared' | 'committing' | 'committed' | 'rolling-back' | 'rolled-back'

export interface Held {
  readonly reason: string
  readonly since: number
  readonly by: string
  readonly detail: string | null
}

/** The columns that operators own. An owner's write never touches them, and reads them back. */
export interface OperatorColumns {
  readonly held: Held | null
  readonly deadlineAt: number | null
  /** The age for alert and hold starts here: the latest of begin, deadline and last resume. */
  readonly ageFrom: number
}

/** What is to be done. It is laid down by begin, and grows with each branch that is registered before the decision. */
export interface Work {
  /** The pattern's own description: targets and inputs. */
  readonly definition: string
  /** Services an instance must be able to call (law 11), sorted, without duplicates. */
  readonly needs: readonly string[]
}

/** What begin fixes for ever; its work may grow until the decision. */
export interface Begun extends Work {
  readonly id: string
  readonly pattern: Pattern
  /** SHA-256, hex, of the canonical content (law 2). */
  readonly contentHash: string
  readonly labels: Readonly<Record<string, string>>
  readonly createdAt: number
  readonly traceparent: string | null
}

/** What the owner changes. */
export interface Progress {
  readonly status: Status
  /** The pattern's own state: branches, outputs, recent attempts. */
  readonly state: string
  /** Why it rolled back, as JSON text, or null. */
  readonly reason: string | null
  readonly updatedAt: number
  readonly endedAt: number | null
  /** When the row is due for a claim; null once it has ended. What is held is never claimed, whatever stands here. */
  readonly nextAt: number | null
  /** The instance that drives it; null when parked, ended or open to anyone. */
  readonly owner: string | null
}

export interface StoredTransaction extends Begun, Progress, OperatorColumns {
  /** Raised by every claim. Every owner's write is conditional on it (law 5). */
  readonly epoch: number
  /** Raised by every applied entry. */
  readonly version: number
  /** True once retention removed all but id, hash and end status. */
  readonly expired: boolean
}

/** One attempt of one operation that no longer fits into `state`. */
export interface AttemptRow {
  readonly branch: string
  readonly operation: Operation
  readonly number: number
  readonly startedAt: number
  readonly durationMs: number
  readonly outcome: string
  readonly error: string | null
}

/** One operator action. Never changed, never deleted with the transaction. */
export interface AuditRow {
  readonly at: number
  readonly by: string
  readonly action: string
  readonly branch: string | null
  readonly reason: string
  readonly before: string
  readonly after: string
}

interface Changed {
  /** What of the work has changed: the row keeps the rest, and large inputs are not written again. */
  readonly work?: Partial<Work>
}

interface EntryRows {
  /** Ignored where the row (transaction, branch, operation, number) exists: entries may be repeated. */
  readonly attempts?: readonly AttemptRow[]
  readonly audit?: AuditRow
}

/** A change of one transaction. A batch holds at most one entry per id (law 6). */
export type Entry =
  /** Begin, or a tombstone. `exists` when the id is there, whatever its content. The row gets epoch 1, version 1. */
  | ({ readonly kind: 'insert'; readonly row: Begun & Progress & OperatorColumns } & EntryRows)
  /** The owner's write: applied where the epoch is still `epoch`. `hold` is set only where nothing holds it yet. */
  | ({
      readonly kind: 'advance'
      readonly id: string
      readonly epoch: number
      readonly progress: Progress
      readonly hold?: Held
    } & Changed &
      EntryRows)
  /** A decision or action by an instance that does not own it: claims in the same statement, epoch + 1. */
  | ({
      readonly kind: 'take'
      readonly id: string
      readonly epoch: number
      readonly version: number
      readonly progress: Progress
      readonly operator?: OperatorColumns
    } & Changed &
      EntryRows)
  /** Hold or resume: only the operator's columns, and `nextAt` where the row has no owner. */
  | ({
      readonly kind: 'mark'
      readonly id: string
      readonly version: number
      readonly operator: OperatorColumns
      readonly nextAt: number | null
    } & EntryRows)

export type EntryResult =
  /** Durable. `row` carries the columns that the store decides: epoch, version and the operator's. */
  | { readonly kind: 'applied'; readonly row: OperatorColumns & { readonly epoch: number; readonly version: number } }
  /** `insert` found the id. `row` is what is stored, durable. */
  | { readonly kind: 'exists'; readonly row: StoredTransaction }
  /** The compare failed: somebody else moved it. Null when there is no such row. */
  | { readonly kind: 'stale'; readonly row: StoredTransaction | null }
  /** This entry's data cannot be stored. The others of the batch stand. */
  | { readonly kind: 'invalid'; readonly message: string }

export interface ListFilter {
  readonly status?: Status
  readonly pattern?: Pattern
  readonly held?: boolean
  readonly labels?: Readonly<Record<string, string>>
  /** createdAt >= since, createdAt < until. */
  readonly since?: number
  readonly until?: number
  readonly limit: number
  /** What `next` of the previous page said. */
  readonly cursor?: string
}

export interface Page {
  /** Newest first. `definition` and `state` are empty text here. */
  readonly items: readonly StoredTransaction[]
  readonly next: string | null
}

export interface ClaimRequest {
  readonly owner: string
  readonly limit: number
  /** Services that this instance can call. */
  readonly services: readonly string[]
  /** Rows overdue by this much whose needs no live instance covers are claimed all the same (law 11). */
  readonly missingAfterMs: number
  /**
   * When given, due rows that `owner` itself owns are claimed as well, except these: an earlier claim may have been applied
   * without being answered, and then nobody drives what it took.
   */
  readonly except?: readonly string[]
}

export interface Claimed {
  readonly row: StoredTransaction
  /** True when a dead owner may have started calls; false when the row had no owner (parked). */
  readonly takeover: boolean
}

export interface HeartbeatRequest {
  readonly owner: string
  readonly leaseMs: number
  readonly services: readonly string[]
}

export interface HeartbeatAnswer {
  /** The store's clock. */
  readonly now: number
  /** Transactions of this owner that somebody holds. */
  readonly held: readonly { readonly id: string; readonly operator: OperatorColumns; readonly version: number }[]
}

export interface History {
  readonly attempts: readonly AttemptRow[]
  readonly audit: readonly AuditRow[]
}

/**
 * A durable home of transactions.
 *
 * **Guarantees** when `commit` resolves, every `applied` entry survives `kill -9` and power loss, and a later read sees it.
 * **Does not guarantee** anything when `commit` rejects: some, all or none of it may be, or may later become, durable.
 *   The caller repeats the *same* batch until it is answered (law 7); applying an entry twice equals applying it once.
 * Fails with `LOCKSTEP_STORE_UNAVAILABLE` (connection; repeat), `LOCKSTEP_STORE_FAILED` (disk; the coordinator must stop),
 *   `LOCKSTEP_STORE_LOCKED`, `LOCKSTEP_SCHEMA_MISMATCH`.
 */
export interface TransactionStore {
  /** Names the store in logs. */
  readonly name: string
  /** True when one process owns the store for its whole life: whatever it finds owned by another is free. */
  readonly exclusive: boolean
  /**
   * Checks the schema and answers the store's id, 8 hex digits, fixed when the schema was made. `warnings` are settings
   * of the server that weaken what `commit` promises.
   */
  open(): Promise<{ readonly id: string; readonly now: number; readonly warnings?: readonly string[] }>
  /**
   * One durable commit for the whole batch. Results in the order of the entries. `writer` is left in each row, so that a
   * repeated batch recognises its own work. `repeat` says that this batch was sent before and not answered. `number` grows
   * with every new batch of an instance: an older one that arrives late writes over nothing.
   */
  commit(
    batch: readonly Entry[],
    writer: { readonly instance: string; readonly number: number; readonly repeat: boolean },
  ): Promise<readonly EntryResult[]>
  /** Ids that do not exist are left out. */
  read(ids: readonly string[]): Promise<readonly StoredTransaction[]>
  history(id: string): Promise<History>
  list(filter: ListFilter): Promise<Page>
  /** Takes due rows without owner or whose owner's lease is over: owner set, epoch + 1. Durable when it resolves. */
  claim(request: ClaimRequest): Promise<readonly Claimed[]>
  /** Renews the lease of this instance, on a connection that no batch can block. */
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer>
  /** Ends the lease of this instance at once: what it still owns is free for the others. */
  resign(owner: string): Promise<void>
  /** Reduces ended rows older than `endedBefore` to id, hash and end status; deletes those older than `forgetBefore`. At most `limit` each. */
  retire(request: {
    readonly endedBefore: number
    readonly forgetBefore: number
    readonly limit: number
  }): Promise<{ readonly expired: number; readonly forgotten: number }>
  close(): Promise<void>
}
