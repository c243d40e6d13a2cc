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
  /** Somebody of this process holds the name, or stands before it and may wait for long. One that came to try, and not to wait, goes. */
  blocked(): void
}

/**
 * One FIFO per name in this process. Only its head talks to the backend, so two tasks on one session or connection never own a name
 * together, and a crowd of waiters costs the backend one contender.
 */
export class LocalQueues {
  readonly #queues = new Map<string, Contender[]>()
  /** Names whose head is soon answered: it only tries, or is giving the name back. */
  readonly #brief = new Set<string>()

  /** True when it is its turn at once; else `enter` is called when it is. */
  join(name: string, contender: Contender): boolean {
    const queue = this.#queues.get(name)
    if (queue === undefined) {
      this.#queues.set(name, [])
      this.#headIs(name, contender)
    } else queue.push(contender)
    return queue === undefined
  }

  /** It waits no longer, if it still did. */
  leave(name: string, contender: Contender): void {
    const queue = this.#queues.get(name) ?? []
    const at = queue.indexOf(contender)
    if (at >= 0) queue.splice(at, 1)
  }

  /** One that only tries may stand behind the head: it is told what the head is told, or has its turn in a moment. */
  isBrief(name: string): boolean {
    return this.#brief.has(name)
  }

  isWaitedFor(name: string): boolean {
    return (this.#queues.get(name)?.length ?? 0) > 0
  }

  /** The head has got it. */
  held(name: string): void {
    this.#brief.delete(name)
    this.#block(name)
  }

  /** The head gives it back: until that is confirmed it is nobody else's turn. */
  releasing(name: string): void {
    this.#brief.add(name)
  }

  /** The turn passes on to the one that has waited longest, which is answered; null when nobody waits and the turn is over. */
  next(name: string): Contender | null {
    const next = this.#queues.get(name)?.shift()
    if (next === undefined) {
      this.#queues.delete(name)
      this.#brief.delete(name)
    } else this.#headIs(name, next)
    return next ?? null
  }

  #headIs(name: string, { ask }: Contender): void {
    if (ask.waitMs <= 0) this.#brief.add(name)
    else {
      this.#brief.delete(name)
      this.#block(name)
    }
  }

  #block(name: string): void {
    for (const contender of [...(this.#queues.get(name) ?? [])]) contender.blocked()
  }
}
