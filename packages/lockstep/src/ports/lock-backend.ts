import type { Logger } from './logger.ts'
import type { Environment } from './time.ts'

/**
 * What a lock backend does. It knows names, owners and times; leases, renewal, queues inside the process and everything that is built on
 * a lock stand above it (`locks/`).
 *
 * Time: every `…Ms` that is a moment is on this process's monotonic clock.
 */

export interface LockCapabilities {
  /** How strongly tokens grow: `durable` holds while fsynced data survives, `best-effort` is lost with the last second of it. */
  readonly fencing: 'consensus' | 'durable' | 'best-effort' | 'none'
  /** First come, first served, between processes. */
  readonly fair: boolean
  readonly wakeUp: 'push' | 'poll'
  /** Read-write locks, semaphores and elections. */
  readonly sharing: boolean
}

/**
 * How a name is to be held. A mutex, a read-write lock and a semaphore of the same name are three locks, which know nothing of each other
 * (`lockKind`). Readers share; a writer is alone, and one that waits stops new readers, so that it does not starve; a permit is granted
 * while fewer than `of` are out.
 */
export type LockMode =
  | { readonly kind: 'mutex' }
  | { readonly kind: 'read' }
  | { readonly kind: 'write' }
  | { readonly kind: 'permit'; readonly of: number }

export type LockKind = 'mutex' | 'read-write' | 'semaphore'

export function lockKind(mode: Pick<LockMode, 'kind'>): LockKind {
  if (mode.kind === 'mutex') return 'mutex'
  return mode.kind === 'permit' ? 'semaphore' : 'read-write'
}

export interface LockAsk {
  readonly name: string
  readonly mode: LockMode
  readonly ttlMs: number
  /** Bound of the whole wait; 0 is one try, Infinity none. */
  readonly waitMs: number
  /** Ends the wait at once, and leaves no ghost. */
  readonly signal: AbortSignal
  /** Fresh per ask, so that a repeat is known and nobody else is taken for us. */
  readonly owner: string
  /** Who holds it, for people: host, process, label. */
  readonly holder: LockHolder
}

export interface LockHolder {
  readonly host: string
  readonly pid: number
  readonly label: string
}

/** What a session backend tells of a hold; the others only let it run out. */
export type HoldState = 'held' | 'at-risk' | 'lost'

export interface LockHold {
  readonly token: bigint
  /** As granted, and as last extended by: the next renewal asks for as much again. Session backends have their own, which never changes. */
  readonly ttlMs: number
  /** Nobody else is granted the name before. Counted from the sending of what was answered, never from the answer. */
  readonly validUntilMs: number
  /** True when it is held on; false when it is lost for good. Rejects with `LOCKSTEP_LOCK_UNAVAILABLE` when nobody answered: try again. */
  extend(ttlMs: number): Promise<boolean>
  /** True when it was still held; false when it was not. Rejects when nobody answered: it is then repeated until the time is over. */
  release(): Promise<boolean>
  /**
   * A write hold becomes a read hold in one step: no writer slips in, also none that has waited for long. Null when it was not held any
   * more. Only write holds have it. The write hold is over afterwards; rejects as `extend` does.
   */
  downgrade?(): Promise<LockHold | null>
  /** Told when the backend's session changes; a backend without sessions never calls. */
  watch(tell: (state: HoldState, why: string) => void): void
}

/** What became of a release that also asked for the next waiter of this process. */
export interface Passed {
  /** The hold that was given up was still held. */
  readonly wasHeld: boolean
  /** As `contend`, for the next one. */
  readonly next: Promise<LockHold | null>
}

export interface LockInfo {
  readonly name: string
  readonly mode: LockMode['kind']
  readonly token: bigint | null
  readonly holder: LockHolder | null
  /** Since when, milliseconds since 1970, where the backend knows. */
  readonly since: number | null
  readonly remainingMs: number | null
  readonly waiters: number | null
}

export interface LockBackend {
  readonly name: string
  readonly capabilities: LockCapabilities
  /** Bounds of a TTL; where the session has its own, both are that. */
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
  /**
   * One contender per name and process calls at a time. Resolves with a hold that was valid when it was answered, or with null when the
   * wait is over and somebody else holds it. Rejects with `LOCKSTEP_LOCK_UNAVAILABLE`, `LOCKSTEP_LOCK_UNSUPPORTED`, or the reason of the
   * signal; whatever it does, nothing of it stays behind in the backend for longer than the TTL.
   */
  contend(ask: LockAsk): Promise<LockHold | null>
  /**
   * Releases, and asks again for another waiter of this process in one go where the backend can: whoever waits elsewhere comes first.
   * Without it the two are done one after the other.
   */
  pass?(hold: LockHold, ask: LockAsk): Promise<Passed>
  /** After a `pass` without an answer: whoever it asked for waits no more, and what it may have been granted is taken away. */
  abandon?(ask: LockAsk): void
  /** Every hold of every kind: of one name, or of all up to a bound (1,000). A name that has waiters and no holder is shown as well. */
  inspect(name?: string): Promise<readonly LockInfo[]>
  /**
   * Takes holds of `name` away, of one token or of all, and answers what was taken. The next waiter is granted it, with a larger token;
   * who has lost it finds out at its next renewal.
   */
  evict(name: string, token?: bigint): Promise<readonly LockInfo[]>
  /** Ends what it opened itself. The handles that it was given stay open. */
  close(): Promise<void>
}

/** What a backend works with. */
export interface LockEnvironment extends Pick<Environment, 'clock' | 'timers' | 'random'> {
  readonly log: Logger
}

/** What `redisLocks(…)` and its like give: opened when the locks are created. It connects at the first call. */
export type OpenLockBackend = (environment: LockEnvironment) => LockBackend
