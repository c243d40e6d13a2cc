import type { LockEnvironment } from '../../ports/index.ts'

export interface PatienceOptions {
  /** Bound of the whole wait; Infinity is none. */
  readonly waitMs: number
  /** What ends it before, each with its reason: the caller's signal, and one that is aborted with `locksClosed(…)`. */
  readonly ends: readonly AbortSignal[]
  readonly environment: Pick<LockEnvironment, 'clock' | 'timers'>
}

/** How long one ask waits. Nothing of it is left when a wait has ended: no timer, no listener, no promise that rejects unheard. */
export class Patience {
  readonly #ends: readonly AbortSignal[]
  readonly #environment: PatienceOptions['environment']
  readonly #untilMs: number

  constructor({ waitMs, ends, environment }: PatienceOptions) {
    this.#ends = ends
    this.#environment = environment
    this.#untilMs = environment.clock.monotonicMs() + waitMs
  }

  get remainingMs(): number {
    return Math.max(0, this.#untilMs - this.#environment.clock.monotonicMs())
  }

  /** Throws the reason of the signal that has ended it. */
  check(): void {
    for (const end of this.#ends) end.throwIfAborted()
  }

  /** What `request` comes to. Rejects at once when a signal ends it; what becomes of the request is then the caller's affair. */
  async during<Value>(request: Promise<Value>): Promise<Value> {
    // Left alone, its failure would be heard by nobody.
    request.catch(() => undefined)
    this.check()
    const { promise, reject } = Promise.withResolvers<never>()
    const stop = this.#onEnd(reject)
    try {
      return await Promise.race([request, promise])
    } finally {
      stop()
    }
  }

  /** As `during`, and `over` when the time is up. */
  async whileItLasts<Value>(request: Promise<Value>): Promise<Value | 'over'> {
    const { promise, resolve } = Promise.withResolvers<'over'>()
    const timer = this.#after(this.remainingMs, () => resolve('over'))
    try {
      return await this.during(Promise.race([request, promise]))
    } finally {
      timer?.cancel()
    }
  }

  /** `woken` when what was subscribed to calls, `over` when the time is up or `atMostMs` are; rejects when a signal ends it. */
  async untilWoken(subscribe: (wake: () => void) => () => void, atMostMs = Infinity): Promise<'woken' | 'over'> {
    this.check()
    const { promise, resolve, reject } = Promise.withResolvers<'woken' | 'over'>()
    const timer = this.#after(Math.min(this.remainingMs, atMostMs), () => resolve('over'))
    const stop = this.#onEnd(reject)
    const unsubscribe = subscribe(() => resolve('woken'))
    try {
      return await promise
    } finally {
      unsubscribe()
      stop()
      timer?.cancel()
    }
  }

  #after(ms: number, then: () => void) {
    return ms === Infinity ? null : this.#environment.timers.after(ms, then)
  }

  #onEnd(give: (reason: unknown) => void): () => void {
    const stops = this.#ends.map((end) => {
      const ended = (): void => give(end.reason)
      end.addEventListener('abort', ended, { once: true })
      return () => end.removeEventListener('abort', ended)
    })
    return () => {
      for (const stop of stops) stop()
    }
  }
}
