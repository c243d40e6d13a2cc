import type { Clock, Environment, Sha256, Timers } from 'lockstep/ports'
import type { RandomStream } from './random-streams.ts'
import type { Scheduled, Scheduler } from './scheduler.ts'

/**
 * A process in the simulation. It can crash at any of its awaits, be paused for longer than a lease, and have a wall clock that is
 * wrong. What it sent before it died is still on its way.
 */
export interface NodeFaults {
  /** Chance, at each delivery to this node, that it dies instead. */
  readonly crash: number
  readonly pause: number
  readonly pauseMaxMs: number
}

export interface NodeParts {
  readonly name: string
  readonly scheduler: Scheduler
  readonly random: RandomStream
  /** The random numbers of the code that runs here. */
  readonly ownRandom: RandomStream
  readonly faults: () => NodeFaults
  /** Wall clock error in milliseconds. */
  readonly skewMs: number
  readonly sha256: Sha256
  readonly onCrash: (node: SimulatedNode) => void
}

const epoch = 1_700_000_000_000

export class SimulatedNode {
  readonly name: string
  readonly environment: Environment
  readonly #parts: NodeParts
  alive = true
  #pausedUntil = 0

  constructor(parts: NodeParts) {
    this.#parts = parts
    this.name = parts.name
    const { scheduler, skewMs, ownRandom, sha256 } = parts
    const clock: Clock = {
      now: () => Math.floor(epoch + scheduler.now() + skewMs),
      monotonicMs: () => scheduler.now(),
    }
    const timers: Timers = { after: (delayMs, fire) => this.#deliverAfter(delayMs, 'timer', fire) }
    this.environment = { clock, timers, random: ownRandom, sha256 }
  }

  /** Something arrives here after `delayMs`: a timer, an answer, a request. A dead node gets nothing; a paused one gets it late. */
  deliver(delayMs: number, label: string, run: () => void): void {
    this.#deliverAfter(delayMs, label, run)
  }

  #deliverAfter(delayMs: number, label: string, run: () => void): Scheduled {
    let current: Scheduled
    let cancelled = false
    const arrive = (): void => {
      if (!this.alive || cancelled) return
      if (this.#mayFail()) return
      const lateMs = this.#pausedUntil - this.#parts.scheduler.now()
      if (lateMs > 0) current = this.#parts.scheduler.after(lateMs, `${this.name} ${label} (late)`, arrive)
      else run()
    }
    current = this.#parts.scheduler.after(delayMs, `${this.name} ${label}`, arrive)
    return {
      cancel: () => {
        cancelled = true
        current.cancel()
      },
    }
  }

  #mayFail(): boolean {
    const { random, faults, scheduler } = this.#parts
    const { crash, pause, pauseMaxMs } = faults()
    if (random.chance('crash', crash)) {
      this.crash()
      return true
    }
    if (random.chance('pause', pause))
      this.#pausedUntil = scheduler.now() + random.integer('pause-length', 1, pauseMaxMs)
    return false
  }

  crash(): void {
    if (!this.alive) return
    this.alive = false
    this.#parts.onCrash(this)
  }
}

/** Wall clock of a service that has no node, such as the store. */
export function serviceClock(scheduler: Scheduler): Pick<Clock, 'now'> {
  return { now: () => Math.floor(epoch + scheduler.now()) }
}
