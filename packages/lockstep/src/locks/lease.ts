/**
 * A lease: the right to act under a name until a moment that this process can compute by itself.
 *
 *   held       valid. Moves: a session that is suspended → at-risk; the end of its validity, a lost session or `maxHold` → lost;
 *              `release` → released.
 *   at-risk    valid still, and nobody knows for how long. Moves: as held, and back to held when the session is proven again.
 *   lost       final: whatever is answered later revives nothing.
 *   released   final.
 *
 * Time counts from the sending of what was answered. A process that was stopped runs no timer: every renewal first looks at the clock,
 * and `assertHeld` does so right before an effect. A pause between that look and the effect is beyond any lease: the resource must
 * refuse an older token.
 */
import { isLockstepError, LockstepError, messageOf } from '../errors.ts'
import type { Environment, LockHold, Timer } from '../ports/index.ts'
import type { ReadOptions } from './options.ts'

export type LeaseState = 'held' | 'at-risk' | 'lost' | 'released'

export interface Released {
  readonly released: boolean
  /** `unknown` when the backend did not answer: it is asked on until the TTL has passed. */
  readonly wasHeld: boolean | 'unknown'
}

export interface LeaseParts {
  readonly name: string
  readonly hold: LockHold
  readonly options: Pick<ReadOptions, 'renews' | 'maxHoldMs' | 'ttlMs'>
  readonly environment: Pick<Environment, 'clock' | 'timers'>
  /** Gives the name back; called once. */
  readonly giveBack: () => Promise<boolean>
  /** It is lost: nobody gives it back any more. */
  readonly onLost: () => void
}

/** Signalled this long before the end, so that who listens can still stop. */
const marginMinMs = 20

export class Lease implements AsyncDisposable {
  readonly name: string
  readonly ttlMs: number
  readonly #parts: LeaseParts
  readonly #abort = new AbortController()
  readonly #lost = Promise.withResolvers<LockstepError<'LOCKSTEP_LOCK_LOST'>>()
  readonly #heldSinceMs: number
  #validUntilMs: number
  #state: LeaseState = 'held'
  #expiry: Timer | null = null
  #renewal: Timer | null = null
  #released: Promise<Released> | null = null
  #lagMs = 0

  constructor(parts: LeaseParts) {
    this.#parts = parts
    this.name = parts.name
    this.ttlMs = parts.hold.ttlMs
    this.#heldSinceMs = this.#nowMs
    this.#validUntilMs = parts.hold.validUntilMs
    parts.hold.watch((state, why) => this.#sessionChanged(state, why))
    this.#arm()
    if (parts.options.renews) this.#planRenewal(this.ttlMs / 3)
  }

  /** Grows with every grant of this name, as strongly as the backend's `fencing` says. */
  get fencingToken(): bigint {
    return this.#parts.hold.token
  }

  get state(): LeaseState {
    return this.#state
  }

  /** Aborted before the lease can end while the process runs; after a stall, at wake-up. Not by `release`. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Resolves when it is lost; never rejects, and never settles after a release. */
  get lost(): Promise<LockstepError<'LOCKSTEP_LOCK_LOST'>> {
    return this.#lost.promise
  }

  /** Milliseconds that are left, by the clock and not by a timer. */
  remaining(): number {
    const isOpen = this.#state === 'held' || this.#state === 'at-risk'
    return isOpen ? Math.max(0, this.#validUntilMs - this.#nowMs) : 0
  }

  /** Throws `LOCKSTEP_LOCK_LOST`, or `LOCKSTEP_LOCK_NOT_OWNER` after a release. To be called right before an effect. */
  assertHeld(): void {
    if (this.#state === 'released') throw notOwner(this.name)
    if (this.#state !== 'lost' && this.#nowMs >= this.#validUntilMs) this.#lose('its time had passed')
    if (this.#state === 'lost') throw lostError(this.name, 'it was lost before')
  }

  /** Proves it again and counts its time anew, from the sending. A try that is not answered leaves the old end. */
  async extend(ttlMs = this.ttlMs): Promise<void> {
    this.assertHeld()
    const held = await this.#parts.hold.extend(ttlMs)
    // Lost or released meanwhile: no answer revives it.
    this.assertHeld()
    if (!held) this.#lose('the backend has given it to somebody else, or forgotten it')
    this.assertHeld()
    this.#prove()
  }

  /** Gives it back. Never throws for one that has ended; a second call gives the first answer. */
  release(): Promise<Released> {
    this.#released ??= this.#release()
    return this.#released
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  async #release(): Promise<Released> {
    const wasLost = this.#state === 'lost'
    this.#state = wasLost ? 'lost' : 'released'
    this.#stopTimers()
    if (wasLost) return { released: false, wasHeld: false }
    try {
      return { released: true, wasHeld: await this.#parts.giveBack() }
    } catch {
      return { released: false, wasHeld: 'unknown' }
    }
  }

  get #nowMs(): number {
    return this.#parts.environment.clock.monotonicMs()
  }

  get #marginMs(): number {
    return Math.min(Math.max(marginMinMs, this.#lagMs), this.ttlMs / 4)
  }

  /** The signal, before the end. */
  #arm(): void {
    this.#expiry?.cancel()
    const delayMs = Math.max(0, this.#validUntilMs - this.#marginMs - this.#nowMs)
    this.#expiry = this.#parts.environment.timers.after(delayMs, () => this.#lose('it was not renewed in time'))
  }

  #prove(): void {
    this.#validUntilMs = Math.max(this.#validUntilMs, this.#parts.hold.validUntilMs)
    this.#state = 'held'
    this.#arm()
  }

  #planRenewal(afterMs: number): void {
    const plannedMs = this.#nowMs + afterMs
    this.#renewal = this.#parts.environment.timers.after(afterMs, () => {
      this.#lagMs = Math.max(0, this.#nowMs - plannedMs)
      void this.#renew()
    })
  }

  async #renew(): Promise<void> {
    if (this.#nowMs - this.#heldSinceMs >= this.#parts.options.maxHoldMs)
      return this.#lose('it was held for as long as `maxHold` allows')
    // After a stall nothing is sent before the clock was asked: what has ended is not extended.
    if (this.#nowMs >= this.#validUntilMs) return this.#lose('its time had passed while the process stood still')
    try {
      await this.extend()
      if (this.#state === 'held') this.#planRenewal(this.ttlMs / 3)
    } catch (error) {
      if (this.#state === 'held' || this.#state === 'at-risk') this.#retryRenewal(error)
    }
  }

  /** At least two more tries fit before the end. */
  #retryRenewal(error: unknown): void {
    if (isLockstepError(error, 'LOCKSTEP_LOCK_UNAVAILABLE')) {
      this.#state = 'at-risk'
      this.#planRenewal(Math.max(10, this.ttlMs / 12))
    } else this.#lose(messageOf(error))
  }

  #sessionChanged(state: 'held' | 'at-risk' | 'lost', why: string): void {
    if (this.#state !== 'held' && this.#state !== 'at-risk') return
    if (state === 'lost') this.#lose(why)
    else if (state === 'held') this.#prove()
    else this.#state = 'at-risk'
  }

  #lose(why: string): void {
    if (this.#state !== 'held' && this.#state !== 'at-risk') return
    this.#state = 'lost'
    this.#stopTimers()
    const error = lostError(this.name, why)
    this.#lost.resolve(error)
    this.#abort.abort(error)
    this.#parts.onLost()
  }

  #stopTimers(): void {
    this.#expiry?.cancel()
    this.#renewal?.cancel()
  }
}

function lostError(name: string, why: string): LockstepError<'LOCKSTEP_LOCK_LOST'> {
  return new LockstepError('LOCKSTEP_LOCK_LOST', {
    message: `The lease on ${name} is lost: ${why}.`,
    details: { name },
  })
}

export function notOwner(name: string): LockstepError<'LOCKSTEP_LOCK_NOT_OWNER'> {
  return new LockstepError('LOCKSTEP_LOCK_NOT_OWNER', {
    message: `The lease on ${name} was released.`,
    details: { name },
  })
}
