import type { Clock, Environment, Sha256, Timers } from 'lockstep/ports'
import type { RandomStream } from './random-streams.ts'
import type { Scheduled, Scheduler } from './scheduler.ts'

/**
 * A process in the simulation. It can crash at any of its awaits, be paused for longer than a lease, and have a wall clock that is
 * wrong, runs too fast or too slow, and is set anew. What it sent before it died is still on its way.
 */
export interface NodeFaults {
  /** Chance, at each delivery to this node, that it dies instead. */
  readonly crash: number
  readonly pause: number
  readonly pauseMaxMs: number
  /** Chance, at each delivery to this node, that its wall clock is set by up to an hour, forward or back. */
  readonly jump: number
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
  /** How much faster the wall clock runs, in millionths; negative: slower. */
  readonly driftPpm: number
  /** A stream of its own, so that jumps do not shift the draws of crashes. */
  readonly clockRandom: RandomStream
  readonly sha256: Sha256
  readonly onCrash: (node: SimulatedNode) => void
}

const epoch = 1_700_000_000_000
const jumpMaxMs = 3_600_000

export class SimulatedNode {
  readonly name: string
  readonly environment: Environment
  readonly #parts: NodeParts
  alive = true
  /** Timers that have neither fired nor been cancelled. */
  timersOut = 0
  #pausedUntil = 0
  #jumpedMs = 0

  constructor(parts: NodeParts) {
    this.#parts = parts
    this.name = parts.name
    const { scheduler, skewMs, driftPpm, ownRandom, sha256 } = parts
    const clock: Clock = {
      now: () => Math.floor(epoch + scheduler.now() * (1 + driftPpm / 1_000_000) + skewMs + this.#jumpedMs),
      monotonicMs: () => scheduler.now(),
    }
    const timers: Timers = { after: (delayMs, fire) => this.#startTimer(delayMs, fire) }
    this.environment = { clock, timers, random: ownRandom, sha256 }
  }

  /** Something arrives here after `delayMs`: a timer, an answer, a request. A dead node gets nothing; a paused one gets it late. */
  deliver(delayMs: number, label: string, run: () => void): void {
    this.#deliverAfter(delayMs, label, run)
  }

  #startTimer(delayMs: number, fire: () => void): Scheduled {
    let isOut = true
    const close = (): void => {
      if (isOut) this.timersOut -= 1
      isOut = false
    }
    this.timersOut += 1
    const scheduled = this.#deliverAfter(delayMs, 'timer', () => {
      close()
      fire()
    })
    return {
      cancel: () => {
        close()
        scheduled.cancel()
      },
    }
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
    const { random, clockRandom, faults, scheduler } = this.#parts
    const { crash, pause, pauseMaxMs, jump } = faults()
    if (clockRandom.chance('jump', jump)) this.#jumpedMs = clockRandom.integer('jump', -jumpMaxMs, jumpMaxMs)
    if (random.chance('crash', crash)) {
      this.crash()
      return true
    }
    if (random.chance('pause', pause))
      this.#pausedUntil = scheduler.now() + random.integer('pause-length', 1, pauseMaxMs)
    return false
  }

  /** The process ends by itself, in order. */
  exit(): void {
    this.alive = false
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
