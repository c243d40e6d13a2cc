import { messageOf } from '../errors.ts'
import type { Alert, Environment, Logger, Timer } from '../ports/index.ts'

export type Posted =
  | { readonly received: true }
  | { readonly received: false; readonly error: string; readonly retryAfterMs?: number }

export interface CourierParts {
  /** One try. */
  readonly deliver: (numbered: { readonly alert: Alert; readonly sequence: number }) => Promise<Posted>
  readonly environment: Pick<Environment, 'timers' | 'random'>
  readonly logger: Logger
  /** Names the receiver in the log. A path may hold a secret, so it is the origin alone. */
  readonly to: string
  readonly atOnceMax: number
  readonly queueMax: number
}

/** With pauses of up to a minute that is about ten minutes: a receiver may be restarted, an alert is raised only once. */
const triesMax = 16
const firstPauseMs = 1_000
const pauseMaxMs = 60_000
/** Drops of a full queue are told together, or a flood of alerts would become a flood of lines. */
const toldEveryMs = 10_000
const lastWordsMs = 1_000

/**
 * Carries alerts to one receiver from a bounded queue, a few at once, each a bounded number of times.
 *
 *   open      takes alerts; a try that fails is repeated after a pause.
 *   closing   takes none and pauses no more: what is at hand gets one more try, as far as a second reaches.
 */
export class Courier {
  readonly #parts: CourierParts
  readonly #queue: Alert[] = []
  readonly #pauses = new Set<() => void>()
  #carrying = 0
  #sequence = 0
  #dropped = 0
  #overflow = 0
  #telling: Timer | null = null
  #state: 'open' | 'closing' = 'open'
  #idle: () => void = () => {}

  constructor(parts: CourierParts) {
    this.#parts = parts
  }

  raise(alert: Alert): void {
    if (this.#state === 'open' && this.#queue.length < this.#parts.queueMax) this.#queue.push(alert)
    else this.#overflowed()
    this.#carryOn()
  }

  async close(): Promise<void> {
    this.#state = 'closing'
    for (const wake of [...this.#pauses]) wake()
    await this.#emptied()
    this.#overflow += this.#queue.length
    this.#queue.length = 0
    this.#tellOverflow()
  }

  #carryOn(): void {
    while (this.#carrying < this.#parts.atOnceMax) {
      const alert = this.#queue.shift()
      if (alert === undefined) break
      this.#carrying += 1
      void this.#carry(alert).then(() => {
        this.#carrying -= 1
        this.#carryOn()
      })
    }
    if (this.#carrying === 0) this.#idle()
  }

  async #carry(alert: Alert): Promise<void> {
    this.#sequence += 1
    const numbered = { alert, sequence: this.#sequence }
    for (let tries = 1; ; tries++) {
      const delivery = await this.#parts.deliver(numbered).catch((error: unknown) => failed(error))
      if (delivery.received) return
      if (tries === triesMax || this.#state === 'closing') return this.#giveUp(alert, delivery.error, tries)
      await this.#pause(this.#pauseMs(tries, delivery.retryAfterMs))
    }
  }

  #pauseMs(tries: number, retryAfterMs = 0): number {
    const ceilingMs = Math.min(pauseMaxMs, firstPauseMs * 2 ** (tries - 1))
    const jitteredMs = Math.ceil(ceilingMs * this.#parts.environment.random.fraction('alert back-off'))
    return Math.max(jitteredMs, Math.min(retryAfterMs, pauseMaxMs))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel()
        this.#pauses.delete(wake)
        resolve()
      }
      const timer = this.#parts.environment.timers.after(ms, wake)
      this.#pauses.add(wake)
    })
  }

  #giveUp({ id, pattern, status, kind }: Alert, error: string, tries: number): void {
    const { logger, to } = this.#parts
    this.#dropped += 1
    const fields = { id, pattern, status, kind, url: to, error, tries, dropped: this.#dropped }
    logger.error(fields, 'an alert was not delivered and is given up')
  }

  #overflowed(): void {
    this.#overflow += 1
    if (this.#state === 'closing') this.#tellOverflow()
    else this.#telling ??= this.#parts.environment.timers.after(toldEveryMs, () => this.#tellOverflow())
  }

  #tellOverflow(): void {
    this.#telling?.cancel()
    this.#telling = null
    if (this.#overflow === 0) return
    const { logger, to } = this.#parts
    this.#dropped += this.#overflow
    const fields = { url: to, count: this.#overflow, dropped: this.#dropped }
    this.#overflow = 0
    logger.error(fields, 'alerts were dropped: more were raised than the receiver takes')
  }

  /** Resolves when nothing is left, or the time for it is over. */
  #emptied(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.environment.timers.after(lastWordsMs, resolve)
      this.#idle = () => {
        timer.cancel()
        resolve()
      }
      this.#carryOn()
    })
  }
}

function failed(error: unknown): Posted {
  return { received: false, error: messageOf(error) }
}
