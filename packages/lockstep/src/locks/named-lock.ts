import { LockstepError } from '../errors.ts'
import type { LockBackend, LockMode } from '../ports/index.ts'
import type { Contest } from './contest.ts'
import type { Lease } from './lease.ts'
import { type AcquireOptions, checkLockName, type ReadOptions, readOptions } from './options.ts'

/** One name in one mode: a mutex, the reading or writing side of a read-write lock, a permit of a semaphore. */
export class NamedLock {
  readonly name: string
  readonly #mode: LockMode
  readonly #contest: Contest
  readonly #backend: LockBackend

  constructor(name: string, mode: LockMode, parts: { readonly contest: Contest; readonly backend: LockBackend }) {
    this.name = checkLockName(name)
    this.#mode = mode
    this.#contest = parts.contest
    this.#backend = parts.backend
    if (mode.kind !== 'mutex' && !parts.backend.capabilities.sharing) throw unsupported(parts.backend.name, mode.kind)
  }

  /**
   * Takes the lease, or waits for it. Resolves only with one that is still valid. Fails with `LOCKSTEP_LOCK_TIMEOUT`,
   * `LOCKSTEP_LOCK_UNAVAILABLE`, or the reason of the signal.
   */
  async acquire(options: AcquireOptions = {}): Promise<Lease> {
    const read = readOptions(options, this.#backend)
    const lease = await this.#take(read)
    if (lease !== null) return lease
    throw new LockstepError('LOCKSTEP_LOCK_TIMEOUT', {
      message: `${this.name} was held by somebody else for ${read.waitMs} ms.`,
      details: { name: this.name, waitMs: read.waitMs },
    })
  }

  /** Null only when somebody else holds it, or another piece of work of this process waits for it; a backend that is away throws. */
  async tryAcquire(options: Omit<AcquireOptions, 'wait'> = {}): Promise<Lease | null> {
    return this.#take(readOptions({ ...options, wait: 0 }, this.#backend))
  }

  /** The result of `work`, or what it threw, unchanged: trouble at the release never stands in front of it. */
  async withLock<Result>(
    work: (lease: Lease) => Promise<Result> | Result,
    options: AcquireOptions = {},
  ): Promise<Result> {
    if (typeof work !== 'function')
      throw new LockstepError('LOCKSTEP_CONFIGURATION', { message: 'withLock takes the work as a function.' })
    const lease = await this.acquire(options)
    try {
      return await lease.run(() => work(lease))
    } finally {
      await lease.release()
    }
  }

  async #take(options: ReadOptions): Promise<Lease | null> {
    const { owners } = this.#contest
    owners.refuseUpgrade(this.name, this.#mode)
    const own = options.reentrant ? owners.again(this.name, this.#mode) : null
    return own ?? this.#contest.contend(this.name, this.#mode, options)
  }
}

function unsupported(backend: string, what: string): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', { message: `${backend} has no ${what} locks.` })
}
