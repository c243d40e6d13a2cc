/**
 * The lease of one grant.
 *
 *   held       Moves: no answer from the backend → at-risk; the end of its validity, a lost session or `maxHold` → lost; `release` → released.
 *   at-risk    Moves: as held, and back to held when it is proven again.
 *   lost, released   final.
 *
 * Time counts from the sending of what was answered. A process that was stopped runs no timer: every wake-up first looks at the clock, so
 * that what has ended is never renewed, and `assertHeld` does so right before an effect.
 */
import { isLockstepError, LockstepError, messageOf } from '../errors.ts'
import type { Clock, LockHold, LockMode, Timer, Timers } from '../ports/index.ts'
import { type Duration, durationMs } from '../protocol/index.ts'
import type { ObserveLocks } from './events.ts'
import type { Keeper, Kept } from './keeper.ts'
import {
  isExclusive,
  type Lease,
  type LeaseState,
  type LockLostError,
  lostError,
  notOwner,
  type Released,
} from './lease.ts'
import type { ReadOptions } from './options.ts'
import { Validity } from './validity.ts'

/** What was asked for. `key` is its queue in this process. */
export interface Wish {
  readonly key: string
  readonly name: string
  readonly mode: LockMode
  readonly options: Pick<ReadOptions, 'ttlMs' | 'waitMs' | 'signal' | 'renews' | 'maxHoldMs' | 'label'>
}

/** What every lease of one `Locks` works with, and whom it tells. */
export interface LeaseDesk {
  readonly ttlBounds: { readonly minMs: number; readonly maxMs: number }
  readonly clock: Clock
  readonly timers: Timers
  readonly keeper: Keeper
  readonly observe: ObserveLocks
  /** The token as the user sees it. Throws where there is none. */
  readonly tokenOf: (hold: LockHold) => bigint
  /** Gives the name back; called once for a lease. */
  readonly giveBack: (lease: HeldLease) => Promise<boolean>
  /** It is lost: nobody gives it back any more. */
  readonly lost: (lease: HeldLease) => void
  /** Null when it was not held any more. */
  readonly downgrade: (lease: HeldLease) => Promise<Lease | null>
  readonly runAsOwner: <Result>(lease: Lease, work: () => Result) => Result
}

/** Signalled this long before the end, so that who listens can still stop. */
const marginMinMs = 20
const renewalRetryMinMs = 10

export class HeldLease implements Lease, Kept {
  readonly wish: Wish
  readonly hold: LockHold
  readonly #desk: LeaseDesk
  readonly #validity: Validity
  readonly #heldSinceMs: number
  #state: LeaseState = 'held'
  #abort: AbortController | null = null
  #lost: PromiseWithResolvers<LockLostError> | null = null
  #lostError: LockLostError | null = null
  /** The next wake-up by the keeper. */
  #moment: number | null = null
  #expiry: Timer | null = null
  #released: Promise<Released> | null = null
  #lagMs = 0
  #tries = 0
  #downgrading: Promise<unknown> | null = null
  #downgraded: Promise<Lease> | null = null

  constructor(wish: Wish, hold: LockHold, desk: LeaseDesk) {
    this.wish = wish
    this.hold = hold
    this.#desk = desk
    this.#heldSinceMs = this.#nowMs
    this.#validity = new Validity(desk.clock, hold.validUntilMs)
    hold.watch((state, why) => this.#sessionChanged(state, why))
    this.#plan()
  }

  get name(): string {
    return this.wish.name
  }

  get mode(): LockMode['kind'] {
    return this.wish.mode.kind
  }

  get exclusive(): boolean {
    return isExclusive(this.wish.mode)
  }

  get ttlMs(): number {
    return this.hold.ttlMs
  }

  get fencingToken(): bigint {
    return this.#desk.tokenOf(this.hold)
  }

  get state(): LeaseState {
    return this.#state
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#lostError !== null) this.#abort.abort(this.#lostError)
    return this.#abort.signal
  }

  get lost(): Promise<LockLostError> {
    this.#lost ??= Promise.withResolvers<LockLostError>()
    if (this.#lostError !== null) this.#lost.resolve(this.#lostError)
    return this.#lost.promise
  }

  remaining(): number {
    return this.#isOpen ? this.#validity.remainingMs() : 0
  }

  assertHeld(): void {
    if (this.#state === 'released') throw notOwner(this.name)
    if (this.#isOpen && this.#validity.remainingMs() <= 0) this.#lose('its time had passed')
    if (this.#lostError !== null) throw this.#lostError
  }

  async extend(ttl: Duration = this.ttlMs): Promise<void> {
    const ttlMs = ttl === this.ttlMs ? ttl : durationMs(ttl, 'ttl', this.#desk.ttlBounds)
    this.assertHeld()
    if (this.#heldTooLong()) this.#lose(heldTooLong)
    this.assertHeld()
    const leftMs = this.#validity.remainingMs()
    const extending = this.hold.extend(ttlMs)
    // A shorter one may be applied without an answer: from its sending on it is all that there is.
    this.#validity.prove(this.hold.validUntilMs)
    if (this.#validity.remainingMs() < leftMs) this.#armExpiry()
    const held = await extending
    // Lost or released meanwhile: no answer revives it.
    this.assertHeld()
    if (!held) this.#lose('the backend has given it to somebody else, or forgotten it')
    this.assertHeld()
    this.#prove()
  }

  release(): Promise<Released> {
    this.#released ??= this.#release()
    return this.#released
  }

  downgrade(): Promise<Lease> {
    this.#downgraded ??= this.#downgrade()
    return this.#downgraded
  }

  async #downgrade(): Promise<Lease> {
    if (this.mode !== 'write') throw cannotDowngrade(this.name, this.mode)
    this.assertHeld()
    const downgrading = this.#desk.downgrade(this)
    this.#downgrading = downgrading
      .catch(() => {})
      .finally(() => {
        this.#downgrading = null
      })
    try {
      const reader = await downgrading
      if (reader === null) this.#lose('the backend has given it to somebody else, or forgotten it')
      if (this.#lostError !== null || reader === null) throw this.#lostError
      this.#end('released')
      this.#released ??= Promise.resolve({ released: true, wasHeld: true })
      return reader
    } catch (error) {
      // It may have been applied without an answer, and then others read: nobody may write by this lease any more.
      if (this.#isOpen && !isLockstepError(error, 'LOCKSTEP_LOCK_UNSUPPORTED'))
        this.#lose(`its downgrade failed: ${messageOf(error)}`)
      throw error
    }
  }

  run<Result>(work: () => Result): Result {
    this.assertHeld()
    return this.#desk.runAsOwner(this, work)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** The keeper's wake-up. */
  due(plannedMs: number): void {
    this.#moment = null
    this.#lagMs = Math.max(0, this.#nowMs - plannedMs)
    if (this.#heldTooLong()) this.#lose(heldTooLong)
    // After a stall nothing is sent before the clock was asked: what has ended is not extended.
    if (this.#validity.remainingMs() <= 0) this.#lose('its time had passed while the process stood still')
    if (!this.#isOpen) return
    this.#armExpiry()
    // An extension would not find the writer any more, while the reader is on its way.
    if (this.#downgrading !== null) this.#planAt(this.#nowMs + this.#retryMs, 0)
    else void this.#renew()
  }

  async #renew(): Promise<void> {
    this.#tries += 1
    try {
      await this.extend()
      this.#desk.observe({ ...this.#about, kind: 'renewed', marginMs: this.remaining(), tries: this.#tries })
      this.#tries = 0
    } catch {
      // Whatever it is, it is held until its time has passed: a setting may be mended by then.
      if (!this.#isOpen) return
      this.#state = 'at-risk'
      this.#planAt(this.#nowMs + this.#retryMs, 0)
    }
  }

  async #release(): Promise<Released> {
    if (this.#downgrading !== null) await this.#downgrading
    if (this.#state === 'released') return { released: true, wasHeld: true }
    if (!this.#isOpen) return { released: false, wasHeld: false }
    const wasValid = this.#validity.remainingMs() > 0
    this.#end('released')
    const heldMs = this.#nowMs - this.#heldSinceMs
    try {
      const wasHeld = await this.#desk.giveBack(this)
      this.#desk.observe({ ...this.#about, kind: 'released', heldMs })
      return { released: wasHeld, wasHeld: wasHeld && wasValid }
    } catch (error) {
      this.#desk.observe({ ...this.#about, kind: 'release-unconfirmed', heldMs, error })
      return { released: false, wasHeld: 'unknown' }
    }
  }

  get #about(): { name: string; mode: LockMode['kind'] } {
    return { name: this.name, mode: this.mode }
  }

  get #isOpen(): boolean {
    return this.#state === 'held' || this.#state === 'at-risk'
  }

  get #nowMs(): number {
    return this.#desk.clock.monotonicMs()
  }

  get #marginMs(): number {
    return Math.min(Math.max(marginMinMs, this.#lagMs), this.ttlMs / 4)
  }

  get #retryMs(): number {
    return Math.max(renewalRetryMinMs, this.ttlMs / 12)
  }

  #heldTooLong(): boolean {
    return this.#nowMs - this.#heldSinceMs >= this.wish.options.maxHoldMs
  }

  #prove(): void {
    this.#validity.prove(this.hold.validUntilMs)
    this.#state = 'held'
    // An answer that has proven nothing new must not be asked for again at once.
    this.#plan(this.#retryMs)
  }

  /**
   * Renewal when a third of the TTL is used up, so that two more tries fit before the end. Those that are due at about the same time go
   * together. The signal has a timer of its own only where no renewal looks at the clock in time.
   */
  #plan(soonestMs = 0): void {
    this.#cancelExpiry()
    const { renews, maxHoldMs } = this.wish.options
    if (!renews) {
      this.#armExpiry()
      return
    }
    const { ttlMs } = this
    const leftMs = this.#validity.remainingMs()
    const delayMs = Math.max(soonestMs, Math.min(ttlMs / 3, leftMs - (ttlMs * 2) / 3))
    const overMs = this.#heldSinceMs + maxHoldMs
    if (overMs <= this.#nowMs + delayMs) this.#planAt(overMs, 0)
    // Drift keeps it a little below the third; only what is much sooner goes alone.
    else this.#planAt(this.#nowMs + delayMs, delayMs < ttlMs / 4 ? 0 : ttlMs / 60)
    if (delayMs > leftMs - this.#marginMs) this.#armExpiry()
  }

  #planAt(atMs: number, earlyMs: number): void {
    this.#forgetRenewal()
    this.#moment = this.#desk.keeper.plan(this, atMs, Math.floor(earlyMs))
  }

  #forgetRenewal(): void {
    if (this.#moment !== null) this.#desk.keeper.forget(this, this.#moment)
    this.#moment = null
  }

  /** The signal before the end: armed while nothing else will look at the clock in time. */
  #armExpiry(): void {
    this.#expiry?.cancel()
    const endsMs = this.#validity.remainingMs() - this.#marginMs
    const overMs = this.#heldSinceMs + this.wish.options.maxHoldMs - this.#nowMs
    const why = overMs < endsMs ? heldTooLong : 'it was not renewed in time'
    this.#expiry = this.#desk.timers.after(Math.max(0, Math.min(endsMs, overMs)), () => this.#lose(why))
  }

  #cancelExpiry(): void {
    this.#expiry?.cancel()
    this.#expiry = null
  }

  #sessionChanged(state: 'held' | 'at-risk' | 'lost', why: string): void {
    if (!this.#isOpen) return
    if (state === 'lost') this.#lose(why)
    else if (state === 'held') this.#prove()
    else {
      this.#state = 'at-risk'
      this.#armExpiry()
    }
  }

  #lose(why: string): void {
    if (!this.#isOpen) return
    this.#end('lost')
    this.#lostError = lostError(this.name, why)
    this.#desk.observe({ ...this.#about, kind: 'lost', heldMs: this.#nowMs - this.#heldSinceMs, why })
    this.#lost?.resolve(this.#lostError)
    this.#abort?.abort(this.#lostError)
    this.#desk.lost(this)
  }

  #end(state: 'lost' | 'released'): void {
    this.#state = state
    this.#cancelExpiry()
    this.#forgetRenewal()
  }
}

const heldTooLong = 'it was held for as long as `maxHold` allows'

function cannotDowngrade(name: string, mode: string): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', {
    message: `Only a write lease can be downgraded, and the one on ${name} is a ${mode} lease.`,
    next: 'Acquire the name for reading instead.',
  })
}
