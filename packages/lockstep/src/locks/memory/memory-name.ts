import type { Clock, LockAsk, LockHold, LockMode, Timer, Timers } from '../../ports/index.ts'

export interface MemoryTime {
  readonly clock: Clock
  readonly timers: Timers
}

export interface Holder {
  readonly ask: LockAsk
  readonly token: bigint
  readonly since: number
  ttlMs: number
  validUntilMs: number
  expiry: Timer | null
}

interface Waiter {
  readonly ask: LockAsk
  readonly grant: (hold: LockHold) => void
}

/** One name: who holds it, and who waits for it, in the order of asking. */
export class MemoryName {
  readonly holders = new Set<Holder>()
  readonly #waiters: Waiter[] = []
  readonly #time: MemoryTime
  readonly #nextToken: () => bigint
  readonly #onIdle: () => void

  constructor(parts: { time: MemoryTime; nextToken: () => bigint; onIdle: () => void }) {
    this.#time = parts.time
    this.#nextToken = parts.nextToken
    this.#onIdle = parts.onIdle
  }

  get waiting(): number {
    return this.#waiters.length
  }

  async contend(ask: LockAsk): Promise<LockHold | null> {
    if (this.#waiters.length === 0 && this.#admits(ask.mode)) return this.#grant(ask)
    return ask.waitMs <= 0 ? null : this.#wait(ask)
  }

  /** False when it was not held any more. */
  drop(holder: Holder): boolean {
    holder.expiry?.cancel()
    if (!this.holders.delete(holder)) return false
    this.#handOver()
    return true
  }

  #grant(ask: LockAsk): LockHold {
    const { clock } = this.#time
    const validUntilMs = clock.monotonicMs() + ask.ttlMs
    const holder: Holder = {
      ask,
      token: this.#nextToken(),
      since: clock.now(),
      ttlMs: ask.ttlMs,
      validUntilMs,
      expiry: null,
    }
    this.holders.add(holder)
    this.#watch(holder)
    return this.#holdOf(holder)
  }

  #watch(holder: Holder): void {
    const { clock, timers } = this.#time
    holder.expiry?.cancel()
    holder.expiry = timers.after(Math.max(0, holder.validUntilMs - clock.monotonicMs()), () => this.drop(holder))
  }

  #handOver(): void {
    for (let next = this.#waiters[0]; next !== undefined && this.#admits(next.ask.mode); next = this.#waiters[0]) {
      this.#waiters.shift()
      next.grant(this.#grant(next.ask))
    }
    if (this.holders.size === 0 && this.#waiters.length === 0) this.#onIdle()
  }

  #holdOf(holder: Holder): LockHold {
    return {
      token: holder.token,
      get ttlMs() {
        return holder.ttlMs
      },
      get validUntilMs() {
        return holder.validUntilMs
      },
      extend: async (ttlMs) => {
        if (!this.holders.has(holder)) return false
        holder.ttlMs = ttlMs
        holder.validUntilMs = this.#time.clock.monotonicMs() + ttlMs
        this.#watch(holder)
        return true
      },
      release: async () => this.drop(holder),
      watch() {},
      ...(holder.ask.mode.kind === 'write' && { downgrade: async () => this.#downgrade(holder) }),
    }
  }

  #downgrade(holder: Holder): LockHold | null {
    if (!this.holders.delete(holder)) return null
    holder.expiry?.cancel()
    const reader: Holder = { ...holder, ask: { ...holder.ask, mode: { kind: 'read' } }, expiry: null }
    this.holders.add(reader)
    this.#watch(reader)
    this.#handOver()
    return this.#holdOf(reader)
  }

  #wait(ask: LockAsk): Promise<LockHold | null> {
    return new Promise((resolve, reject) => {
      const settle = (hold: LockHold | null): void => {
        timer?.cancel()
        ask.signal.removeEventListener('abort', abort)
        resolve(hold)
      }
      const waiter: Waiter = { ask, grant: settle }
      const abort = (): void => {
        if (!this.#leave(waiter)) return
        timer?.cancel()
        reject(ask.signal.reason)
      }
      const giveUp = (): void => {
        if (this.#leave(waiter)) settle(null)
      }
      const timer = ask.waitMs === Infinity ? null : this.#time.timers.after(ask.waitMs, giveUp)
      ask.signal.addEventListener('abort', abort, { once: true })
      this.#waiters.push(waiter)
    })
  }

  /** False when it has been granted meanwhile. */
  #leave(waiter: Waiter): boolean {
    const at = this.#waiters.indexOf(waiter)
    if (at >= 0) this.#waiters.splice(at, 1)
    // Who stood behind may be admitted now: a reader behind a writer that gave up.
    this.#handOver()
    return at >= 0
  }

  /** Readers share, permits count, and everything else is alone. */
  #admits(mode: LockMode): boolean {
    const held = [...this.holders].map((holder) => holder.ask.mode)
    if (mode.kind === 'read') return held.every((one) => one.kind === 'read')
    if (mode.kind === 'permit') return held.every((one) => one.kind === 'permit') && held.length < mode.of
    return held.length === 0
  }
}
