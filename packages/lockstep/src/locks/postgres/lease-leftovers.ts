import type { LockEnvironment, PgResult } from '../../ports/index.ts'
import { Patience, Underway } from '../backend/index.ts'
import { NoAnswer } from './trouble.ts'

/** The pause between two tries grows from the first to the second. */
const againMinMs = 250
const againMaxMs = 2_000

/** What the server has still to do when a release finds nothing is over after so many statement timeouts: its connection was destroyed. */
const timeoutsBehind = 4
/** The oldest of more than these is left to its TTL. */
const leftoversMax = 1_000

interface LeaseLeftoversParts {
  readonly environment: LockEnvironment
  /** Aborted by `close()`. */
  readonly closing: AbortSignal
  /** Of a statement. */
  readonly timeoutMs: number
}

interface Leftover {
  readonly taking: Promise<PgResult>
  readonly release: () => Promise<PgResult>
  readonly lastsMs: number
  isDropped: boolean
}

/** What tries have taken, or may still take, that nobody waits for any more. */
export class LeaseLeftovers {
  readonly #parts: LeaseLeftoversParts
  readonly #patience: Patience
  readonly #kept = new Set<Leftover>()
  readonly #running = new Underway()

  constructor(parts: LeaseLeftoversParts) {
    this.#parts = parts
    const { environment, closing } = parts
    this.#patience = new Patience({ waitMs: Infinity, ends: [closing], environment })
  }

  /** `release` is asked until nothing can be left, for `lastsMs` at most. */
  takeBack(taking: Promise<PgResult>, release: () => Promise<PgResult>, lastsMs: number): void {
    const leftover = { taking, release, lastsMs, isDropped: false }
    this.#keep(leftover)
    void this.#running.watch(this.#takeBack(leftover).finally(() => this.#kept.delete(leftover)))
  }

  /** After the signal of closing each is asked once more, and waited for no longer. */
  over(): Promise<void> {
    return this.#running.over()
  }

  #keep(leftover: Leftover): void {
    this.#kept.add(leftover)
    if (this.#kept.size <= leftoversMax) return
    const [oldest] = this.#kept
    if (oldest === undefined) return
    oldest.isDropped = true
    this.#kept.delete(oldest)
  }

  /**
   * A statement that was not answered may be executed behind its release, which then found nothing: it is asked again for a while. A release
   * that is not answered either is asked until it is.
   */
  async #takeBack(leftover: Leftover): Promise<void> {
    const { closing, timeoutMs } = this.#parts
    const outcome = await outcomeOf(leftover.taking)
    if (outcome === 'none') return
    let untilMs = this.#nowMs + leftover.lastsMs
    for (let pauseMs = againMinMs; !leftover.isDropped; pauseMs = Math.min(2 * pauseMs, againMaxMs)) {
      try {
        const { rows } = await leftover.release()
        if (rows.length > 0 || outcome === 'granted') return
        untilMs = Math.min(untilMs, this.#nowMs + timeoutsBehind * timeoutMs)
      } catch {
        // As without an answer.
      }
      if (closing.aborted || this.#nowMs >= untilMs) return
      await this.#patience.untilWoken(() => () => {}, pauseMs).catch(() => undefined)
    }
  }

  get #nowMs(): number {
    return this.#parts.environment.clock.monotonicMs()
  }
}

async function outcomeOf(taking: Promise<PgResult>): Promise<'granted' | 'none' | 'unknown'> {
  try {
    return typeof (await taking).rows[0]?.['token'] === 'string' ? 'granted' : 'none'
  } catch (error) {
    return error instanceof NoAnswer && error.wasSent ? 'unknown' : 'none'
  }
}
