import type { RedisSubscription, Timers } from '../../ports/index.ts'
import type { RedlockNode } from './redlock-node.ts'

const subscribeMaxMs = 100

/** The pauses of one wait. A release that any node tells of ends them early; without messages they are what a poll would be. */
export class Sleep {
  readonly #nodes: readonly RedlockNode[]
  readonly #channel: string
  readonly #timers: Timers
  readonly #signal: AbortSignal
  #subscriptions: RedisSubscription[] = []
  #isSubscribed = false
  #isOver = false
  #isWoken = false
  #wake: () => void = () => {}

  constructor(nodes: readonly RedlockNode[], channel: string, timers: Timers, signal: AbortSignal) {
    this.#nodes = nodes
    this.#channel = channel
    this.#timers = timers
    this.#signal = signal
  }

  /**
   * Sleeps up to `ms`. While somebody holds it, it first subscribes, and does not sleep at all before it was asked again: the release
   * may have come in between.
   */
  async forUpTo(ms: number, isHeld: boolean): Promise<void> {
    if (isHeld && !this.#isSubscribed) return this.#subscribe()
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.cancel()
        this.#signal.removeEventListener('abort', end)
        this.#isWoken = false
        resolve()
      }
      const timer = this.#timers.after(ms, end)
      this.#signal.addEventListener('abort', end, { once: true })
      this.#wake = end
      if (this.#isWoken || this.#signal.aborted) end()
    })
    this.#wake = () => {}
  }

  end(): void {
    this.#isOver = true
    for (const subscription of this.#subscriptions) subscription.close()
    this.#subscriptions = []
  }

  /** A majority is enough to hear of a release; a node that is away is not waited for. */
  #subscribe(): Promise<void> {
    this.#isSubscribed = true
    const woken = (): void => {
      this.#isWoken = true
      this.#wake()
    }
    return new Promise((resolve) => {
      const timer = this.#timers.after(subscribeMaxMs, resolve)
      let open = Math.floor(this.#nodes.length / 2) + 1
      for (const node of this.#nodes)
        node
          .subscribe(this.#channel, woken)
          .then((subscription) => {
            if (this.#isOver) subscription.close()
            else this.#subscriptions.push(subscription)
            open -= 1
            if (open !== 0) return
            timer.cancel()
            resolve()
          })
          .catch(() => {})
    })
  }
}
