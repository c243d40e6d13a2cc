import { failpoint } from '#failpoint'
import { isHopeless, type LockstepError, messageOf } from '../errors.ts'
import type { Environment, Logger, Timer, TransactionStore } from '../ports/index.ts'
import type { Driver } from './driver.ts'

const claimMax = 100
/** At most: what becomes due is looked for within it. */
const tickMs = 1_000
/** Law 11: what nobody can call is claimed all the same after this, held and shown. */
const missingAfterMs = 60_000
/** So long after a claim without an answer, its rows are looked for: the lost COMMIT may land late. */
const lookForLostMs = 60_000

export interface RecoveryParts {
  readonly store: TransactionStore
  readonly environment: Environment
  readonly driver: Driver
  readonly instance: string
  readonly services: () => readonly string[]
  /** How many more transactions may become active. */
  readonly freeIntake: () => number
  readonly logger: Logger
  readonly onFailed: (error: LockstepError) => void
}

/**
 * Brings back what is due: parked transactions, and those whose owner is gone. One claim a second when idle; a full batch is
 * followed at once by the next, up to the free intake.
 */
export class Recovery {
  readonly #parts: RecoveryParts
  #timer: Timer | null = null
  #stopped = false
  #claiming: Promise<void> | null = null
  takeovers = 0
  #lostUntilMs = Number.NEGATIVE_INFINITY

  constructor(parts: RecoveryParts) {
    this.#parts = parts
  }

  start(): void {
    this.#tick()
  }

  /** Resolves when no claim is on its way. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#claiming
  }

  /** Looks now instead of at the next tick: something just became due. */
  hurry(): void {
    if (this.#stopped || this.#claiming !== null) return
    this.#timer?.cancel()
    this.#tick()
  }

  #tick(): void {
    this.#claiming = this.#claimAll().then(() => {
      this.#claiming = null
      if (this.#stopped) return
      const jitter = this.#parts.environment.random.fraction('claim')
      this.#timer = this.#parts.environment.timers.after(tickMs * (0.75 + jitter / 4), () => this.#tick())
    })
  }

  async #claimAll(): Promise<void> {
    try {
      for (let more = true; more && !this.#stopped; ) more = await this.#claim()
    } catch (error) {
      this.lookForLost()
      this.#parts.logger.warn({ error: messageOf(error) }, 'a claim failed')
      if (isHopeless(error)) this.#parts.onFailed(error)
    }
  }

  /** Rows may be ours in the store and unknown to us: for a while, every claim takes those as well. */
  lookForLost(): void {
    this.#lostUntilMs = this.#parts.environment.clock.monotonicMs() + lookForLostMs
  }

  /** True when there may be more to claim at once. */
  async #claim(): Promise<boolean> {
    const { store, driver, instance, services, freeIntake, environment } = this.#parts
    const limit = Math.min(claimMax, freeIntake())
    if (limit <= 0) return false
    const looks = environment.clock.monotonicMs() < this.#lostUntilMs
    const except = looks ? { except: driver.drivenIds() } : {}
    const claimed = await store.claim({ owner: instance, limit, services: services(), missingAfterMs, ...except })
    if (claimed.length > 0) await failpoint('coordinator.claim.after')
    // Too late for us: the end of our lease frees them for the others.
    if (this.#stopped) return false
    for (const { row, takeover } of claimed) {
      if (takeover) this.takeovers += 1
      driver.adopt(row, { kind: 'woke', claim: { takeover } })
    }
    return claimed.length === limit
  }
}
