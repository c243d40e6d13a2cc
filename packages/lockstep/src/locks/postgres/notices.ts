/**
 * Who waits for a name, and hears of its release. A notice is a hint: one that is lost costs a poll, and one that comes for nothing
 * costs a try. What comes between two waits of one waiter is kept for it.
 */
export class Notices {
  readonly #waiters = new Map<string, Set<Waiter>>()

  get isWaitedFor(): boolean {
    return this.#waiters.size > 0
  }

  /** Before the first try, so that nothing is missed between a try and its wait. */
  join(name: string): NoticeWait {
    const waiter: Waiter = { isTold: false, wake: null }
    const waiters = this.#waiters.get(name) ?? new Set()
    this.#waiters.set(name, waiters.add(waiter))
    return {
      listen(wake) {
        if (waiter.isTold) wake()
        waiter.isTold = false
        waiter.wake = wake
        return () => {
          waiter.wake = null
        }
      },
      leave: () => {
        waiters.delete(waiter)
        if (waiters.size === 0 && this.#waiters.get(name) === waiters) this.#waiters.delete(name)
      },
    }
  }

  tell(name: string): void {
    for (const waiter of this.#waiters.get(name) ?? []) {
      if (waiter.wake === null) waiter.isTold = true
      else waiter.wake()
    }
  }

  /** What was told while nobody listened is not known. */
  tellAll(): void {
    for (const name of this.#waiters.keys()) this.tell(name)
  }
}

export interface NoticeWait {
  listen(wake: () => void): () => void
  leave(): void
}

interface Waiter {
  isTold: boolean
  wake: (() => void) | null
}
