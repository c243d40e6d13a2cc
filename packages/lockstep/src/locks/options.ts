import { LockstepError } from '../errors.ts'
import type { LockBackend } from '../ports/index.ts'
import { type Duration, durationMs } from '../protocol/index.ts'

export interface AcquireOptions {
  /** A dead holder blocks others at most this long; 10 s unless given. Session backends have their own, and show it as `lease.ttlMs`. */
  readonly ttl?: Duration
  /** Bound of the whole wait, 10 s unless given; 0 is one try, `Infinity` is allowed. */
  readonly wait?: Duration | typeof Infinity
  /** Ends the wait at once and leaves nothing behind. */
  readonly signal?: AbortSignal
  /** At a third of the TTL, unless false: then `extend` is yours. */
  readonly renew?: boolean
  /** After this, renewal stops and the lease is lost; 1 h unless given, and no bound in an election. */
  readonly maxHold?: Duration | typeof Infinity
  /** Shown by `inspect`. */
  readonly label?: string
  /**
   * Inside `withLock` or `lease.run` of the same name that lease is given again; never unless asked for. Pieces of work side by side in
   * there share it.
   */
  readonly reentrant?: boolean
}

export interface ReadOptions {
  readonly ttlMs: number
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
  readonly renews: boolean
  readonly maxHoldMs: number
  readonly label: string
  readonly reentrant: boolean
}

const nameCharactersMax = 200

/** A name becomes part of keys and paths, so it is few characters, never cut and never changed. */
export function checkLockName(name: unknown): string {
  const valid =
    typeof name === 'string' && name.length <= nameCharactersMax && /^(?!\.{1,2}$)[A-Za-z0-9._:~@=+-]+$/.test(name)
  if (valid) return name
  const shown = typeof name === 'string' ? JSON.stringify(name.slice(0, 60)) : typeof name
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `A lock's name is 1 to ${nameCharactersMax} characters of A-Z a-z 0-9 . _ : ~ @ = + - and neither "." nor "..", but is ${shown}.`,
    next: 'Name the thing that is locked, such as sku-42.',
  })
}

export function readOptions(options: AcquireOptions, backend: LockBackend): ReadOptions {
  const { ttl = defaultTtlMs(backend), wait = 10_000, maxHold = 3_600_000, renew = true } = options
  return {
    ttlMs: durationMs(ttl, 'ttl', { minMs: backend.ttlMinMs, maxMs: backend.ttlMaxMs }),
    waitMs: wait === Infinity ? Infinity : durationMs(wait, 'wait'),
    signal: options.signal,
    renews: renew,
    maxHoldMs: maxHold === Infinity ? Infinity : durationMs(maxHold, 'maxHold', { minMs: 1 }),
    label: checkLabel(options.label ?? ''),
    reentrant: options.reentrant ?? false,
  }
}

function defaultTtlMs({ ttlMinMs, ttlMaxMs }: LockBackend): number {
  return Math.min(Math.max(10_000, ttlMinMs), ttlMaxMs)
}

function checkLabel(label: string): string {
  if (label.length <= 100 && ![...label].some((one) => one < ' ' || one === '\u007f')) return label
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'A label is at most 100 characters without control characters.',
  })
}
