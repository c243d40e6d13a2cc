import { isLockstepError } from '../errors.ts'
import type { LockEnvironment, LockHolder, LockInfo } from '../ports/index.ts'
import { type Duration, durationMs } from '../protocol/index.ts'
import type { Lease } from './lease.ts'
import type { NamedLock } from './named-lock.ts'
import type { AcquireOptions } from './options.ts'

export interface CampaignOptions extends Pick<AcquireOptions, 'ttl' | 'label'> {
  /** Ends the campaign. A leader that is in office is told by nothing else: pass it on to the work. */
  readonly signal?: AbortSignal
}

/** Who leads, as the backend says; null while nobody does. */
export interface Leader {
  readonly holder: LockHolder | null
  readonly token: bigint | null
}

export interface ObserveOptions {
  readonly signal?: AbortSignal
  /** How often the backend is asked, 1 s unless given. */
  readonly every?: Duration
}

const retryMinMs = 100
const retryMaxMs = 5_000

/**
 * One leader at a time, among those who campaign under a name. It is the mutex of that name, held for as long as the work lasts.
 *
 * @example
 * await locks.election('scheduler').campaign(async (lease) => {
 *   while (!lease.signal.aborted) await runNextJob(lease.fencingToken)
 * })
 */
export class Election {
  readonly #lock: NamedLock
  readonly #inspect: (name: string) => Promise<readonly LockInfo[]>
  readonly #environment: LockEnvironment

  constructor(lock: NamedLock, environment: LockEnvironment, inspect: (name: string) => Promise<readonly LockInfo[]>) {
    this.#lock = lock
    this.#inspect = inspect
    this.#environment = environment
  }

  /**
   * Campaigns, and does the work when elected. Resolves with its result when it ends in office; after a loss it campaigns again, once the
   * old work has settled. A backend that is away is asked on. Fails with what the work threw in office, or the reason of the signal.
   */
  async campaign<Result>(work: (lease: Lease) => Promise<Result>, options: CampaignOptions = {}): Promise<Result> {
    for (;;) {
      const lease = await this.#elected(options)
      try {
        const result = await lease.run(() => work(lease))
        if (lease.remaining() > 0) return result
      } catch (error) {
        if (lease.remaining() > 0) throw error
        this.#environment.log.warn({ name: lease.name, error }, 'work failed after it had lost its office')
      } finally {
        await lease.release()
      }
      options.signal?.throwIfAborted()
    }
  }

  /** Who leads now, and each change of it, as often as it is asked for. */
  async *observe(options: ObserveOptions = {}): AsyncGenerator<Leader, void, undefined> {
    const everyMs = durationMs(options.every ?? 1_000, 'every', { minMs: 10 })
    let last: Leader | undefined
    while (options.signal?.aborted !== true) {
      const [info] = (await this.#inspect(this.#lock.name)).filter(({ mode }) => mode === 'mutex')
      const leader: Leader = { holder: info?.holder ?? null, token: info?.token ?? null }
      if (last === undefined || last.token !== leader.token) yield leader
      last = leader
      await this.#pause(everyMs, options.signal)
    }
  }

  async #elected(options: CampaignOptions): Promise<Lease> {
    for (let failures = 0; ; failures++) {
      try {
        return await this.#lock.acquire({ ...options, wait: Infinity, maxHold: Infinity })
      } catch (error) {
        // One that was closed answers nobody any more.
        if (!isLockstepError(error, 'LOCKSTEP_LOCK_UNAVAILABLE') || !error.retriable) throw error
        const boundMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(failures, 10))
        await this.#pause(boundMs * this.#environment.random.fraction('campaign again'), options.signal)
        options.signal?.throwIfAborted()
      }
    }
  }

  #pause(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel()
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#environment.timers.after(ms, end)
      signal?.addEventListener('abort', end, { once: true })
      if (signal?.aborted === true) end()
    })
  }
}
