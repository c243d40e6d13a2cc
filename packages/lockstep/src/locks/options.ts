import { LockstepError } from '../errors.ts'
import type { LockBackend } from '../ports/index.ts'
import { type Duration, durationMs } from '../protocol/index.ts'

export interface AcquireOptions {
  /** A dead holder blocks others at most this long; 10 s unless given. Session backends have their own, and show it as `lease.ttlMs`. */
  readonly ttl?: Duration | undefined
  /** Bound of the whole wait, 10 s unless given; 0 is one try, `Infinity` is allowed. */
  readonly wait?: Duration | typeof Infinity | undefined
  /** Ends the wait at once and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined
  /** At a third of the TTL, unless false: then `extend` is yours. */
  readonly renew?: boolean | undefined
  /** After this, renewal stops and the lease is lost; 1 h unless given, and no bound in an election. */
  readonly maxHold?: Duration | typeof Infinity | undefined
  /** Shown by `inspect`. */
  readonly label?: string | undefined
  /**
   * Inside `withLock` or `lease.run` of the same name that lease is given again; never unless asked for. Pieces of work side by side in
   * there share it.
   */
  readonly reentrant?: boolean | undefined
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

const known = new Set(['ttl', 'wait', 'signal', 'renew', 'maxHold', 'label', 'reentrant'])

function checkOptions(options: AcquireOptions): void {
  if (typeof options !== 'object' || options === null) throw mistaken('The options of a lock are an object.')
  const unknown = Object.keys(options).find((name) => !known.has(name))
  if (unknown !== undefined) throw mistaken(`A lock has no option ${JSON.stringify(unknown.slice(0, 60))}.`)
  for (const name of ['renew', 'reentrant'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'boolean') throw mistaken(`${name} is true or false.`)
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw mistaken('signal is an AbortSignal: of an AbortController, pass its `signal`.')
}

function mistaken(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message, next: `The options are ${[...known].join(', ')}.` })
}

export function readOptions(options: AcquireOptions, backend: LockBackend): ReadOptions {
  checkOptions(options)
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
  // Control and formatting characters, and half a character, would reach the terminal of whoever lists the locks.
  if (typeof label === 'string' && label.length <= 100 && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(label)) return label
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'A label is at most 100 characters without control characters.',
  })
}
