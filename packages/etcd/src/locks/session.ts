/**
 * The one lease of a process, on which all its keys hang.
 *
 *   held     proven: a keep-alive that was sent less than a TTL ago has been answered. Moves: a keep-alive without an answer → at-risk;
 *            an answer that the lease is gone, or the end of its time → lost.
 *   at-risk  as held, and nobody knows for how long. Moves: as held, and back to held with the next answer.
 *   lost     final: its keys are gone or will be, and what is answered later revives nothing. The next ask opens another session.
 *
 * Time counts from the sending of what was answered. A server that takes over as leader gives every lease its full time again, so an
 * answer of the old one never promises too much.
 */
import { validUntil } from 'lockstep/lock-backend'
import type { HoldState, LockEnvironment, Timer } from 'lockstep/ports'
import { isEtcdError } from '../errors.ts'
import type { Etcd } from '../etcd.ts'

export type SessionListener = (state: HoldState, why: string) => void

type SessionEnvironment = Pick<LockEnvironment, 'clock' | 'timers' | 'random'>

interface SessionParts {
  readonly etcd: Etcd
  readonly environment: SessionEnvironment
  readonly leaseId: bigint
  readonly ttlMs: number
  readonly sentMs: number
}

export class EtcdSession {
  readonly leaseId: bigint
  readonly ttlMs: number
  readonly #etcd: Etcd
  readonly #environment: SessionEnvironment
  readonly #listeners = new Set<SessionListener>()
  #validUntilMs: number
  #state: HoldState = 'held'
  #keepAlive: Timer | null = null
  #expiry: Timer | null = null
  #proving: Promise<boolean> | null = null
  #provenMs: number
  #revoked: Promise<void> = Promise.resolve()

  constructor({ etcd, environment, leaseId, ttlMs, sentMs }: SessionParts) {
    this.leaseId = leaseId
    this.ttlMs = ttlMs
    this.#etcd = etcd
    this.#environment = environment
    this.#provenMs = sentMs
    this.#validUntilMs = validUntil(sentMs, ttlMs)
    this.#armExpiry()
    this.#planKeepAlive(ttlMs / 3)
  }

  /** Final once it is lost. */
  get validUntilMs(): number {
    return this.#validUntilMs
  }

  /** By the clock: after a stall no timer has fired yet. */
  get isAlive(): boolean {
    if (this.#state !== 'lost' && this.#nowMs >= this.#validUntilMs) this.#lose('its time had passed')
    return this.#state !== 'lost'
  }

  get state(): HoldState {
    return this.#state
  }

  /** Told of every change; never again once it was answered with `stop`, or lost. */
  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * False when it is lost. Asks who is asked already, and nobody when an answer is so young that another would add little: each of a
   * thousand holds proves the same session. Rejects with an `EtcdError` when nobody answered.
   */
  async prove(): Promise<boolean> {
    if (!this.isAlive) return false
    if (this.#nowMs - this.#provenMs < this.ttlMs / 12) return true
    this.#proving ??= this.#sendKeepAlive().finally(() => {
      this.#proving = null
    })
    return this.#proving
  }

  /** Somebody was told by the server that the lease does not exist. */
  isGone(why: string): void {
    this.#lose(why)
  }

  /** Its keys vanish with it. What the server is not told, it finds out after the TTL. */
  async end(): Promise<void> {
    this.#lose('the locks were closed')
    await this.#revoked
  }

  get #nowMs(): number {
    return this.#environment.clock.monotonicMs()
  }

  async #sendKeepAlive(): Promise<boolean> {
    const sentMs = this.#nowMs
    const seconds = await this.#etcd.leaseKeepAlive(this.leaseId, { timeoutMs: Math.max(50, this.ttlMs / 6) })
    if (seconds <= 0) this.#lose('the server has ended its lease')
    // An answer behind the end of its time revives nothing.
    if (!this.isAlive) return false
    this.#provenMs = sentMs
    this.#validUntilMs = Math.max(this.#validUntilMs, validUntil(sentMs, seconds * 1_000))
    this.#armExpiry()
    this.#change('held', 'it is proven again')
    // Whoever was told may have ended it.
    return this.isAlive
  }

  #planKeepAlive(afterMs: number): void {
    this.#keepAlive = this.#environment.timers.after(afterMs, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    try {
      if (await this.prove()) this.#planKeepAlive(Math.max(0, this.#provenMs + this.ttlMs / 3 - this.#nowMs))
    } catch (error) {
      if (!this.isAlive) return
      this.#change('at-risk', `its keep-alive was not answered: ${String(error)}`)
      this.#planKeepAlive(this.ttlMs / 12)
    }
  }

  #armExpiry(): void {
    this.#expiry?.cancel()
    const delayMs = Math.max(0, this.#validUntilMs - this.#nowMs)
    this.#expiry = this.#environment.timers.after(delayMs, () => void this.isAlive)
  }

  #change(state: HoldState, why: string): void {
    if (this.#state === state || this.#state === 'lost') return
    this.#state = state
    for (const listener of [...this.#listeners]) listener(state, why)
    if (state === 'lost') this.#listeners.clear()
  }

  #lose(why: string): void {
    if (this.#state === 'lost') return
    this.#keepAlive?.cancel()
    this.#expiry?.cancel()
    this.#change('lost', `the session of this process is lost: ${why}`)
    // The server may still count; whoever waits behind us need not.
    this.#revoked = revoke(this.#etcd, this.leaseId, this.ttlMs)
  }
}

/** The client names the lease, so that one that was granted without our hearing of it can be kept alive, or revoked. */
export async function openSession(parts: {
  readonly etcd: Etcd
  readonly environment: SessionEnvironment
  readonly ttlMs: number
}): Promise<EtcdSession> {
  const { etcd, environment, ttlMs } = parts
  const id = BigInt.asUintN(62, BigInt(`0x${environment.random.hex(8, 'etcd lease')}`)) + 1n
  const sentMs = environment.clock.monotonicMs()
  try {
    const seconds = await grant(etcd, id, Math.ceil(ttlMs / 1_000))
    return new EtcdSession({ etcd, environment, leaseId: id, ttlMs: seconds * 1_000, sentMs })
  } catch (error) {
    if (isEtcdError(error, 'unknown')) void revoke(etcd, id, ttlMs)
    throw error
  }
}

async function grant(etcd: Etcd, id: bigint, ttlSeconds: number): Promise<number> {
  try {
    return (await etcd.leaseGrant({ ttlSeconds, id }, { repeatable: true })).ttlSeconds
  } catch (error) {
    // Nobody else draws the same of 2^62: an earlier try of ours was granted, and its answer was lost.
    if (!isEtcdError(error, 'refused') || !error.message.includes('lease already exists')) throw error
    const seconds = await etcd.leaseKeepAlive(id)
    if (seconds <= 0) throw error
    return seconds
  }
}

/**
 * Twice, since the first may leave on a socket that the other end has closed long ago. Where both fail, the lease ends by itself: nobody
 * keeps it alive.
 */
async function revoke(etcd: Etcd, id: bigint, ttlMs: number): Promise<void> {
  const revokeOnce = () => etcd.leaseRevoke(id, { timeoutMs: ttlMs / 4 })
  await revokeOnce()
    .catch(revokeOnce)
    .catch(() => undefined)
}
