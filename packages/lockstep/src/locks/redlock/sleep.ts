import type { LockEnvironment } from '../../ports/index.ts'
import type { Patience } from '../backend/index.ts'
import type { Notices } from './notices.ts'

export interface SleepParts {
  readonly notices: Notices
  readonly channel: string
  readonly patience: Patience
  readonly random: LockEnvironment['random']
}

/** One place in the line is as long as locking a majority so many times. */
const roundsOfPlace = 3

/** The pauses of one wait. A release ends them early; without messages they are what a poll would be. */
export class Sleep {
  readonly #parts: SleepParts
  #isListening = false
  #isWoken = false
  #wake: () => void = () => {}
  /** Releases that it has heard of. */
  #heard = 0

  constructor(parts: SleepParts) {
    this.#parts = parts
  }

  /** Before the first try: whoever waits elsewhere for a name that this process has just had comes first. */
  async begin(roundMs: number): Promise<void> {
    const { notices, channel } = this.#parts
    if (notices.turns(channel) === null) return
    this.#isListening = true
    void notices.listen(channel, this.#woken)
    await this.#turn(roundMs)
  }

  /**
   * Sleeps up to `ms`, or until a release and its turn. While somebody holds it, it first listens, and does not sleep at all before it was
   * asked again: the release may have come in between.
   */
  async forUpTo(ms: number, { isHeld, roundMs }: { isHeld: boolean; roundMs: number }): Promise<void> {
    const { notices, channel, patience } = this.#parts
    if (isHeld && !this.#isListening) {
      this.#isListening = true
      if (!(await patience.during(notices.listen(channel, this.#woken)))) return
    }
    if (await this.#pause(ms)) await this.#turn(roundMs)
  }

  end(): void {
    const { notices, channel } = this.#parts
    if (this.#isListening) notices.leave(channel, this.#woken)
  }

  readonly #woken = (): void => {
    this.#isWoken = true
    this.#wake()
  }

  /** Another release in between begins it anew: by then one has waited for longer. */
  async #turn(roundMs: number): Promise<void> {
    const { notices, channel, random } = this.#parts
    const placeMs = Math.max(1, roundMs) * roundsOfPlace
    for (;;) {
      const delayMs = notices.turns(channel)?.delayMs(this.#heard, placeMs, random.fraction('redlock turn')) ?? 0
      if (delayMs <= 0 || !(await this.#pause(delayMs))) return
    }
  }

  /** True when a release has ended it. */
  async #pause(ms: number): Promise<boolean> {
    const listen = (wake: () => void): (() => void) => {
      this.#wake = wake
      return () => {
        this.#wake = () => {}
      }
    }
    if (!this.#isWoken) await this.#parts.patience.untilWoken(listen, ms)
    const wasWoken = this.#isWoken
    this.#isWoken = false
    if (wasWoken) this.#heard += 1
    return wasWoken
  }
}
