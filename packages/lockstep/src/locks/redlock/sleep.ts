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
  /** Null before it listens; then whether it could hear of every release since. */
  #listening: Promise<boolean> | null = null
  #isAskedAgain = false
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
    this.#listening = notices.listen(channel, this.#woken)
    await this.#turn(roundMs)
  }

  /**
   * Sleeps up to `ms`, or until a release and its turn. While a node stands for somebody, it first listens, and does not sleep at all before it was
   * asked again, unless it could hear all the time: the release may have come in between.
   */
  async forUpTo(ms: number, { isContended, roundMs }: { isContended: boolean; roundMs: number }): Promise<void> {
    const { notices, channel, patience } = this.#parts
    if (isContended && !this.#isAskedAgain) {
      this.#isAskedAgain = true
      this.#listening ??= notices.listen(channel, this.#woken)
      if (!(await patience.during(this.#listening))) return
    }
    if (await this.#pause(ms)) await this.#turn(roundMs)
  }

  end(): void {
    const { notices, channel } = this.#parts
    if (this.#listening !== null) notices.leave(channel, this.#woken)
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
