import type { Patience } from 'lockstep/lock-backend'
import type { LockAsk, LockEnvironment } from 'lockstep/ports'
import { mayPass } from './to-lockstep-error.ts'

const limitMs = 5_000
const pauseMs = { least: 50, most: 500 }

/** How much trouble one ask bears before it stands in the queue: of what may pass 5 s, within its wait; a single try bears none. */
export class Endurance {
  readonly #ask: LockAsk
  readonly #patience: Patience
  readonly #environment: Pick<LockEnvironment, 'clock' | 'random'>
  #sinceMs: number | null = null
  #pauses = 0

  constructor(ask: LockAsk, patience: Patience, environment: Pick<LockEnvironment, 'clock' | 'random'>) {
    this.#ask = ask
    this.#patience = patience
    this.#environment = environment
  }

  /** An answer came: trouble that comes later is another one. */
  recover(): void {
    this.#sinceMs = null
    this.#pauses = 0
  }

  /** True behind a pause, when another try is due; false when the error is to be told. Rejects on abort. */
  async bears(error: unknown): Promise<boolean> {
    if (this.#ask.waitMs <= 0 || !mayPass(error)) return false
    const nowMs = this.#environment.clock.monotonicMs()
    this.#sinceMs ??= nowMs
    const leftMs = Math.min(this.#patience.remainingMs, this.#sinceMs + limitMs - nowMs)
    const nextMs = this.#nextPauseMs()
    if (nextMs >= leftMs) return false
    await this.#patience.untilWoken(() => () => undefined, nextMs)
    return true
  }

  #nextPauseMs(): number {
    this.#pauses += 1
    const boundMs = Math.min(pauseMs.most, pauseMs.least * 2 ** Math.min(this.#pauses, 10))
    return 1 + boundMs * this.#environment.random.fraction('etcd lock trouble')
  }
}
