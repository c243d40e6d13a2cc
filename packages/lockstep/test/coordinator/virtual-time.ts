import { createHash } from 'node:crypto'
import type { Environment, Timer } from '../../src/ports/index.ts'

interface Pending {
  readonly at: number
  readonly order: number
  readonly fire: () => void
}

/** A clock that a test moves by hand. Between two timers everything that was promised settles. */
export class VirtualTime {
  nowMs = 0
  readonly #timers = new Set<Pending>()
  #order = 0
  #instances = 0

  /** One process: `kill` ends its timers, so that nothing of it happens any more. `skewMs` is how far its wall clock is ahead. */
  process(skewMs = 0): { readonly environment: Environment; kill(): void; timers(): number } {
    const own = new Set<Pending>()
    let alive = true
    let draws = 0
    const after = (delayMs: number, fire: () => void): Timer => {
      const pending = {
        at: this.nowMs + Math.max(0, delayMs),
        order: ++this.#order,
        fire: () => {
          own.delete(pending)
          fire()
        },
      }
      if (alive) this.#timers.add(pending)
      own.add(pending)
      const cancel = () => {
        this.#timers.delete(pending)
        own.delete(pending)
      }
      return { cancel }
    }
    this.#instances += 1
    const number = this.#instances
    return {
      environment: {
        clock: { now: () => startedAt + this.nowMs + skewMs, monotonicMs: () => this.nowMs },
        timers: { after },
        random: {
          fraction() {
            draws += 1
            return (draws * 0.618_033_988_749) % 1
          },
          hex: (bytes) => String(number).padStart(bytes * 2, '0'),
        },
        sha256: (text) => createHash('sha256').update(text).digest('hex'),
      },
      kill: () => {
        alive = false
        for (const pending of own) this.#timers.delete(pending)
      },
      timers: () => own.size,
    }
  }

  get timers(): number {
    return this.#timers.size
  }

  storeClock(): { now(): number } {
    return { now: () => startedAt + this.nowMs }
  }

  /** Everything that needs no timer happens. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  async advance(ms: number): Promise<void> {
    const end = this.nowMs + ms
    await this.settle()
    for (let next = this.#next(); next !== undefined && next.at <= end; next = this.#next()) {
      this.nowMs = Math.max(this.nowMs, next.at)
      this.#timers.delete(next)
      next.fire()
      await this.settle()
    }
    this.nowMs = end
  }

  /** Goes on until it holds, and fails when it does not within `withinMs` of virtual time. */
  async until(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
    const end = this.nowMs + withinMs
    await this.settle()
    while (!(await holds())) {
      const next = this.#next()
      if (next === undefined || next.at > end)
        throw new Error(`it did not come to hold within ${withinMs} ms of virtual time`)
      await this.advance(Math.max(0, next.at - this.nowMs))
    }
  }

  #next(): Pending | undefined {
    let first: Pending | undefined
    for (const pending of this.#timers) {
      if (first === undefined || pending.at < first.at || (pending.at === first.at && pending.order < first.order))
        first = pending
    }
    return first
  }
}

const startedAt = 1_700_000_000_000
