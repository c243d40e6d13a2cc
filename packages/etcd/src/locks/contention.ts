/**
 * One ask from its first request to its hold, or to nothing.
 *
 *   entering  the request that puts its entry is under way. Moves: answered → standing, or held; trouble that may pass → entering, behind
 *             a pause; given up → nothing stays.
 *   standing  its entry is in the queue. Moves: who stands before it leaves → looking; its session or its entry ends → entering, with
 *             what is left of the wait; given up → the entry is taken away.
 *   looking   its own entry and the queue are read in one view. Moves: nobody before it → held; somebody → standing; gone → entering.
 *
 * A wake-up proves nothing: the lease may have run out while it waited, and who left may have been a waiter. Only the look decides.
 */

import { LockstepError } from 'lockstep'
import type { Patience } from 'lockstep/lock-backend'
import type { LockAsk, LockEnvironment, LockHold } from 'lockstep/ports'
import { mutant } from '#mutant'
import { isEtcdError } from '../errors.ts'
import type { Blockers } from './admission.ts'
import type { Departures } from './departures.ts'
import { Endurance } from './endurance.ts'
import { EtcdHold } from './hold.ts'
import type { Candidate, Queues, Standing } from './queues.ts'
import type { EtcdSession } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { Sweeper } from './sweeper.ts'
import { isLeaseGone, toLockstepError } from './to-lockstep-error.ts'

export interface ContentionParts {
  readonly queues: Queues
  readonly sessions: Sessions
  readonly departures: Departures
  readonly sweeper: Sweeper
  readonly environment: LockEnvironment
  readonly requestMs: number
}

type Outcome = LockHold | null | 'begin anew'

/** A request may take this long even when less is left of the wait: one try must be possible. */
const graceMs = 1_000
const lookAgainMs = { least: 50, most: 500 }

export class Contention {
  readonly #parts: ContentionParts
  readonly #ask: LockAsk
  readonly #patience: Patience
  readonly #endurance: Endurance

  constructor(ask: LockAsk, patience: Patience, parts: ContentionParts) {
    this.#parts = parts
    this.#ask = ask
    this.#patience = patience
    this.#endurance = new Endurance(ask, patience, parts.environment)
  }

  async run(): Promise<LockHold | null> {
    // One try is a try on a session that lives: that the one before has ended may be found out by it.
    let triesLeft = this.#ask.waitMs > 0 ? 0 : 1
    for (;;) {
      const outcome = await this.#once()
      if (outcome !== 'begin anew') return outcome
      if (this.#patience.remainingMs <= 0 && triesLeft <= 0) throw this.#sessionLost()
      triesLeft -= 1
    }
  }

  /** From an entry that was put together with somebody's release. */
  async runFrom(standing: Standing, session: EtcdSession): Promise<LockHold | null> {
    const outcome = await this.#stand(standing, session)
    return outcome === 'begin anew' ? this.run() : outcome
  }

  async #once(): Promise<Outcome> {
    const entered = await this.#entered()
    return entered === null || entered === 'begin anew' ? entered : this.#stand(entered.standing, entered.session)
  }

  async #entered(): Promise<{ standing: Standing; session: EtcdSession } | null | 'begin anew'> {
    for (;;) {
      try {
        const session = await this.#patience.during(this.#parts.sessions.current())
        const standing = await this.#enter(session)
        this.#endurance.recover()
        return standing === null || standing === 'begin anew' ? standing : { standing, session }
      } catch (error) {
        if (!(await this.#endurance.bears(error))) throw toLockstepErrorUnlessGivenUp(error, this.#ask)
      }
    }
  }

  async #enter(session: EtcdSession): Promise<Standing | null | 'begin anew'> {
    const { queues, environment } = this.#parts
    const candidate = queues.candidate(this.#ask, session.leaseId, environment.random.hex(8, 'etcd lock entry'))
    const entering =
      this.#ask.waitMs > 0 ? queues.enter(candidate, this.#bounds) : queues.enterIfFree(candidate, this.#bounds)
    try {
      return await this.#patience.during(entering)
    } catch (error) {
      this.#undo(entering, candidate, session)
      if (!isLeaseGone(error)) throw error
      session.isGone('the server does not know its lease')
      return 'begin anew'
    }
  }

  async #stand(first: Standing, session: EtcdSession): Promise<Outcome> {
    try {
      for (let standing = first; ; ) {
        this.#patience.check()
        if (!session.isAlive) return 'begin anew'
        if (standing.blockers === null) return new EtcdHold({ ...this.#parts, standing, session })
        await this.#untilWorthALook(standing, standing.blockers, session)
        if (this.#patience.remainingMs <= 0) return await this.#giveUp(standing, session)
        const looked = session.isAlive ? await this.#look(standing, session) : null
        if (looked === null) return 'begin anew'
        standing = looked
      }
    } catch (error) {
      void this.#parts.sweeper.remove(first, session)
      throw error
    }
  }

  /** The net below the watch is a look per TTL. */
  #untilWorthALook(standing: Standing, blockers: Blockers, session: EtcdSession): Promise<unknown> {
    const { departures, environment } = this.#parts
    const netMs = session.ttlMs * (1 + environment.random.fraction('etcd lock look'))
    return this.#patience.untilWoken((wake) => {
      const stops = [
        departures.wait({ ...blockers, own: standing.key, listedAt: standing.listedAt }, wake),
        session.listen((state) => state === 'lost' && wake()),
      ]
      return () => {
        for (const stop of stops) stop()
      }
    }, netMs)
  }

  /**
   * Whoever stands in the queue keeps the place while nobody answers, for as long as the session lives: it would be lost to those behind
   * who have not looked. The 5 s of trouble are for what comes when it has ended.
   */
  async #look(standing: Standing, session: EtcdSession): Promise<Standing | null> {
    if (mutant('W6-no-list-again')) return { ...standing, blockers: null }
    for (;;) {
      try {
        return await this.#patience.during(this.#parts.queues.look(standing, this.#bounds))
      } catch (error) {
        this.#patience.check()
        const mayPass = isEtcdError(error) && error.outcome !== 'refused' && this.#patience.remainingMs > 0
        if (!mayPass) throw toLockstepError(error, this.#ask.name)
        if (!session.isAlive) return null
        const spreadMs = (lookAgainMs.most - lookAgainMs.least) * this.#parts.environment.random.fraction('etcd look')
        await this.#patience.untilWoken(() => () => undefined, lookAgainMs.least + spreadMs)
      }
    }
  }

  /** Whoever is told that the wait is over may come again at once, and must not find itself in the way. */
  async #giveUp(standing: Standing, session: EtcdSession): Promise<null> {
    await this.#patience.during(this.#parts.sweeper.remove(standing, session))
    return null
  }

  /** What is known not to have happened needs nothing; what may happen yet is withdrawn. */
  #undo(entering: Promise<Standing | null>, candidate: Candidate, session: EtcdSession): void {
    entering.then(
      (standing) => standing !== null && void this.#parts.sweeper.remove(standing, session),
      (error) => {
        const isSettled = isEtcdError(error) && error.outcome !== 'unknown'
        if (!isSettled && !mutant('W7-no-protected-create')) this.#parts.sweeper.withdraw(candidate, session)
      },
    )
  }

  #sessionLost(): LockstepError<'LOCKSTEP_LOCK_UNAVAILABLE'> {
    const { name } = this.#ask
    return new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
      message: `The place in the queue of the lock ${name} was lost with its session or taken away, and the wait is over.`,
      details: { name },
    })
  }

  get #bounds(): { readonly timeoutMs: number } {
    return { timeoutMs: Math.min(this.#parts.requestMs, Math.max(graceMs, this.#patience.remainingMs)) }
  }
}

/** The reason of an abort is the caller's own, and stays what it is. */
function toLockstepErrorUnlessGivenUp(error: unknown, ask: LockAsk): unknown {
  return ask.signal.aborted && error === ask.signal.reason ? error : toLockstepError(error, ask.name)
}
