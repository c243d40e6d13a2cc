import { Patience, type PatienceOptions } from 'lockstep/lock-backend'

/** One try may take this long, however short the wait is: nobody could be asked otherwise. */
const oneTryMsMax = 5_000

/** The patience of one ask, and what it leaves to each of its requests. */
export class AskPatience {
  readonly isOneTry: boolean
  readonly #options: PatienceOptions
  readonly #patience: Patience

  constructor(options: PatienceOptions) {
    this.isOneTry = options.waitMs <= 0
    this.#options = options
    this.#patience = new Patience(options)
  }

  /** A little time instead of one try. */
  shortly(waitMs: number): AskPatience {
    return new AskPatience({ ...this.#options, waitMs })
  }

  /** For what comes after the wait: no signal is asked any more. */
  forever(): AskPatience {
    return new AskPatience({ ...this.#options, waitMs: Number.POSITIVE_INFINITY, ends: [] })
  }

  get isOver(): boolean {
    return this.#patience.remainingMs <= 0
  }

  /** The deadline of a request; waiting for a connection counts. */
  requestMs(sessionTimeoutMs: number): number {
    const oneTryMs = Math.min(sessionTimeoutMs / 3, oneTryMsMax)
    return Math.max(1, Math.round(Math.max(oneTryMs, Math.min(this.#patience.remainingMs, sessionTimeoutMs))))
  }

  /** Throws the reason of the signal that has ended it. */
  check(): void {
    this.#patience.check()
  }

  /** Rejects with the reason of a signal as soon as one ends it; what `work` comes to is then its own affair. */
  unlessAborted<Result>(work: Promise<Result>): Promise<Result> {
    return this.#patience.during(work)
  }

  /** What was waited for, or `over` when the whole wait is. */
  unlessTimeIsUp<Result>(work: Promise<Result>): Promise<Result | 'over'> {
    return this.#patience.whileItLasts(work)
  }
}
