import type { LockEnvironment, PgResult } from '../../ports/index.ts'
import { Patience } from '../backend/index.ts'
import { NoAnswer } from './trouble.ts'

/** The pause between two tries grows from the first to the second. */
const againMinMs = 250
const againMaxMs = 2_000

/** What tries have taken, or may still take, that nobody waits for any more. */
export class LeaseLeftovers {
  readonly #environment: LockEnvironment
  readonly #closing: AbortSignal
  readonly #patience: Patience
  readonly #running = new Set<Promise<void>>()

  constructor(environment: LockEnvironment, closing: AbortSignal) {
    this.#environment = environment
    this.#closing = closing
    this.#patience = new Patience({ waitMs: Infinity, ends: [closing], environment })
  }

  /** `release` is asked until nothing can be left, for `lastsMs` at most. */
  takeBack(taking: Promise<PgResult>, release: () => Promise<PgResult>, lastsMs: number): void {
    const running = this.#takeBack(taking, release, lastsMs)
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  /** After the signal of closing each is asked once more, and waited for no longer. */
  async over(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** A statement that was not answered may be executed behind its release, which then found nothing: it is asked again. */
  async #takeBack(taking: Promise<PgResult>, release: () => Promise<PgResult>, lastsMs: number): Promise<void> {
    const outcome = await outcomeOf(taking)
    if (outcome === 'none') return
    const untilMs = this.#nowMs + lastsMs
    for (let pauseMs = againMinMs; ; pauseMs = Math.min(2 * pauseMs, againMaxMs)) {
      try {
        const { rows } = await release()
        if (rows.length > 0 || outcome === 'granted') return
      } catch {
        // As without an answer.
      }
      if (this.#closing.aborted || this.#nowMs >= untilMs) return
      await this.#patience.untilWoken(() => () => {}, pauseMs).catch(() => undefined)
    }
  }

  get #nowMs(): number {
    return this.#environment.clock.monotonicMs()
  }
}

async function outcomeOf(taking: Promise<PgResult>): Promise<'granted' | 'none' | 'unknown'> {
  try {
    return typeof (await taking).rows[0]?.['token'] === 'string' ? 'granted' : 'none'
  } catch (error) {
    return error instanceof NoAnswer && error.wasSent ? 'unknown' : 'none'
  }
}
