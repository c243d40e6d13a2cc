import type { Timer, Timers } from 'lockstep/ports'
import { isZooKeeperError } from '../errors.ts'

export interface RemovalParts {
  /** One try: true when it was there and is gone by it, false when it was gone before. */
  readonly once: () => Promise<boolean>
  readonly timers: Timers
  /** The session is over: what is ephemeral has gone with it, or goes without us. */
  readonly isOver: () => boolean
  readonly onEnd: () => void
}

const firstPauseMs = 50
const pauseMsMax = 1_000

/**
 * Takes a node away for certain: it is tried again until it is gone or its session is. A lock whose deletion was given up would stay
 * held for as long as the session lives.
 */
export class Removal {
  readonly #parts: RemovalParts
  #try = attempt()
  #pause: { readonly timer: Timer; readonly end: () => void } | null = null
  #isStopped = false
  #mayHaveHappened = false

  constructor(parts: RemovalParts) {
    this.#parts = parts
  }

  start(): void {
    void this.#run()
  }

  /** How the try that runs now, or the next one, comes out; rejects when nobody answered, and it then goes on. */
  tried(): Promise<boolean> {
    return this.#try.promise
  }

  /** Nothing is tried any more: the session is being closed, which takes everything with it. */
  stop(): void {
    this.#isStopped = true
    this.#pause?.end()
  }

  /** The session may have ended, or have come back: no need to wait on. */
  wake(): void {
    this.#pause?.end()
  }

  async #run(): Promise<void> {
    for (let pauseMs = firstPauseMs; !this.#isStopped && !this.#parts.isOver(); ) {
      try {
        const wasThere = await this.#parts.once()
        // Gone at a repeat: most likely by the try whose answer was lost.
        return this.#end(wasThere || this.#mayHaveHappened)
      } catch (error) {
        this.#mayHaveHappened ||= !isZooKeeperError(error) || error.outcome === 'unknown'
        if (this.#parts.isOver()) break
        this.#try.reject(error)
        this.#try = attempt()
      }
      await this.#pauseFor(pauseMs)
      pauseMs = Math.min(pauseMs * 2, pauseMsMax)
    }
    this.#end(false)
  }

  #end(wasThere: boolean): void {
    this.#parts.onEnd()
    this.#try.resolve(wasThere)
  }

  async #pauseFor(pauseMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#parts.timers.after(pauseMs, resolve)
    this.#pause = {
      timer,
      end() {
        timer.cancel()
        resolve()
      },
    }
    if (this.#isStopped) this.#pause.end()
    await promise
    this.#pause = null
  }
}

function attempt(): PromiseWithResolvers<boolean> {
  const made = Promise.withResolvers<boolean>()
  made.promise.catch(() => {})
  return made
}
