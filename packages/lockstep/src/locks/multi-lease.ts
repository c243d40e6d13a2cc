import { LockstepError } from '../errors.ts'
import type { Clock } from '../ports/index.ts'
import type { Duration } from '../protocol/index.ts'
import type { Lease, LeaseState, LockLostError, Released } from './lease.ts'
import type { AcquireOptions } from './options.ts'

const badness: readonly LeaseState[] = ['held', 'at-risk', 'released', 'lost']

/** Leases on several names, all or nothing. It is as good as the worst of them. */
export class MultiLease implements AsyncDisposable {
  readonly names: readonly string[]
  readonly #leases: readonly Lease[]
  #released: Promise<readonly Released[]> | null = null

  constructor(leases: readonly Lease[]) {
    this.#leases = leases
    this.names = leases.map(({ name }) => name)
  }

  /** The fencing token for that name. */
  tokenOf(name: string): bigint {
    return this.lease(name).fencingToken
  }

  /** For the fencing helpers, which want the lease of the resource. */
  lease(name: string): Lease {
    const found = this.#leases.find((lease) => lease.name === name)
    if (found !== undefined) return found
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `${name} is none of the names that were locked: ${this.names.join(', ')}.`,
    })
  }

  get state(): LeaseState {
    return this.#leases.map(({ state }) => state).reduce((a, b) => (badness.indexOf(a) > badness.indexOf(b) ? a : b))
  }

  /** Aborted by the first of them that is lost. */
  get signal(): AbortSignal {
    return AbortSignal.any(this.#leases.map(({ signal }) => signal))
  }

  get lost(): Promise<LockLostError> {
    return Promise.race(this.#leases.map(({ lost }) => lost))
  }

  remaining(): number {
    return Math.min(...this.#leases.map((lease) => lease.remaining()))
  }

  assertHeld(): void {
    for (const lease of this.#leases) lease.assertHeld()
  }

  async extend(ttl?: Duration): Promise<void> {
    await Promise.all(this.#leases.map((lease) => lease.extend(ttl)))
  }

  /** In the reverse order of acquiring. */
  release(): Promise<readonly Released[]> {
    this.#released ??= releaseAll(this.#leases)
    return this.#released
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}

async function releaseAll(leases: readonly Lease[]): Promise<readonly Released[]> {
  const released: Released[] = []
  for (const lease of leases.toReversed()) released.unshift(await lease.release())
  return released
}

/** In one order for everybody, so that two that want the same names never wait for each other; one deadline for all of them. */
export async function acquireAll(
  names: readonly string[],
  options: { readonly waitMs: number; readonly clock: Clock },
  acquire: (name: string, wait: NonNullable<AcquireOptions['wait']>) => Promise<Lease>,
): Promise<MultiLease> {
  const sorted = [...new Set(names)].sort()
  if (sorted.length === 0)
    throw new LockstepError('LOCKSTEP_CONFIGURATION', { message: 'There is no name to be locked.' })
  const untilMs = options.clock.monotonicMs() + options.waitMs
  const leases: Lease[] = []
  try {
    for (const name of sorted) {
      const leftMs = untilMs - options.clock.monotonicMs()
      leases.push(await acquire(name, leftMs === Infinity ? Infinity : Math.max(0, Math.floor(leftMs))))
    }
    const all = new MultiLease(leases)
    // The first ones may have ended while the last was waited for.
    all.assertHeld()
    return all
  } catch (error) {
    await releaseAll(leases)
    throw error
  }
}
