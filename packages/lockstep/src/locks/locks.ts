import { LockstepError } from '../errors.ts'
import type { LockBackend, LockCapabilities, LockInfo } from '../ports/index.ts'
import { Contest, type ContestParts } from './contest.ts'
import { Election } from './election.ts'
import type { Lease } from './lease.ts'
import { acquireAll, type MultiLease } from './multi-lease.ts'
import { NamedLock } from './named-lock.ts'
import { type AcquireOptions, checkLockName, readOptions } from './options.ts'

/** Readers share, a writer is alone; a writer that waits stops new readers. */
export interface ReadWriteLock {
  readonly read: NamedLock
  readonly write: NamedLock
}

const permitsMax = 10_000

/**
 * Locks over one backend.
 *
 * **Guarantees**, with fencing: once a resource has seen a token, no older holder has an effect on it.
 * **Does not guarantee** that there is never a second holder: a lease does not stop a paused process. Pass `lease.fencingToken` to the
 * resource (`lockstep/fencing`).
 *
 * @example
 * const locks = createLocks(redisLocks(ioRedis(redis)))
 * await using lease = await locks.acquire('sku-42', { ttl: '10s', wait: '2s' })
 */
export class Locks {
  readonly #parts: ContestParts
  readonly #backend: LockBackend
  readonly #contest: Contest

  constructor(parts: ContestParts) {
    this.#parts = parts
    this.#backend = parts.backend
    this.#contest = new Contest(parts)
  }

  /** What the backend can do, and how strong its fence is. */
  get capabilities(): LockCapabilities {
    return this.#backend.capabilities
  }

  /**
   * Takes the lease on `name`, or waits for it. Resolves only with one that is still valid. Fails with `LOCKSTEP_LOCK_TIMEOUT`,
   * `LOCKSTEP_LOCK_UNAVAILABLE`, or the reason of the signal.
   */
  async acquire(name: string, options: AcquireOptions = {}): Promise<Lease> {
    return this.#mutex(name).acquire(options)
  }

  /** Null only when somebody else holds it, or another piece of work of this process waits for it; a backend that is away throws. */
  async tryAcquire(name: string, options: Omit<AcquireOptions, 'wait'> = {}): Promise<Lease | null> {
    return this.#mutex(name).tryAcquire(options)
  }

  /** The result of `work`, or what it threw, unchanged: trouble at the release never stands in front of it. */
  async withLock<Result>(
    name: string,
    work: (lease: Lease) => Promise<Result> | Result,
    options: AcquireOptions = {},
  ): Promise<Result> {
    return this.#mutex(name).withLock(work, options)
  }

  /** All of the names or none, within one `wait`. They are taken in one order by everybody, so nobody waits in a circle. */
  async multi(names: readonly string[], options: AcquireOptions = {}): Promise<MultiLease> {
    if (!Array.isArray(names))
      throw new LockstepError('LOCKSTEP_CONFIGURATION', { message: 'The names of `multi` are an array of texts.' })
    const { waitMs } = readOptions(options, this.#backend)
    const { clock } = this.#parts.environment
    const checked = names.map(checkLockName)
    return acquireAll(checked, { waitMs, clock }, (name, wait) => this.acquire(name, { ...options, wait }))
  }

  /** Fails with `LOCKSTEP_LOCK_UNSUPPORTED` where the backend has none. */
  readWrite(name: string): ReadWriteLock {
    return { read: this.#named(name, { kind: 'read' }), write: this.#named(name, { kind: 'write' }) }
  }

  /** At most `permits` leases at a time. Everybody must ask with the same number. `LOCKSTEP_LOCK_UNSUPPORTED` where the backend has none. */
  semaphore(name: string, permits: number): NamedLock {
    if (!Number.isInteger(permits) || permits < 1 || permits > permitsMax)
      throw new LockstepError('LOCKSTEP_CONFIGURATION', {
        message: `A semaphore has 1 to ${permitsMax} permits, but ${String(permits)} were asked for.`,
      })
    return this.#named(name, { kind: 'permit', of: permits })
  }

  /** One leader among those who campaign. `LOCKSTEP_LOCK_UNSUPPORTED` where the backend has none. */
  election(name: string): Election {
    if (!this.capabilities.sharing)
      throw new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', { message: `${this.#backend.name} has no elections.` })
    return new Election(this.#mutex(name), this.#parts.environment, (one) => this.inspect(one))
  }

  /** Who holds what, for people. */
  async inspect(name?: string): Promise<readonly LockInfo[]> {
    const infos = await this.#backend.inspect(name === undefined ? undefined : checkLockName(name))
    return infos.map((info) => this.#shown(info))
  }

  /**
   * Takes `name` away from whoever holds it, or only the hold of one token. It is for people: the holder is not asked, finds out at its next
   * renewal, and is stopped before that by nothing but its fencing token.
   */
  async evict(name: string, token?: bigint): Promise<readonly LockInfo[]> {
    if (token !== undefined && typeof token !== 'bigint')
      throw new LockstepError('LOCKSTEP_CONFIGURATION', {
        message: 'The token of an eviction is a bigint, as a lease has it.',
      })
    const raw = token === undefined ? undefined : token - this.#parts.tokenOffset
    const taken = await this.#backend.evict(checkLockName(name), raw)
    return taken.map((info) => this.#shown(info))
  }

  /** Gives back every lease, and ends the backend's connections. */
  async close(): Promise<void> {
    await this.#contest.close()
    await this.#backend.close()
  }

  /** Tokens as leases have them. */
  #shown(info: LockInfo): LockInfo {
    return { ...info, token: info.token === null ? null : info.token + this.#parts.tokenOffset }
  }

  #mutex(name: string): NamedLock {
    return this.#named(name, { kind: 'mutex' })
  }

  #named(name: string, mode: ConstructorParameters<typeof NamedLock>[1]): NamedLock {
    return new NamedLock(name, mode, { contest: this.#contest, backend: this.#backend })
  }
}
