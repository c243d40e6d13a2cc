import type { LockAsk, LockHold } from '../ports/index.ts'

/** One task of this process that wants a name. */
export interface Contender {
  readonly ask: LockAsk
  /** The end of its wait. */
  readonly untilMs: number
  /** Its turn: nobody else of this process is at the backend for this name. */
  enter(): void
  /** The backend has granted it together with the release of the one before. */
  granted(next: Promise<LockHold | null>): void
}

/**
 * One FIFO per name in this process. Only its head talks to the backend, so two tasks on one session or connection never own a name
 * together, and a crowd of waiters costs the backend one contender.
 */
export class LocalQueues {
  readonly #queues = new Map<string, Contender[]>()

  /** True when it is its turn at once; else `enter` is called when it is. */
  join(name: string, contender: Contender): boolean {
    const queue = this.#queues.get(name)
    if (queue === undefined) this.#queues.set(name, [])
    else queue.push(contender)
    return queue === undefined
  }

  /** It waits no longer. False when its turn has come meanwhile. */
  leave(name: string, contender: Contender): boolean {
    const queue = this.#queues.get(name) ?? []
    const at = queue.indexOf(contender)
    if (at >= 0) queue.splice(at, 1)
    return at >= 0
  }

  /** The turn passes on to the one that has waited longest, which is answered; null when nobody waits and the turn is over. */
  next(name: string): Contender | null {
    const next = this.#queues.get(name)?.shift()
    if (next === undefined) this.#queues.delete(name)
    return next ?? null
  }

  waiting(name: string): number {
    return this.#queues.get(name)?.length ?? 0
  }
}
