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
import type { ObserveLocks } from './events.ts'
import { giveBack } from './giving-back.ts'
import { HeldLease, type HeldLeaseParts } from './held-lease.ts'
import { Keeper } from './keeper.ts'
import type { Lease } from './lease.ts'
import { type Contender, LocalQueues } from './local-queue.ts'
import type { ReadOptions } from './options.ts'
import { Owners } from './owners.ts'

export interface ContestParts {
  readonly backend: LockBackend
  readonly environment: LockEnvironment
  readonly context: AsyncContext
  readonly holder: LockHolder
  readonly tokenOffset: bigint
  readonly observe: ObserveLocks
}

/** What came of a turn: the caller asks the backend itself, or is given what the one before has asked for. */
type Turn = { readonly kind: 'enter' } | { readonly kind: 'granted'; readonly next: Promise<LockHold | null> }

/** What is asked for, and by whom. */
interface Wish {
  readonly key: string
  readonly name: string
  readonly mode: LockMode
  readonly options: ReadOptions
}

export class Contest {
  readonly owners: Owners
  readonly #parts: ContestParts
  readonly #queues = new LocalQueues()
  readonly #leases = new Set<HeldLease>()
  readonly #keeper: Keeper
  /** Of everybody who waits. One each: a signal that thousands listen to is slow, and Node warns of it. */
  readonly #waits = new Set<AbortController>()
  #isClosed = false

  constructor(parts: ContestParts) {
    this.#parts = parts
    this.owners = new Owners(parts.context)
    const { timers, clock } = parts.environment
    this.#keeper = new Keeper(timers, () => clock.monotonicMs())
  }

  /** Null when the wait is over and somebody else holds it. */
  async contend(name: string, mode: LockMode, options: ReadOptions): Promise<Lease | null> {
    options.signal?.throwIfAborted()
    if (this.#isClosed) throw closed()
    const { observe } = this.#parts
    const startedMs = this.#nowMs
    const wish: Wish = { key: queueKey(mode, name), name, mode, options }
    const about = () => ({ name, mode: mode.kind, waitedMs: this.#nowMs - startedMs })
    try {
      const hold = await this.#hold(wish, startedMs)
      if (hold === null) observe({ ...about(), kind: 'timeout' })
      else observe({ ...about(), kind: 'acquired', token: hold.token })
      return hold === null ? null : this.#lease(wish, hold)
    } catch (error) {
      observe({ ...about(), kind: 'failed', error })
      throw error
    }
  }

  /** Ends every wait, and gives back every lease. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const wait of this.#waits) wait.abort(closed())
    await Promise.all([...this.#leases].map((lease) => lease.release()))
  }

  async #hold({ key, name, mode, options }: Wish, startedMs: number): Promise<LockHold | null> {
    const { random } = this.#parts.environment
    const wait = new AbortController()
    const ask: LockAsk = {
      name,
      mode,
      ttlMs: options.ttlMs,
      waitMs: options.waitMs,
      signal: options.signal === undefined ? wait.signal : AbortSignal.any([options.signal, wait.signal]),
      owner: random.hex(20, 'lock owner'),
      holder: { ...this.#parts.holder, label: options.label },
    }
    this.#waits.add(wait)
    try {
      const turn = await this.#turn(key, ask)
      if (turn === null) return null
      const spentMs = this.#nowMs - startedMs
      return await this.#atBackend(key, turn, { ...ask, waitMs: Math.max(0, options.waitMs - spentMs) })
    } finally {
      this.#waits.delete(wait)
    }
  }

  #turn(key: string, ask: LockAsk): Promise<Turn | null> | Turn {
    const contender: Contender & { settle: (turn: Turn | null) => void } = {
      ask,
      untilMs: this.#nowMs + ask.waitMs,
      settle: () => {},
      enter: () => contender.settle({ kind: 'enter' }),
      granted: (next) => contender.settle({ kind: 'granted', next }),
    }
    if (this.#queues.join(key, contender)) return { kind: 'enter' }
    return this.#waitForTurn(key, contender)
  }

  #waitForTurn(key: string, contender: Contender & { settle: (turn: Turn | null) => void }): Promise<Turn | null> {
    const { ask } = contender
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        timer?.cancel()
        ask.signal.removeEventListener('abort', abort)
        settle()
      }
      contender.settle = (turn) => end(() => resolve(turn))
      const abort = (): void => {
        if (this.#queues.leave(key, contender)) end(() => reject(ask.signal.reason))
      }
      const giveUp = (): void => {
        if (this.#queues.leave(key, contender)) end(() => resolve(null))
      }
      const timer = Number.isFinite(ask.waitMs) ? this.#parts.environment.timers.after(ask.waitMs, giveUp) : null
      ask.signal.addEventListener('abort', abort, { once: true })
      if (ask.waitMs <= 0) giveUp()
    })
  }

  /** Whatever goes wrong, the turn passes on. */
  async #atBackend(key: string, turn: Turn, ask: LockAsk): Promise<LockHold | null> {
    try {
      const hold = turn.kind === 'granted' ? await turn.next : await this.#parts.backend.contend(ask)
      if (hold === null || !keepsTurn(ask.mode)) this.#passOn(key)
      return hold
    } catch (error) {
      this.#passOn(key)
      throw error
    }
  }

  #passOn(key: string): void {
    this.#queues.next(key)?.enter()
  }

  #lease(wish: Wish, hold: LockHold): Lease {
    const { backend, environment, observe } = this.#parts
    const parts: HeldLeaseParts = {
      ...wish,
      hold,
      ttlBounds: { minMs: backend.ttlMinMs, maxMs: backend.ttlMaxMs },
      tokenOf: (granted) => this.#tokenOf(granted),
      clock: environment.clock,
      timers: environment.timers,
      keeper: this.#keeper,
      observe,
      giveBack: () => this.#release(lease, wish, hold),
      onLost: () => this.#lose(lease, wish, hold),
      downgrade: () => this.#downgrade(lease, wish, hold),
      runAsOwner: (owned, work) => this.owners.run(owned, work),
    }
    const lease: HeldLease = new HeldLease(parts)
    this.#leases.add(lease)
    return lease
  }

  #tokenOf(hold: LockHold): bigint {
    const { backend, tokenOffset } = this.#parts
    if (backend.capabilities.fencing !== 'none') return hold.token + tokenOffset
    throw new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', { message: `${backend.name} has no fencing tokens.` })
  }

  /** Where the backend can, giving back and asking for the next waiter of this process are one request. */
  async #release(lease: HeldLease, { key, mode }: Wish, hold: LockHold): Promise<boolean> {
    this.#leases.delete(lease)
    if (!keepsTurn(mode)) return this.#giveBack(hold, () => {})
    const next = this.#queues.next(key)
    const { backend } = this.#parts
    if (next === null || backend.pass === undefined) return this.#giveBack(hold, () => next?.enter())
    try {
      const passed = await backend.pass(hold, { ...next.ask, waitMs: Math.max(0, next.untilMs - this.#nowMs) })
      next.granted(passed.next)
      return passed.wasHeld
    } catch {
      return this.#giveBack(hold, () => next.enter())
    }
  }

  /**
   * `then` runs when nobody of this process can own the name any more: on one session or connection the next would otherwise own it
   * together with the one before. Rejects at once when the backend is away.
   */
  async #giveBack(hold: LockHold, then: () => void): Promise<boolean> {
    const given = await giveBack(hold, this.#parts.environment)
    if (given.confirmed) {
      then()
      return given.wasHeld
    }
    void given.over.then(then)
    throw given.error
  }

  /** Its time is over for everybody else as well; what may be left of it is taken away. */
  #lose(lease: HeldLease, { key, mode }: Wish, hold: LockHold): void {
    this.#leases.delete(lease)
    void giveBack(hold, this.#parts.environment)
    if (keepsTurn(mode)) this.#passOn(key)
  }

  async #downgrade(lease: HeldLease, wish: Wish, hold: LockHold): Promise<Lease | null> {
    if (hold.downgrade === undefined) throw cannotDowngrade(this.#parts.backend.name)
    const reader = await hold.downgrade()
    if (reader === null) return null
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

function closed(): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
    message: 'These locks were closed.',
    retriable: false,
    next: 'Create them anew, or close them later.',
  })
}

function cannotDowngrade(backend: string): LockstepError {
  return new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', { message: `${backend} cannot downgrade a lock.` })
}
