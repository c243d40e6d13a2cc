import type { LockAsk, LockHold, Timer, Timers } from '../ports/index.ts'
import type { Contender } from './local-queue.ts'

/** What came of a turn: the task asks the backend itself, or is given what the one before has asked for. */
export type Turn = { readonly kind: 'enter' } | { readonly kind: 'granted'; readonly next: Promise<LockHold | null> }

export interface ContenderParts {
  readonly ask: LockAsk
  readonly untilMs: number
  readonly leave: (contender: Contender) => void
  /** Why the name cannot be had at all for now; null while somebody else may simply hold it. */
  readonly trouble: () => Error | null
}

/**
 * A task that waits for its turn. Abort, the end of its wait and `close` end the wait at any moment before the turn has come, also
 * while the release of the one before is under way.
 */
export class WaitingContender implements Contender {
  readonly ask: LockAsk
  readonly untilMs: number
  readonly #parts: ContenderParts
  readonly #result = Promise.withResolvers<Turn | null>()
  #timer: Timer | null = null
  #isOver = false

  constructor(parts: ContenderParts) {
    this.#parts = parts
    this.ask = parts.ask
    this.untilMs = parts.untilMs
  }

  /** Null when the wait is over. Rejects with the reason of the signal, and at the end of the wait with the trouble that there was. */
  wait(timers: Timers): Promise<Turn | null> {
    const { signal, waitMs } = this.ask
    signal.addEventListener('abort', this.#abort, { once: true })
    if (Number.isFinite(waitMs) && waitMs > 0) this.#timer = timers.after(waitMs, () => this.giveUp())
    return this.#result.promise
  }

  giveUp(): void {
    const trouble = this.#parts.trouble()
    this.#end(() => (trouble === null ? this.#result.resolve(null) : this.#result.reject(trouble)))
  }

  blocked(): void {
    if (this.ask.waitMs <= 0) this.giveUp()
  }

  enter(): boolean {
    return this.#end(() => this.#result.resolve({ kind: 'enter' }))
  }

  granted(next: Promise<LockHold | null>): boolean {
    return this.#end(() => this.#result.resolve({ kind: 'granted', next }))
  }

  readonly #abort = (): void => {
    this.#end(() => this.#result.reject(this.ask.signal.reason))
  }

  #end(settle: () => void): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#timer?.cancel()
    this.ask.signal.removeEventListener('abort', this.#abort)
    this.#parts.leave(this)
    settle()
    return true
  }
}
