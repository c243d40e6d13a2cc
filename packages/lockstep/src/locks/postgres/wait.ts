import type { LockAsk, LockEnvironment } from '../../ports/index.ts'
import { closedError, mayPass } from './trouble.ts'

/** How long trouble that may pass is borne, and the bound of a pause between two tries meanwhile. */
const borneMs = 5_000
const troublePauseMs = 250

/** The wait of one ask: until its time is over, its signal is aborted, or the locks are closed. */
export class Wait {
  readonly #ask: LockAsk
  readonly #closing: AbortSignal
  readonly #environment: Pick<LockEnvironment, 'clock' | 'timers' | 'random'>
  readonly #backend: string
  readonly #untilMs: number
  #tries = 0
  #askedMs: number
  #troubledSinceMs: number | null = null

  constructor(parts: {
    ask: LockAsk
    closing: AbortSignal
    environment: Pick<LockEnvironment, 'clock' | 'timers' | 'random'>
    backend: string
  }) {
    this.#ask = parts.ask
    this.#closing = parts.closing
    this.#environment = parts.environment
    this.#backend = parts.backend
    this.#askedMs = parts.environment.clock.monotonicMs()
    this.#untilMs = this.#askedMs + parts.ask.waitMs
  }

  get remainingMs(): number {
    return Math.max(0, this.#untilMs - this.#environment.clock.monotonicMs())
  }

  /** As the request ends; who gives up does not wait for that, and takes back what it did. */
  async during<Value>(request: Promise<Value>): Promise<Value> {
    request.catch(() => undefined)
    this.#check()
    const { promise, reject } = Promise.withResolvers<never>()
    const stop = this.#onGivenUp(reject)
    try {
      return await Promise.race([request, promise])
    } finally {
      stop()
    }
  }

  /** Full jitter up to a bound that grows from 50 ms, so that many do not come together; `listen` ends it early. */
  async pause(boundMs: number, listen: (wake: () => void) => () => void): Promise<void> {
    this.#check()
    this.#tries += 1
    const spreadMs = Math.min(boundMs, 25 * 2 ** Math.min(this.#tries, 10))
    const delayMs = Math.min(this.remainingMs, 1 + spreadMs * this.#environment.random.fraction('lock poll'))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = this.#environment.timers.after(delayMs, resolve)
    const stops = [this.#onGivenUp(reject), listen(resolve), () => timer.cancel()]
    try {
      await promise
    } finally {
      for (const stop of stops) stop()
    }
  }

  /** A try begins. */
  asks(): void {
    this.#askedMs = this.#environment.clock.monotonicMs()
  }

  /** The server has answered: trouble that comes later is counted anew. */
  answered(): void {
    this.#troubledSinceMs = null
  }

  /**
   * Waits a little after trouble that may pass, so that the try can be repeated. Throws it when it may not, when one try was all that was
   * asked for, and when it has lasted for too long, counted from the sending of the first request that failed.
   */
  async bear(trouble: unknown): Promise<void> {
    this.#troubledSinceMs ??= this.#askedMs
    const lastsMs = this.#environment.clock.monotonicMs() - this.#troubledSinceMs
    if (!mayPass(trouble) || lastsMs >= Math.min(this.#ask.waitMs, borneMs)) throw trouble
    await this.pause(troublePauseMs, () => () => {})
    if (this.remainingMs <= 0) throw trouble
  }

  #check(): void {
    this.#ask.signal.throwIfAborted()
    if (this.#closing.aborted) throw closedError(this.#backend)
  }

  #onGivenUp(give: (reason: unknown) => void): () => void {
    const aborted = (): void => give(this.#ask.signal.reason)
    const closed = (): void => give(closedError(this.#backend))
    this.#ask.signal.addEventListener('abort', aborted, { once: true })
    this.#closing.addEventListener('abort', closed, { once: true })
    return () => {
      this.#ask.signal.removeEventListener('abort', aborted)
      this.#closing.removeEventListener('abort', closed)
    }
  }
}
