import type { Clock } from '../ports/index.ts'

/**
 * The store's clock, estimated: every heartbeat tells its time, and the monotonic clock carries it on. Deadlines and ages are
 * judged by it, so that instances whose wall clocks differ judge alike. Nothing that must be safe rests on it (law 5).
 */
export class StoreClock {
  readonly #clock: Clock
  #offsetMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offsetMs = clock.now() - clock.monotonicMs()
  }

  /** `sentMs` is the monotonic time at which the question left. */
  learn(storeNow: number, sentMs: number): void {
    const receivedMs = this.#clock.monotonicMs()
    this.#offsetMs = storeNow - (sentMs + receivedMs) / 2
  }

  now(): number {
    return Math.round(this.#clock.monotonicMs() + this.#offsetMs)
  }
}
