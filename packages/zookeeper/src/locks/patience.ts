import type { LockAsk, LockEnvironment } from 'lockstep/ports'

/** One try may take this long, however short the wait is: nobody could be asked otherwise. */
const oneTryMsMax = 5_000

/** How long one ask may go on, and what ends it before. */
export class Patience {
  readonly isOneTry: boolean
  readonly signal: AbortSignal
  readonly #environment: Pick<LockEnvironment, 'clock' | 'timers'>
  readonly #untilMs: number

  constructor(
    { waitMs }: Pick<LockAsk, 'waitMs'>,
    signal: AbortSignal,
    environment: Pick<LockEnvironment, 'clock' | 'timers'>,
  ) {
    this.isOneTry = waitMs <= 0
    this.signal = signal
    this.#environment = environment
    this.#untilMs = environment.clock.monotonicMs() + waitMs
  }

  /** A little time instead of one try. */
  shortly(waitMs: number): Patience {
    return new Patience({ waitMs }, this.signal, this.#environment)
  }

  /** For what comes after the wait: its signal is not asked any more. */
  forever(): Patience {
    return new Patience({ waitMs: Number.POSITIVE_INFINITY }, new AbortController().signal, this.#environment)
  }

  get isOver(): boolean {
    return this.#leftMs <= 0
  }

  /** The deadline of a request; waiting for a connection counts. */
  requestMs(sessionTimeoutMs: number): number {
    const oneTryMs = Math.min(sessionTimeoutMs / 3, oneTryMsMax)
    return Math.max(1, Math.round(Math.max(oneTryMs, Math.min(this.#leftMs, sessionTimeoutMs))))
  }

  /** Rejects with the reason of the signal as soon as it is aborted; what `work` comes to is then its own affair. */
  async unlessAborted<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this
    const { promise, reject } = Promise.withResolvers<never>()
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      return await Promise.race([work, promise])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** What was waited for, or `time` when the whole wait is over. */
  async unlessTimeIsUp<Result>(work: Promise<Result>): Promise<Result | 'time'> {
    if (this.#untilMs === Number.POSITIVE_INFINITY) return this.unlessAborted(work)
    const { promise, resolve } = Promise.withResolvers<'time'>()
    const timer = this.#environment.timers.after(Math.max(0, this.#leftMs), () => resolve('time'))
    try {
      return await this.unlessAborted(Promise.race([work, promise]))
    } finally {
      timer.cancel()
    }
  }

  get #leftMs(): number {
    return this.#untilMs - this.#environment.clock.monotonicMs()
  }
}
