import type { LockEnvironment } from '../../ports/index.ts'
import type { Notices } from './notices.ts'

/** The pauses of one wait. A release ends them early; without messages they are what a poll would be. */
export class Sleep {
  readonly #notices: Notices
  readonly #channel: string
  readonly #environment: LockEnvironment
  readonly #signal: AbortSignal
  #isListening = false
  #isWoken = false
  #wake: () => void = () => {}

  constructor(notices: Notices, channel: string, environment: LockEnvironment, signal: AbortSignal) {
    this.#notices = notices
    this.#channel = channel
    this.#environment = environment
    this.#signal = signal
  }

  /**
   * Sleeps up to `ms`. While somebody holds it, it first listens, and does not sleep at all before it was asked again: the release may have
   * come in between.
   */
  async forUpTo(ms: number, isHeld: boolean): Promise<void> {
    if (isHeld && !this.#isListening) {
      this.#isListening = true
      if (!(await this.#notices.listen(this.#channel, this.#woken))) return
    }
    if (!this.#isWoken) await this.#pause(ms)
    this.#isWoken = false
  }

  end(): void {
    if (this.#isListening) this.#notices.leave(this.#channel, this.#woken)
  }

  readonly #woken = (): void => {
    this.#isWoken = true
    this.#wake()
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#environment.timers.after(ms, end)
      this.#signal.addEventListener('abort', end, { once: true })
      this.#wake = end
      if (this.#signal.aborted) end()
    })
    this.#wake = () => {}
  }
}
