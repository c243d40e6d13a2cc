import type { Timer, Timers } from '../ports/index.ts'

interface Wake {
  readonly at: number
  readonly id: string
}

/**
 * Short waits of active transactions: a binary heap and one timer for all of them. Long waits are parked instead and cost
 * nothing here (law 12). A wake that is no longer wanted simply finds nothing to do.
 */
export class WakeQueue {
  readonly #heap: Wake[] = []
  readonly #timers: Timers
  readonly #now: () => number
  readonly #wake: (id: string) => void
  #timer: Timer | null = null
  #timerAt = Number.POSITIVE_INFINITY

  constructor(timers: Timers, now: () => number, wake: (id: string) => void) {
    this.#timers = timers
    this.#now = now
    this.#wake = wake
  }

  add(id: string, at: number): void {
    this.#heap.push({ at, id })
    this.#rise(this.#heap.length - 1)
    this.#arm()
  }

  clear(): void {
    this.#heap.length = 0
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || first.at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = first.at
    this.#timer = this.#timers.after(Math.max(0, first.at - this.#now()), () => this.#fire())
  }

  #fire(): void {
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = this.#now()
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#removeFirst()
      this.#wake(first.id)
    }
    this.#arm()
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #rise(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfEarlier(at, parent)) return
      at = parent
    }
  }

  #sink(start: number): void {
    for (let at = start; ; ) {
      const left = 2 * at + 1
      const right = left + 1
      const earlier = this.#earlier(right, left) ? right : left
      if (!this.#swapIfEarlier(earlier, at)) return
      at = earlier
    }
  }

  #earlier(one: number, other: number): boolean {
    const first = this.#heap[one]
    const second = this.#heap[other]
    return first !== undefined && (second === undefined || first.at < second.at)
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    const one = this.#heap[child]
    const other = this.#heap[parent]
    if (one === undefined || other === undefined || one.at >= other.at) return false
    this.#heap[child] = other
    this.#heap[parent] = one
    return true
  }
}
