import { isHopeless, type LockstepError, messageOf } from '../errors.ts'
import type { Environment, HeartbeatAnswer, Logger, Timer, TransactionStore } from '../ports/index.ts'
import type { StoreClock } from './store-clock.ts'

/** One lease row per instance: short, because safety never rests on it. */
export const leaseMs = 4_000
const renewEveryMs = 1_000

export interface OwnershipParts {
  readonly store: TransactionStore
  readonly environment: Environment
  readonly storeClock: StoreClock
  readonly instance: string
  readonly services: () => readonly string[]
  readonly logger: Logger
  readonly onFailed: (error: LockstepError) => void
  readonly onHeld: (held: HeartbeatAnswer['held']) => void
}

/** Keeps this instance's lease alive and says whether calls may leave under it. */
export class Ownership {
  readonly #parts: OwnershipParts
  #leaseEndsMs = Number.NEGATIVE_INFINITY
  #timer: Timer | null = null
  #stopped = false

  constructor(parts: OwnershipParts) {
    this.#parts = parts
  }

  /** False once our own monotonic clock says that another instance may have taken over. */
  mayCall(): boolean {
    return this.#parts.store.exclusive || this.#parts.environment.clock.monotonicMs() < this.#leaseEndsMs
  }

  async start(): Promise<void> {
    await this.#renew()
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = this.#parts.environment.timers.after(renewEveryMs, () => {
      void this.#renewOrWarn().then(() => this.#schedule())
    })
  }

  async #renewOrWarn(): Promise<void> {
    try {
      await this.#renew()
    } catch (error) {
      this.#parts.logger.warn({ error: messageOf(error) }, 'the lease could not be renewed')
      if (isHopeless(error)) this.#parts.onFailed(error)
    }
  }

  /** The lease counts from the moment of asking: the answer may have been long on its way. */
  async #renew(): Promise<void> {
    const { store, environment, storeClock, instance, services, onHeld } = this.#parts
    const sentMs = environment.clock.monotonicMs()
    const answer = await store.heartbeat({ owner: instance, leaseMs, services: services() })
    storeClock.learn(answer.now, sentMs)
    this.#leaseEndsMs = sentMs + leaseMs
    if (answer.held.length > 0) onHeld(answer.held)
  }
}
