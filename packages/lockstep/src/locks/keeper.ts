import type { Timer, Timers } from '../ports/index.ts'

/** A lease that wants to be looked at. */
export interface Kept {
  due(plannedMs: number): void
}

/**
 * Wakes the leases of this process. Those that are due at about the same time are woken together, so that ten thousand renewals are a
 * few timers, and leave for the backend in the same turn.
 */
export class Keeper {
  readonly #timers: Timers
  readonly #nowMs: () => number
  readonly #buckets = new Map<number, { readonly kept: Set<Kept>; readonly timer: Timer }>()

  constructor(timers: Timers, nowMs: () => number) {
    this.#timers = timers
    this.#nowMs = nowMs
  }

  /** Wakes `kept` at `atMs` or up to `earlyMs` before. Answers the moment, by which it is forgotten again. */
  plan(kept: Kept, atMs: number, earlyMs: number): number {
    const moment = earlyMs < 1 ? atMs : Math.floor(atMs / earlyMs) * earlyMs
    const known = this.#buckets.get(moment)
    if (known !== undefined) known.kept.add(kept)
    else this.#buckets.set(moment, { kept: new Set([kept]), timer: this.#timerAt(moment) })
    return moment
  }

  forget(kept: Kept, moment: number): void {
    const bucket = this.#buckets.get(moment)
    if (bucket === undefined || !bucket.kept.delete(kept) || bucket.kept.size > 0) return
    bucket.timer.cancel()
    this.#buckets.delete(moment)
  }

  #timerAt(moment: number): Timer {
    return this.#timers.after(Math.max(0, moment - this.#nowMs()), () => {
      const bucket = this.#buckets.get(moment)
      this.#buckets.delete(moment)
      for (const kept of bucket?.kept ?? []) kept.due(moment)
    })
  }
}
