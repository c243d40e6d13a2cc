import { mutant } from '#mutant'
import type { Clock } from '../ports/index.ts'

/**
 * Until when nobody else is granted the name. The monotonic clock decides, because nobody sets it; but it stands still while the machine
 * sleeps, so a wall clock that has run further ends the lease as well. A wall clock that is set forward ends one too early, which is safe.
 */
export class Validity {
  readonly #clock: Clock
  #untilMs = 0
  #untilWallMs = 0

  constructor(clock: Clock, untilMs: number) {
    this.#clock = clock
    this.prove(untilMs)
  }

  /** As the backend's hold says: earlier than before when it was asked for less. */
  prove(untilMs: number): void {
    if (untilMs === this.#untilMs) return
    this.#untilMs = untilMs
    this.#untilWallMs = this.#clock.now() + (untilMs - this.#clock.monotonicMs())
  }

  remainingMs(): number {
    const left = this.#untilMs - this.#clock.monotonicMs()
    const wallLeft = this.#untilWallMs - this.#clock.now()
    if (mutant('M13-lease-by-wall-clock')) return Math.max(0, wallLeft)
    return Math.max(0, Math.min(left, wallLeft))
  }
}
