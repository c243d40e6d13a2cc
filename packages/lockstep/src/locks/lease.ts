import { LockstepError } from '../errors.ts'
import type { LockMode } from '../ports/index.ts'
import type { Duration } from '../protocol/index.ts'

export type LockLostError = LockstepError<'LOCKSTEP_LOCK_LOST'>

/**
 * `held`: valid. `at-risk`: valid still, and the backend does not answer. `lost` and `released` are final: whatever is answered later
 * revives nothing.
 */
export type LeaseState = 'held' | 'at-risk' | 'lost' | 'released'

export interface Released {
  /** Given back by this call, and confirmed. */
  readonly released: boolean
  /** `unknown` when the backend did not answer: it is asked on until the TTL has passed. */
  readonly wasHeld: boolean | 'unknown'
}

/**
 * The right to act under a name until a moment that this process can compute by itself.
 *
 * **Guarantees**: while the process runs, `signal` is aborted before somebody else can be granted the name; `assertHeld` never passes
 * after that moment, also when the process was stopped and no timer has fired.
 * **Does not guarantee** that nothing of this process has an effect after that moment: a pause between `assertHeld` and the effect is
 * beyond any lease. The resource must refuse an older `fencingToken` (`lockstep/fencing`).
 *
 * @example
 * await using lease = await locks.acquire('sku-42', { ttl: '10s' })
 * lease.assertHeld()
 */
export interface Lease extends AsyncDisposable {
  readonly name: string
  readonly mode: LockMode['kind']
  /** Nobody else holds the name in any mode: its token can fence. False for readers, and for permits of more than one. */
  readonly exclusive: boolean
  /** Milliseconds after its last proof until a dead holder blocks nobody any more; session backends have their own. */
  readonly ttlMs: number
  /**
   * Grows with every grant of this name, as strongly as the backend's `fencing` says. Throws `LOCKSTEP_LOCK_UNSUPPORTED` where that is
   * `none`.
   */
  readonly fencingToken: bigint
  readonly state: LeaseState
  /** Aborted, with `LOCKSTEP_LOCK_LOST` as its reason, before the lease can end while the process runs; after a stall, at wake-up. Not by `release`. */
  readonly signal: AbortSignal
  /** Resolves when it is lost; never rejects, and never settles after a release. */
  readonly lost: Promise<LockLostError>
  /** Milliseconds that are left, by the clocks and not by a timer. */
  remaining(): number
  /** Throws `LOCKSTEP_LOCK_LOST`, or `LOCKSTEP_LOCK_NOT_OWNER` after a release. To be called right before an effect. */
  assertHeld(): void
  /**
   * Proves it again and counts its time anew, from the sending; on session backends it only proves the session. By less than is left it ends
   * sooner here, and the backend may keep the name from others for as long as before. Fails with `LOCKSTEP_LOCK_UNAVAILABLE` when nobody
   * answered, which leaves the old end or the nearer one that was asked for, or `LOCKSTEP_LOCK_LOST`.
   */
  extend(ttl?: Duration): Promise<void>
  /** Gives it back. Never throws for one that has ended; a second call gives the first answer. */
  release(): Promise<Released>
  /** A write lease becomes a read lease, and no writer slips in between. This lease is released by it. */
  downgrade(): Promise<Lease>
  /** Runs `work` as an owner of this lease: what acquires the name there with `reentrant` is given it again. */
  run<Result>(work: () => Result): Result
}

export function lostError(name: string, why: string): LockLostError {
  return new LockstepError('LOCKSTEP_LOCK_LOST', {
    message: `The lease on ${name} is lost: ${why}.`,
    details: { name },
  })
}

export function notOwner(name: string, why = 'it was released'): LockstepError<'LOCKSTEP_LOCK_NOT_OWNER'> {
  return new LockstepError('LOCKSTEP_LOCK_NOT_OWNER', {
    message: `The lease on ${name} is not yours: ${why}.`,
    details: { name },
  })
}

export function isExclusive(mode: LockMode): boolean {
  return mode.kind === 'mutex' || mode.kind === 'write' || (mode.kind === 'permit' && mode.of === 1)
}
