import { LockstepError } from '../errors.ts'
import { type AsyncContext, type LockMode, lockKind } from '../ports/index.ts'
import { BorrowedLease } from './borrowed-lease.ts'
import { type Lease, notOwner } from './lease.ts'

/** What a piece of asynchronous work owns, from the innermost outwards. */
interface Owned {
  readonly of: Owners
  readonly lease: Lease
  readonly outer: Owned | undefined
}

/**
 * Who owns a lease: the asynchronous context that `withLock` and `lease.run` open, never a thread or a session. Everything that is started
 * in it, also side by side, shares the lease; that is why a name is only given again to those who ask for it.
 */
export class Owners {
  readonly #context: AsyncContext

  constructor(context: AsyncContext) {
    this.#context = context
  }

  run<Result>(lease: Lease, work: () => Result): Result {
    const owned: Owned = { of: this, lease, outer: this.#owned() }
    return this.#context.run(owned, work)
  }

  /** The lease that this context owns already, or null. Fails when it has ended: this work has outlived its lock. */
  again(name: string, mode: LockMode): Lease | null {
    if (mode.kind === 'permit') throw noReentrantPermit(name)
    const lease = this.#find(name, mode)
    if (lease === undefined) return null
    if (lease.mode === 'read' && mode.kind === 'write') throw upgrade(name)
    if (lease.state === 'released') throw notOwner(name, 'this work has outlived the lock that it ran in')
    lease.assertHeld()
    return new BorrowedLease(lease)
  }

  /** A writer that waits for its own reader waits for ever. */
  refuseUpgrade(name: string, mode: LockMode): void {
    if (mode.kind !== 'write') return
    const lease = this.#find(name, mode)
    if (lease?.mode === 'read' && lease.state !== 'released' && lease.state !== 'lost') throw upgrade(name)
  }

  #find(name: string, mode: LockMode): Lease | undefined {
    for (let owned = this.#owned(); owned !== undefined; owned = owned.outer) {
      const { lease } = owned
      if (owned.of === this && lease.name === name && lockKind({ kind: lease.mode }) === lockKind(mode)) return lease
    }
    return undefined
  }

  #owned(): Owned | undefined {
    // Nobody else writes to this context: it is made for the locks of one process.
    return this.#context.get() as Owned | undefined
  }
}

function noReentrantPermit(name: string): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', {
    message: `${name} is a semaphore: whoever holds a permit may take another, so there is nothing to enter again.`,
  })
}

function upgrade(name: string): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', {
    message: `This work holds ${name} for reading, and a writer would wait for it for ever: there is no upgrade.`,
    next: 'Acquire it for writing from the start, and `downgrade` it.',
  })
}
