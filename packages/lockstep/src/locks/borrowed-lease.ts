import type { LockMode } from '../ports/index.ts'
import type { Duration } from '../protocol/index.ts'
import { type Lease, type LeaseState, type LockLostError, notOwner, type Released } from './lease.ts'

/**
 * What an inner `acquire` with `reentrant` gets: the lease of the work around it, with the same token. Its release gives back nothing but
 * the right to use it; the name is given back by the outermost one, and nobody inside owns it afterwards.
 */
export class BorrowedLease implements Lease {
  readonly #lease: Lease
  #released: Promise<Released> | null = null

  constructor(lease: Lease) {
    this.#lease = lease
  }

  get name(): string {
    return this.#lease.name
  }

  get mode(): LockMode['kind'] {
    return this.#lease.mode
  }

  get exclusive(): boolean {
    return this.#lease.exclusive
  }

  get ttlMs(): number {
    return this.#lease.ttlMs
  }

  get fencingToken(): bigint {
    return this.#lease.fencingToken
  }

  get state(): LeaseState {
    return this.#released !== null ? 'released' : this.#lease.state
  }

  get signal(): AbortSignal {
    return this.#lease.signal
  }

  get lost(): Promise<LockLostError> {
    return this.#lease.lost
  }

  remaining(): number {
    return this.#released !== null ? 0 : this.#lease.remaining()
  }

  assertHeld(): void {
    this.#assertNotReleased()
    this.#lease.assertHeld()
  }

  async extend(ttl?: Duration): Promise<void> {
    this.#assertNotReleased()
    await this.#lease.extend(ttl)
  }

  release(): Promise<Released> {
    const wasHeld = this.#lease.remaining() > 0
    this.#released ??= Promise.resolve({ released: wasHeld, wasHeld })
    return this.#released
  }

  async downgrade(): Promise<Lease> {
    throw notOwner(this.name, 'only the outermost lease can be downgraded')
  }

  run<Result>(work: () => Result): Result {
    this.#assertNotReleased()
    return this.#lease.run(work)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  #assertNotReleased(): void {
    if (this.#released !== null) throw notOwner(this.name)
  }
}
