import type { LockAsk, LockEnvironment } from '../../ports/index.ts'
import { Patience } from '../backend/index.ts'
import { mayPass } from './trouble.ts'

/** How long trouble that may pass is borne, and the bound of a pause between two tries meanwhile. */
const borneMs = 5_000
const troublePauseMs = 250

interface WaitParts {
  readonly ask: LockAsk
  /** Aborted with the error after `close()`. */
  readonly closing: AbortSignal
  readonly environment: Pick<LockEnvironment, 'clock' | 'timers' | 'random'>
}

/** The wait of one ask, with its tries: how long it pauses between them, and which trouble it bears. */
export class Wait {
  readonly #waitMs: number
  readonly #patience: Patience
  readonly #environment: WaitParts['environment']
  #tries = 0
  #askedMs: number
  #troubledSinceMs: number | null = null

  constructor({ ask, closing, environment }: WaitParts) {
    this.#waitMs = ask.waitMs
    this.#patience = new Patience({ waitMs: ask.waitMs, ends: [ask.signal, closing], environment })
    this.#environment = environment
    this.#askedMs = environment.clock.monotonicMs()
  }

  get remainingMs(): number {
    return this.#patience.remainingMs
  }

  /** Throws when nobody waits any more. */
  check(): void {
    this.#patience.check()
  }

  /** As the request ends; who gives up does not wait for that, and takes back what it did. */
  during<Value>(request: Promise<Value>): Promise<Value> {
    return this.#patience.during(request)
  }

  /** Full jitter up to a bound that grows from 50 ms, so that many do not come together; `listen` ends it early. */
  async pause(boundMs: number, listen: (wake: () => void) => () => void): Promise<void> {
    this.#tries += 1
    const spreadMs = Math.min(boundMs, 25 * 2 ** Math.min(this.#tries, 10))
    await this.#patience.untilWoken(listen, 1 + spreadMs * this.#environment.random.fraction('lock poll'))
  }

  /** A try begins. */
  asks(): void {
    this.#askedMs = this.#environment.clock.monotonicMs()
  }

  /** The server has answered: trouble that comes later is counted anew. */
  answered(): void {
    this.#troubledSinceMs = null
  }

  /**
   * Waits a little after trouble that may pass, so that the try can be repeated. Throws it when it may not, when one try was all that was
   * asked for, and when it has lasted for too long, counted from the sending of the first request that failed.
   */
  async bear(trouble: unknown): Promise<void> {
    this.#troubledSinceMs ??= this.#askedMs
    const lastsMs = this.#environment.clock.monotonicMs() - this.#troubledSinceMs
    if (!mayPass(trouble) || lastsMs >= Math.min(this.#waitMs, borneMs)) throw trouble
    await this.pause(troublePauseMs, () => () => {})
    if (this.remainingMs <= 0) throw trouble
  }
}
