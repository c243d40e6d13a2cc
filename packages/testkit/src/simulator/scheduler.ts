/**
 * One heap of events over virtual time. JavaScript settles microtasks in a fixed order, so whoever owns the macrotasks owns the
 * schedule: every port call parks in this heap, ties are broken by the seed, and after each event one real `setImmediate` turn lets
 * promise chains settle. This file alone may use it.
 */
import { setImmediate as realTurn } from 'node:timers'
import type { RandomStream } from './random-streams.ts'

interface ScheduledEvent {
  readonly at: number
  readonly tie: number
  readonly order: number
  readonly label: string
  run(): void
  cancelled: boolean
}

export interface Scheduled {
  cancel(): void
}

export interface SchedulerParts {
  readonly random: RandomStream
  readonly onEvent: (at: number, label: string) => void
  /** Livelock becomes a failure. */
  readonly stepsMax: number
}

export class Scheduler {
  readonly #heap: ScheduledEvent[] = []
  readonly #parts: SchedulerParts
  #now = 0
  #order = 0
  steps = 0

  constructor(parts: SchedulerParts) {
    this.#parts = parts
  }

  /** Virtual milliseconds since the start of the run. */
  now(): number {
    return this.#now
  }

  after(delayMs: number, label: string, run: () => void): Scheduled {
    this.#order += 1
    const at = this.#now + Math.max(0, delayMs)
    const tie = this.#parts.random.integer('tie', 0, 2 ** 20)
    const event: ScheduledEvent = { at, tie, order: this.#order, label, run, cancelled: false }
    this.#push(event)
    return {
      cancel: () => {
        event.cancelled = true
      },
    }
  }

  /** Runs until `until` is true or `maxMs` virtual milliseconds have passed. False when the time was up, or nothing is left to run. */
  async runUntil(until: () => boolean, maxMs: number, check: () => void): Promise<boolean> {
    const endAt = this.#now + maxMs
    await turn()
    while (!until()) {
      const event = this.#pop()
      if (event === undefined) return false
      if (event.at > endAt) {
        this.#push(event)
        this.#now = endAt
        return false
      }
      if (event.cancelled) continue
      this.#now = event.at
      this.steps += 1
      if (this.steps > this.#parts.stepsMax) throw new Error(`more than ${this.#parts.stepsMax} steps: livelock`)
      this.#parts.onEvent(event.at, event.label)
      event.run()
      await turn()
      check()
    }
    return true
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap
    heap.push(event)
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfEarlier(at, parent)) return
      at = parent
    }
  }

  #pop(): ScheduledEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    heap[0] = last
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      const right = left + 1
      const child = isEarlier(heap[right], heap[left]) ? right : left
      if (!this.#swapIfEarlier(child, at)) return first
      at = child
    }
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    const one = this.#heap[child]
    const other = this.#heap[parent]
    if (one === undefined || other === undefined || !isEarlier(one, other)) return false
    this.#heap[child] = other
    this.#heap[parent] = one
    return true
  }
}

function isEarlier(one: ScheduledEvent | undefined, other: ScheduledEvent | undefined): boolean {
  if (one === undefined) return false
  if (other === undefined) return true
  if (one.at !== other.at) return one.at < other.at
  return one.tie !== other.tie ? one.tie < other.tie : one.order < other.order
}

function turn(): Promise<void> {
  return new Promise((resolve) => realTurn(resolve))
}
