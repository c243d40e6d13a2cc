import type { LockAsk, LockHold } from '../ports/index.ts'

/** One task of this process that wants a name. */
export interface Contender {
  readonly ask: LockAsk
  /** The end of its wait. */
  readonly untilMs: number
  /** Its turn: nobody else of this process is at the backend for this name. False when it waits no more: then it is the next one's. */
  enter(): boolean
  /** The backend was asked for it together with the release of the one before. False when it waits no more. */
  granted(next: Promise<LockHold | null>): boolean
  /** Somebody of this process holds the name now. One that came to try, and not to wait, goes. */
  held(): void
}

/**
 * One FIFO per name in this process. Only its head talks to the backend, so two tasks on one session or connection never own a name
 * together, and a crowd of waiters costs the backend one contender.
 */
export class LocalQueues {
  readonly #queues = new Map<string, Contender[]>()
  /** Names whose head is at the backend and does not hold it yet. */
  readonly #asking = new Set<string>()

  /** True when it is its turn at once; else `enter` is called when it is. */
  join(name: string, contender: Contender): boolean {
    const queue = this.#queues.get(name)
    if (queue === undefined) {
      this.#queues.set(name, [])
      this.#asking.add(name)
    } else queue.push(contender)
    return queue === undefined
  }

  /** It waits no longer, if it still did. */
  leave(name: string, contender: Contender): void {
    const queue = this.#queues.get(name) ?? []
    const at = queue.indexOf(contender)
    if (at >= 0) queue.splice(at, 1)
  }

  isAsking(name: string): boolean {
    return this.#asking.has(name)
  }

  /** The head has got it. */
  held(name: string): void {
    this.#asking.delete(name)
    for (const contender of [...(this.#queues.get(name) ?? [])]) contender.held()
  }

  /** The turn passes on to the one that has waited longest, which is answered; null when nobody waits and the turn is over. */
  next(name: string): Contender | null {
    const next = this.#queues.get(name)?.shift()
    if (next === undefined) {
      this.#queues.delete(name)
      this.#asking.delete(name)
    } else this.#asking.add(name)
    return next ?? null
  }
}
