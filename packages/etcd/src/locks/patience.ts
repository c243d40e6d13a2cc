import type { LockAsk, LockEnvironment } from 'lockstep/ports'
import { closedError } from './to-lockstep-error.ts'

/** How long an ask waits: until its time is over, its signal is aborted, or the locks are closed. */
export class Patience {
  readonly #ask: LockAsk
  readonly #environment: Pick<LockEnvironment, 'clock' | 'timers'>
  readonly #untilMs: number
  readonly #closing: AbortSignal

  constructor(ask: LockAsk, closing: AbortSignal, environment: Pick<LockEnvironment, 'clock' | 'timers'>) {
    this.#ask = ask
    this.#environment = environment
    this.#closing = closing
    this.#untilMs = environment.clock.monotonicMs() + ask.waitMs
  }

  get remainingMs(): number {
    return Math.max(0, this.#untilMs - this.#environment.clock.monotonicMs())
  }

  /** Throws the reason of the signal, or that the locks are closed. */
  check(): void {
    this.#ask.signal.throwIfAborted()
    if (this.#closing.aborted) throw closedError()
  }

  /** As the request ends; an abort does not wait for that, and leaves what becomes of the request to the caller. */
  async during<Value>(request: Promise<Value>): Promise<Value> {
    // Given up before it is waited for, its failure would be heard by nobody.
    request.catch(() => undefined)
    this.check()
    const given = Promise.withResolvers<never>()
    const stop = this.#onGivenUp(given.reject)
    try {
      return await Promise.race([request, given.promise])
    } finally {
      stop()
    }
  }

  /** `woken` when `subscribe` calls, `over` when the time is up; rejects on abort. Unsubscribes in any case. */
  async untilWoken(subscribe: (wake: () => void) => () => void, atMostMs = Infinity): Promise<'woken' | 'over'> {
    this.check()
    const { promise, resolve, reject } = Promise.withResolvers<'woken' | 'over'>()
    const limitMs = Math.min(this.remainingMs, atMostMs)
    const timer = limitMs === Infinity ? null : this.#environment.timers.after(limitMs, () => resolve('over'))
    const stop = this.#onGivenUp(reject)
    const unsubscribe = subscribe(() => resolve('woken'))
    try {
      return await promise
    } finally {
      unsubscribe()
      stop()
      timer?.cancel()
    }
  }

  #onGivenUp(give: (reason: unknown) => void): () => void {
    const aborted = (): void => give(this.#ask.signal.reason)
    const closed = (): void => give(closedError())
    this.#ask.signal.addEventListener('abort', aborted, { once: true })
    this.#closing.addEventListener('abort', closed, { once: true })
    return () => {
      this.#ask.signal.removeEventListener('abort', aborted)
      this.#closing.removeEventListener('abort', closed)
    }
  }
}
