import { LockstepError } from '../errors.ts'
import type { LockBackend, LockCapabilities, LockInfo, LockMode } from '../ports/index.ts'
import { Contest, type ContestParts } from './contest.ts'
import type { Lease } from './lease.ts'
import { type AcquireOptions, checkLockName, readOptions } from './options.ts'

/**
 * Locks over one backend.
 *
 * **Guarantees**, with fencing: once a resource has seen a token, no older holder has an effect on it.
 * **Does not guarantee** that there is never a second holder: a lease does not stop a paused process. Pass `lease.fencingToken` to the
 * resource (`lockstep/fencing`).
 *
 * @example
 * await using lease = await locks.acquire('sku-42', { ttl: '10s', wait: '2s' })
 * await fencedUpdate(tx, lease, …)
 */
export class Locks {
  readonly #backend: LockBackend
  readonly #contest: Contest

  constructor(parts: ContestParts) {
    this.#backend = parts.backend
    this.#contest = new Contest(parts)
  }

  get capabilities(): LockCapabilities {
    return this.#backend.capabilities
  }

  /**
   * Takes the lease on `name`, or waits for it. Fails with `LOCKSTEP_LOCK_TIMEOUT`, `LOCKSTEP_LOCK_UNAVAILABLE`, or the reason of the
   * signal. Resolves only with a lease that is still valid.
   */
  async acquire(name: string, options: AcquireOptions = {}): Promise<Lease> {
    return this.acquireAs(name, { kind: 'mutex' }, options)
  }

  /** Null only when somebody else holds it; a backend that is away throws. */
  async tryAcquire(name: string, options: Omit<AcquireOptions, 'wait'> = {}): Promise<Lease | null> {
    const read = readOptions({ ...options, wait: 0 }, this.#backend)
    return this.#contest.contend(checkLockName(name), { kind: 'mutex' }, read)
  }

  /** The result of `work`, or what it threw, unchanged: trouble at the release never stands in front of it. */
  async withLock<Result>(
    name: string,
    work: (lease: Lease) => Promise<Result> | Result,
    options: AcquireOptions = {},
  ): Promise<Result> {
    const lease = await this.acquire(name, options)
    try {
      return await work(lease)
    } finally {
      await lease.release()
    }
  }

  /** For what is built on a lock: the same, in another mode. */
  async acquireAs(name: string, mode: LockMode, options: AcquireOptions): Promise<Lease> {
    const read = readOptions(options, this.#backend)
    if (mode.kind !== 'mutex' && !this.#backend.capabilities.sharing) throw unsupported(this.#backend.name, mode.kind)
    const lease = await this.#contest.contend(checkLockName(name), mode, read)
    if (lease !== null) return lease
    throw new LockstepError('LOCKSTEP_LOCK_TIMEOUT', {
      message: `${name} was held by somebody else for ${read.waitMs} ms.`,
      details: { name, waitMs: read.waitMs },
    })
  }

  /** Who holds what, for people. */
  inspect(name?: string): Promise<readonly LockInfo[]> {
    return this.#backend.inspect(name === undefined ? undefined : checkLockName(name))
  }

  /** Gives back every lease, and ends the connections. */
  async close(): Promise<void> {
    await this.#contest.close()
    await this.#backend.close()
  }
}

function unsupported(backend: string, what: string): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', { message: `${backend} has no ${what} locks.` })
}
