import { messageOf } from '../../errors.ts'
import type { LockEnvironment, Timer } from '../../ports/index.ts'
import type { MakeRawRedis, RawRedis } from './raw-redis.ts'

/** Whoever uses a link is told what becomes of it. */
export interface LinkUser {
  opened(raw: RawRedis): void
  /** This try has failed; the next follows by itself. */
  notOpened(cause: Error): void
  lost(cause: Error): void
  message(channel: string, text: string): void
}

/** A network that swallows everything must not hold back the next try. */
const openLimitMs = 5_000
const againMinMs = 50
const againMaxMs = 1_000

/**
 * One connection that is opened when it is first wanted, and again whenever it breaks, until it is closed.
 *
 *   idle      nobody has wanted it yet. Moves: `want` → opening; `close` → closed.
 *   opening   a raw client is on its way. Moves: it is ready → open; it fails or is too slow → pausing.
 *   open      Moves: it breaks or is renewed → pausing.
 *   pausing   Moves: the pause is over → opening.
 *   closed    final.
 *
 * A raw client has one life: what an old one still says is not heard.
 */
export class Link {
  readonly #make: MakeRawRedis
  readonly #environment: LockEnvironment
  readonly #user: LinkUser
  #state: 'idle' | 'opening' | 'open' | 'pausing' | 'closed' = 'idle'
  #raw: RawRedis | null = null
  #timer: Timer | null = null
  #failures = 0

  constructor(make: MakeRawRedis, environment: LockEnvironment, user: LinkUser) {
    this.#make = make
    this.#environment = environment
    this.#user = user
  }

  /** Null while it is not open. */
  get raw(): RawRedis | null {
    return this.#state === 'open' ? this.#raw : null
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  want(): void {
    if (this.#state === 'idle') this.#open()
  }

  /** It answers nothing any more: another connection is opened in its place. */
  renew(why: string): void {
    if (this.#state === 'open') this.#broken(new Error(why))
  }

  close(): void {
    this.#state = 'closed'
    this.#timer?.cancel()
    this.#drop()
  }

  #open(): void {
    this.#state = 'opening'
    const raw = this.#make({
      lost: (cause) => {
        if (this.#raw === raw && this.#state === 'open') this.#broken(cause)
      },
      message: (channel, text) => {
        if (this.#raw === raw) this.#user.message(channel, text)
      },
    })
    this.#raw = raw
    const failed = (cause: unknown): void => {
      if (this.#raw !== raw || this.#state !== 'opening') return
      this.#failures += 1
      this.#pause()
      this.#user.notOpened(cause instanceof Error ? cause : new Error(messageOf(cause)))
    }
    const { timers } = this.#environment
    this.#timer = timers.after(openLimitMs, () => failed(new Error(`Redis did not answer within ${openLimitMs} ms.`)))
    raw.open().then(() => this.#opened(raw), failed)
  }

  #opened(raw: RawRedis): void {
    if (this.#raw !== raw || this.#state !== 'opening') return
    this.#timer?.cancel()
    this.#failures = 0
    this.#state = 'open'
    this.#user.opened(raw)
  }

  #broken(cause: Error): void {
    this.#pause()
    this.#user.lost(cause)
  }

  #pause(): void {
    this.#state = 'pausing'
    this.#timer?.cancel()
    this.#drop()
    const { timers, random } = this.#environment
    const limitMs = Math.min(againMaxMs, againMinMs * 2 ** Math.min(this.#failures, 10))
    // The first try after a loss is at once: most losses are restarts and idle connections that somebody has cut.
    const delayMs = this.#failures === 0 ? 0 : limitMs * (0.5 + random.fraction('redis reconnect') / 2)
    this.#timer = timers.after(delayMs, () => this.#open())
  }

  #drop(): void {
    const raw = this.#raw
    this.#raw = null
    raw?.destroy()
  }
}
