/**
 * How this process gets and gives back one name: the turn in its own queue, then the backend. What is given up in any phase of the wait
 * leaves nothing behind, neither here nor there.
 */
import { LockstepError, messageOf } from '../errors.ts'
import type { Environment, LockAsk, LockBackend, LockHold, LockHolder, LockMode } from '../ports/index.ts'
import { Lease } from './lease.ts'
import { type Contender, LocalQueues } from './local-queue.ts'
import type { ReadOptions } from './options.ts'

export interface ContestParts {
  readonly backend: LockBackend
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>
  readonly holder: LockHolder
}

/** What came of a turn: the caller asks the backend itself, or is given what the one before has asked for. */
type Turn = { readonly kind: 'enter' } | { readonly kind: 'granted'; readonly next: Promise<LockHold | null> }

/** A backend that is away is asked again this often to give back what it may hold, until the TTL has passed. */
const giveBackEveryMs = 250

export class Contest {
  readonly #parts: ContestParts
  readonly #queues = new LocalQueues()
  readonly #leases = new Set<Lease>()

  constructor(parts: ContestParts) {
    this.#parts = parts
  }

  /** Null when the wait is over and somebody else holds it. */
  async contend(name: string, mode: LockMode, options: ReadOptions): Promise<Lease | null> {
    options.signal?.throwIfAborted()
    const { clock, random } = this.#parts.environment
    const key = `${mode.kind} ${name}`
    const untilMs = clock.monotonicMs() + options.waitMs
    const ask: LockAsk = {
      name,
      mode,
      ttlMs: options.ttlMs,
      waitMs: options.waitMs,
      signal: options.signal ?? new AbortController().signal,
      owner: random.hex(20, 'lock owner'),
      holder: { ...this.#parts.holder, label: options.label },
    }
    const turn = await this.#turn(key, ask)
    if (turn === null) return null
    const hold = await this.#holdOf(key, turn, { ...ask, waitMs: Math.max(0, untilMs - clock.monotonicMs()) })
    return hold === null ? null : this.#lease(key, hold, { name, mode, options })
  }

  /** Gives back every lease. */
  async close(): Promise<void> {
    await Promise.all([...this.#leases].map((lease) => lease.release()))
  }

  #turn(key: string, ask: LockAsk): Promise<Turn | null> {
    const { timers } = this.#parts.environment
    return new Promise((resolve, reject) => {
      const settle = (turn: Turn | null): void => {
        timer?.cancel()
        ask.signal.removeEventListener('abort', abort)
        resolve(turn)
      }
      const contender: Contender = {
        ask,
        enter: () => settle({ kind: 'enter' }),
        granted: (next) => settle({ kind: 'granted', next }),
      }
      const abort = (): void => {
        if (!this.#queues.give(key, contender)) return
        timer?.cancel()
        reject(ask.signal.reason)
      }
      let timer: { cancel(): void } | null = null
      if (this.#queues.join(key, contender)) return resolve({ kind: 'enter' })
      const giveUp = (): void => {
        if (this.#queues.give(key, contender)) settle(null)
      }
      if (ask.waitMs <= 0) return giveUp()
      ask.signal.addEventListener('abort', abort, { once: true })
      if (ask.waitMs !== Infinity) timer = timers.after(ask.waitMs, giveUp)
    })
  }

  /** Whatever goes wrong, the turn passes on. */
  async #holdOf(key: string, turn: Turn, ask: LockAsk): Promise<LockHold | null> {
    try {
      const hold = turn.kind === 'granted' ? await turn.next : await this.#parts.backend.contend(ask)
      if (hold === null || ask.mode.kind === 'read' || ask.mode.kind === 'permit') this.#passOn(key)
      return hold
    } catch (error) {
      this.#passOn(key)
      throw error
    }
  }

  #passOn(key: string): void {
    this.#queues.next(key)?.enter()
  }

  #lease(key: string, hold: LockHold, about: { name: string; mode: LockMode; options: ReadOptions }): Lease {
    const { name, mode, options } = about
    const holdsTurn = mode.kind === 'mutex' || mode.kind === 'write'
    const lease = new Lease({
      name,
      hold,
      options,
      environment: this.#parts.environment,
      giveBack: () => {
        this.#leases.delete(lease)
        return holdsTurn ? this.#giveBackAndPass(key, hold) : this.#giveBack(hold)
      },
      onLost: () => {
        this.#leases.delete(lease)
        // Its time is over for everybody else as well; what may be left of it is taken away.
        void this.#giveBack(hold).catch(() => undefined)
        if (holdsTurn) this.#passOn(key)
      },
    })
    this.#leases.add(lease)
    return lease
  }

  /** Where the backend can, giving back and asking for the next waiter of this process are one request. */
  async #giveBackAndPass(key: string, hold: LockHold): Promise<boolean> {
    const { backend } = this.#parts
    const next = this.#queues.next(key)
    if (next === null || backend.pass === undefined) return this.#giveBack(hold).finally(() => next?.enter())
    try {
      const passed = await backend.pass(hold, next.ask)
      next.granted(passed.next)
      return passed.wasHeld
    } catch (error) {
      void this.#giveBack(hold).catch(() => undefined)
      next.enter()
      throw error
    }
  }

  /** Rejects at once when the backend is away, and goes on asking until the TTL has passed. */
  async #giveBack(hold: LockHold): Promise<boolean> {
    try {
      return await hold.release()
    } catch (error) {
      this.#giveBackLater(hold, this.#parts.environment.clock.monotonicMs() + hold.ttlMs)
      throw new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message: messageOf(error), cause: error })
    }
  }

  #giveBackLater(hold: LockHold, untilMs: number): void {
    const { timers, clock } = this.#parts.environment
    if (clock.monotonicMs() >= untilMs) return
    timers.after(giveBackEveryMs, () => {
      hold.release().catch(() => this.#giveBackLater(hold, untilMs))
    })
  }
}
