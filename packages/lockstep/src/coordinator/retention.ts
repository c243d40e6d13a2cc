import { messageOf } from '../errors.ts'
import type { Environment, Logger, Timer, TransactionStore } from '../ports/index.ts'
import type { StoreClock } from './store-clock.ts'

export interface RetentionSettings {
  /** How long a finished transaction keeps its details. */
  readonly finishedMs: number
  /** How long id, content hash and end status are kept: not shorter than barrier rows live (law 2). */
  readonly idsMs: number
}

const everyMs = 60_000
const rowsMax = 1_000

/** Reduces old finished transactions to what law 2 needs, in small batches. */
export class Retention {
  readonly #parts: RetentionParts
  #timer: Timer | null = null
  #stopped = false

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  start(): void {
    if (this.#stopped) return
    this.#timer = this.#parts.environment.timers.after(everyMs, () => {
      void this.#sweep().then(() => this.start())
    })
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #sweep(): Promise<void> {
    const { store, storeClock, settings, logger } = this.#parts
    try {
      for (let more = true; more && !this.#stopped; ) {
        const now = storeClock.now()
        const request = { endedBefore: now - settings.finishedMs, forgetBefore: now - settings.idsMs, limit: rowsMax }
        const { expired, forgotten } = await store.retire(request)
        more = expired === rowsMax || forgotten === rowsMax
      }
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'old transactions were not reduced this time')
    }
  }
}

interface RetentionParts {
  readonly store: TransactionStore
  readonly environment: Environment
  readonly storeClock: StoreClock
  readonly logger: Logger
  readonly settings: RetentionSettings
}
