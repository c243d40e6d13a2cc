/**
 * How this process gets and gives back one name: the turn in its own queue, then the backend. What is given up in any phase of the wait
 * leaves nothing behind, neither here nor there.
 */
import { LockstepError } from '../errors.ts'
import {
  type AsyncContext,
  type LockAsk,
  type LockBackend,
  type LockEnvironment,
  type LockHold,
  type LockHolder,
  type LockMode,
  lockKind,
} from '../ports/index.ts'
import { locksClosed } from './backend/index.ts'
import type { ObserveLocks } from './events.ts'
import { giveBack } from './giving-back.ts'
import { HeldLease, type LeaseDesk, type Wish } from './held-lease.ts'
import { Keeper } from './keeper.ts'
import type { Lease } from './lease.ts'
import { LocalQueues } from './local-queue.ts'
import type { ReadOptions } from './options.ts'
import { Owners } from './owners.ts'
import { type Turn, WaitingContender } from './waiting-contender.ts'

export interface ContestParts {
  readonly backend: LockBackend
  readonly environment: LockEnvironment
  readonly context: AsyncContext
  /** Ends every wait when the locks are closed; everybody who waits listens to it. */
  readonly closing: AbortController
  readonly holder: LockHolder
  readonly tokenOffset: bigint
  readonly observe: ObserveLocks
}

export class Contest {
  readonly owners: Owners
  readonly #parts: ContestParts
  readonly #queues = new LocalQueues()
  /** Names that were given back without an answer: until that is over nobody can have them. */
  readonly #troubles = new Map<string, LockstepError>()
  readonly #leases = new Set<HeldLease>()
  readonly #desk: LeaseDesk
  #holder: LockHolder

  constructor(parts: ContestParts) {
    this.#parts = parts
    this.owners = new Owners(parts.context)
    this.#holder = parts.holder
    const { timers, clock } = parts.environment
    const { backend, observe } = parts
    this.#desk = {
      // Asked each time: a session backend knows its own only when the session is open.
      get ttlBounds() {
        return { minMs: backend.ttlMinMs, maxMs: backend.ttlMaxMs }
      },
      clock,
      timers,
      keeper: new Keeper(timers, () => clock.monotonicMs()),
      observe,
      tokenOf: (hold) => this.#tokenOf(hold),
      giveBack: (lease) => this.#release(lease),
      lost: (lease) => this.#lose(lease),
      downgrade: (lease) => this.#downgrade(lease),
      runAsOwner: (lease, work) => this.owners.run(lease, work),
    }
  }

  /** Null when the wait is over and somebody else holds it. */
  async contend(name: string, mode: LockMode, options: ReadOptions): Promise<Lease | null> {
    options.signal?.throwIfAborted()
    this.#parts.closing.signal.throwIfAborted()
    const { observe } = this.#parts
    const startedMs = this.#nowMs
    const wish: Wish = { key: queueKey(mode, name), name, mode, options }
    const about = () => ({ name, mode: mode.kind, waitedMs: this.#nowMs - startedMs })
    try {
      const hold = await this.#hold(wish, startedMs)
      const lease = hold === null ? null : this.#lease(wish, hold)
      if (hold === null) observe({ ...about(), kind: 'timeout' })
      else observe({ ...about(), kind: 'acquired', token: hold.token + this.#parts.tokenOffset })
      return lease
    } catch (error) {
      observe({ ...about(), kind: 'failed', error })
      throw error
    }
  }

  /** Ends every wait, and gives back every lease. */
  async close(): Promise<void> {
    this.#parts.closing.abort(locksClosed(this.#parts.backend.name))
    await Promise.all([...this.#leases].map((lease) => lease.release()))
  }

  async #hold({ key, name, mode, options }: Wish, startedMs: number): Promise<LockHold | null> {
    const { closing, environment } = this.#parts
    const { signal } = closing
    const ask: LockAsk = {
      name,
      mode,
      ttlMs: options.ttlMs,
      waitMs: options.waitMs,
      signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]),
      owner: environment.random.hex(20, 'lock owner'),
      holder: this.#holderNamed(options.label),
    }
    const turn = await this.#turn(key, ask)
    if (turn === null) return null
    const spentMs = this.#nowMs - startedMs
    return this.#atBackend(key, turn, ask, Math.max(0, options.waitMs - spentMs))
  }

  /** The same object for the same label in a row, so that a backend need not write it down anew each time. */
  #holderNamed(label: string): LockHolder {
    if (this.#holder.label !== label) this.#holder = { ...this.#parts.holder, label }
    return this.#holder
  }

  #turn(key: string, ask: LockAsk): Promise<Turn | null> | Turn {
    const isTry = ask.waitMs <= 0
    // Those that share may hold it side by side: one that only tries need not know of the others.
    if (isTry && !keepsTurn(ask.mode)) return { kind: 'enter' }
    const contender = new WaitingContender({
      ask,
      untilMs: this.#nowMs + ask.waitMs,
      leave: (one) => this.#queues.leave(key, one),
      trouble: () => this.#troubles.get(key) ?? null,
    })
    if (this.#queues.join(key, contender)) return { kind: 'enter' }
    const turn = contender.wait(this.#parts.environment.timers)
    if (isTry && (!this.#queues.isBrief(key) || this.#troubles.has(key))) contender.giveUp()
    return turn
  }

  /** Whatever goes wrong, the turn passes on: who came to wait has one, however little of its wait is left. */
  async #atBackend(key: string, turn: Turn, ask: LockAsk, waitMs: number): Promise<LockHold | null> {
    const hasTurn = ask.waitMs > 0 || keepsTurn(ask.mode)
    try {
      const hold = turn.kind === 'granted' ? await turn.next : await this.#parts.backend.contend({ ...ask, waitMs })
      if (hold !== null && keepsTurn(ask.mode)) this.#queues.held(key)
      else if (hasTurn) this.#passOn(key)
      return hold
    } catch (error) {
      if (hasTurn) this.#passOn(key)
      throw error
    }
  }

  #passOn(key: string): void {
    for (let next = this.#queues.next(key); next !== null && !next.enter(); next = this.#queues.next(key));
  }

  /** After `close` nothing is held any more, whatever was granted meanwhile. */
  #lease(wish: Wish, hold: LockHold): Lease {
    const { closing, environment } = this.#parts
    if (closing.signal.aborted) {
      void giveBack(hold, environment, closing.signal)
      throw closing.signal.reason
    }
    const lease = new HeldLease(wish, hold, this.#desk)
    this.#leases.add(lease)
    return lease
  }

  #tokenOf(hold: LockHold): bigint {
    const { backend, tokenOffset } = this.#parts
    if (backend.capabilities.fencing !== 'none') return hold.token + tokenOffset
    throw new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', { message: `${backend.name} has no fencing tokens.` })
  }

  /** Where the backend can, giving back and asking for the next waiter of this process are one request. */
  async #release(lease: HeldLease): Promise<boolean> {
    const { wish, hold } = lease
    const { key, mode } = wish
    this.#leases.delete(lease)
    if (!keepsTurn(mode)) return this.#giveBack(null, hold, () => {})
    const { backend } = this.#parts
    const next = backend.pass !== undefined && this.#queues.isWaitedFor(key) ? this.#queues.next(key) : null
    if (next === null || backend.pass === undefined) {
      this.#queues.releasing(key)
      return this.#giveBack(key, hold, () => this.#passOn(key))
    }
    try {
      const passed = await backend.pass(hold, { ...next.ask, waitMs: Math.max(0, next.untilMs - this.#nowMs) })
      if (!next.granted(passed.next)) this.#giveBackWhatCame(key, passed.next)
      return passed.wasHeld
    } catch {
      const enterNext = (): void => {
        if (next.enter()) return
        backend.abandon?.(next.ask)
        this.#passOn(key)
      }
      // It may have been applied without an answer: then it is not held any more, and it was.
      if (await this.#giveBack(key, hold, enterNext)) return true
      const message = 'It was given back without an answer.'
      throw new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message, outcome: 'unknown' })
    }
  }

  /** The one it was asked for waits no more. */
  #giveBackWhatCame(key: string, next: Promise<LockHold | null>): void {
    const passOn = (): void => this.#passOn(key)
    next
      .then((hold) => (hold === null ? passOn() : this.#giveBack(key, hold, passOn).then(() => {})), passOn)
      .catch(() => {})
  }

  /**
   * `then` runs when nobody of this process can own the name any more: on one session or connection the next would otherwise own it
   * together with the one before. Rejects at once when the backend is away.
   */
  async #giveBack(key: string | null, hold: LockHold, then: () => void): Promise<boolean> {
    const given = await giveBack(hold, this.#parts.environment, this.#parts.closing.signal)
    if (given.confirmed) {
      then()
      return given.wasHeld
    }
    // Whoever waits here meanwhile waits for a backend that is away, and not for somebody else.
    if (key !== null) this.#troubles.set(key, given.error)
    void given.over.then(() => {
      if (key !== null && this.#troubles.get(key) === given.error) this.#troubles.delete(key)
      then()
    })
    throw given.error
  }

  /** Its time is over for everybody else as well; what may be left of it is taken away. */
  #lose(lease: HeldLease): void {
    this.#leases.delete(lease)
    void giveBack(lease.hold, this.#parts.environment, this.#parts.closing.signal)
    if (keepsTurn(lease.wish.mode)) this.#passOn(lease.wish.key)
  }

  async #downgrade(lease: HeldLease): Promise<Lease | null> {
    const { wish, hold } = lease
    if (hold.downgrade === undefined) throw cannotDowngrade(this.#parts.backend.name)
    const reader = await hold.downgrade()
    if (reader === null) return null
    if (!this.#leases.has(lease)) {
      // Lost meanwhile: who has lost the writer is told so, and has no reader either.
      void giveBack(reader, this.#parts.environment, this.#parts.closing.signal)
      return null
    }
    this.#leases.delete(lease)
    this.#passOn(wish.key)
    return this.#lease({ ...wish, mode: { kind: 'read' } }, reader)
  }

  get #nowMs(): number {
    return this.#parts.environment.clock.monotonicMs()
  }
}

/** While it is held nobody else of this process asks; those that share only ask one after the other. */
function keepsTurn(mode: LockMode): boolean {
  return mode.kind === 'mutex' || mode.kind === 'write'
}

/** Readers queue apart from writers: one reader that waits must not keep another of this process from a lock that readers hold. */
function queueKey(mode: LockMode, name: string): string {
  return `${mode.kind === 'permit' ? lockKind(mode) : mode.kind} ${name}`
}

function cannotDowngrade(backend: string): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', { message: `${backend} cannot downgrade a lock.` })
}
