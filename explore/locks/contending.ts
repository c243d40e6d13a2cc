import { mutant } from 'lockstep/testing'
import { after, believing, changed, hasTurn, isHeeding, isKnown, nameOf, phaseOf } from './queue-changes.ts'
import { disorder, wronged } from './queue-rules.ts'
import { type Answer, type Call, call, type Mode, nobody } from './queue-server.ts'
import type { Contender, Phase, QueueState } from './queue-state.ts'
import type { LockMove } from './state-search.ts'

export interface QueueOptions {
  /** For each process, how many of its tasks contend: one or two. */
  readonly processes: readonly (1 | 2)[]
  /** What each task wants: m for a mutex, r and w for reading and writing, p for one of two permits. */
  readonly modes: readonly Mode[]
  /** Also those who try once, or do not listen yet. */
  readonly tries: boolean
  /** Also connections of subscribers that are lost while their process lives. */
  readonly deaf: boolean
  /** Also requests that are executed after their sender has stopped waiting for them. */
  readonly strays: boolean
}

export type Visit = (move: LockMove<QueueState>) => void

export interface Turn {
  readonly state: QueueState
  readonly at: number
  readonly partners: readonly number[]
  readonly options: QueueOptions
}

/** What one contender may do next. */
export class Contending {
  readonly #state: QueueState
  readonly #at: number
  readonly #partner: number
  readonly #own: Contender
  readonly #options: QueueOptions
  readonly #visit: Visit

  constructor({ state, at, partners, options }: Turn, visit: Visit) {
    this.#state = state
    this.#at = at
    this.#partner = partners[at] ?? nobody
    this.#own = state.contenders[at] as Contender
    this.#options = options
    this.#visit = visit
  }

  moves(): void {
    const { phase } = this.#own
    if (phase === 'idle') this.#begins()
    else if (phase === 'next') this.#go('stops waiting for its process', { phase: 'idle' })
    else if (phase === 'trying') this.#tries()
    else if (phase === 'asking') this.#asks()
    else if (phase === 'sleeping') this.#sleeps()
    else if (phase === 'held') this.#holds()
    else if (phase === 'passing') this.#passes()
    else if (phase === 'releasing') this.#releases()
    else if (phase === 'leaving') this.#leaves()
    if (phase === 'dead') this.#rises()
    else if (phase !== 'idle') this.#dies()
    this.#strays()
    if (this.#options.deaf) this.#loses()
  }

  #begins(): void {
    const { server, contenders } = this.#state
    // It has a fresh owner: nothing that is said of the one before may be taken for its own.
    if (isKnown(server, this.#at) || this.#own.stray !== 'none' || this.#own.strayPass) return
    const other = phaseOf(contenders, this.#partner)
    if (other === 'dead' || other === 'next' || other === 'entering' || other === 'passing') return
    if (this.#partner !== nobody && contenders[this.#partner]?.strayPass === true) return
    if (hasTurn(other)) {
      this.#go('waits in its process', { phase: 'next' })
      return
    }
    this.#go('asks', { phase: 'asking' })
    if (this.#options.tries) this.#go('tries', { phase: 'trying' })
  }

  #tries(): void {
    const answer = this.#call({ script: 'acquire', caller: this.#at, how: 'once' })
    this.#unheard(answer, 'tries', 'trying')
    this.#givesUp('gives up')
    const token = granted(answer)
    if (token !== null) {
      this.#takes(answer, token, 'tries')
      return
    }
    const words = `${nameOf(this.#at)} tries in vain`
    this.#ends(this.#withNext(this.#changed({ phase: 'idle' }, answer)), words, this.#wrong(answer, 'own'))
    this.#after(answer, { phase: 'asking' }, 'tries in vain, and listens')
  }

  #asks(): void {
    const answer = this.#call({ script: 'acquire', caller: this.#at, how: this.#how })
    this.#unheard(answer, 'asks', 'asking')
    if (this.#options.strays && this.#own.stray === 'none')
      this.#go('asks once more, since the first time may be under way for long', { stray: 'on its way' })
    this.#givesUp('gives up')
    if (this.#options.strays && this.#own.stray === 'none')
      this.#givesUp('gives up, while its request is under way', 'on its way')
    if (granted(answer) !== null) this.#takes(answer, granted(answer), 'asks')
    else this.#waits(answer)
  }

  #waits(answer: Answer): void {
    const isQueued = answer.server.queue.includes(this.#at)
    const unqueued = isQueued ? null : `${nameOf(this.#at)} has to wait, and does not stand in the queue`
    const to = this.#changed({ phase: 'sleeping' }, answer)
    this.#ends(to, `${nameOf(this.#at)} asks, and has to wait`, this.#wrong(answer, 'own') ?? unqueued)
  }

  #sleeps(): void {
    this.#go('asks again', { phase: 'asking' }, true)
    this.#givesUp('has waited long enough')
    const [token, ...messages] = this.#own.messages
    if (token === undefined) return
    this.#go(`does not hear that it was granted ${token}`, { messages })
    if (mutant('M15-not-checked-after-the-wait')) {
      this.#takes(null, token, 'believes what it hears')
      return
    }
    const answer = this.#call({ script: 'extend', caller: this.#at })
    const isHeld = Array.isArray(answer.reply) && answer.reply[0] === 1
    if (isHeld) this.#takes(answer, token, 'hears of a grant, extends it')
    else this.#go('hears of a grant too late', { phase: 'asking', messages })
  }

  #holds(): void {
    if (this.#nextOf(this.#state)) {
      // From now on its local queue does not know it any more.
      const to = changed(this.#changed({ phase: 'passing' }), this.#partner, { phase: 'entering' })
      this.#visit({ to, text: `${nameOf(this.#at)} passes it on`, heals: true })
    } else this.#go('releases', { phase: 'releasing' }, true)
    // Its time is over for everybody else as well, so the next one asks at once.
    const to = this.#withNext(this.#changed({ phase: 'releasing' }))
    this.#visit({ to, text: `the validity of ${nameOf(this.#at)} ends`, heals: false })
  }

  #passes(): void {
    const next = this.#partner
    const answer = this.#call({ script: 'pass', caller: this.#at, next, how: howOf(this.#state, next) })
    const words = `${nameOf(this.#at)} passes it to ${nameOf(next)}`
    const unsent = this.#changed({ phase: 'releasing', strayPass: this.#options.strays })
    this.#visit({ to: unsent, text: `${words}, and hears no answer`, heals: false })
    const unheard = this.#leftTo(next, this.#changed({ phase: 'releasing' }, answer))
    const violation = this.#wrong(answer, 'pass', next)
    this.#visit({ to: unheard, text: `${words}, which is done, and hears no answer`, heals: false, violation })
    this.#passed(answer, words, violation)
    if (phaseOf(this.#state.contenders, next) !== 'entering') return
    const aborted = changed(this.#state, next, { phase: 'leaving' })
    this.#visit({ to: aborted, text: `${nameOf(next)} gives up`, heals: false })
  }

  #passed(answer: Answer, words: string, violation: string | null): void {
    const [wasHeld, isGranted, token] = answer.reply as readonly (number | string)[]
    const next = this.#partner
    const mine = this.#changed({ phase: 'idle' }, answer)
    const waits = phaseOf(mine.contenders, next) === 'entering'
    const put = (phase: Phase): QueueState => changed(mine, next, { phase })
    if (wasHeld === 0) this.#ends(waits ? put('asking') : mine, `${words}, too late`, violation)
    else if (isGranted === 0)
      this.#ends(waits ? put('sleeping') : this.#leftTo(next, mine), `${words}, which queues`, violation)
    else if (!waits) this.#ends(put('leaving'), `${words}, which is gone`, violation)
    else {
      const wrong = violation ?? disorder(mine, next, Number(token), this.#options.modes)
      this.#ends(
        believing(mine, next, Number(token), this.#options.modes),
        `${words}, which holds it with ${token}`,
        wrong,
      )
    }
  }

  /** What the script has done for one who has gone is left until its time is over. */
  #leftTo(next: number, state: QueueState): QueueState {
    return phaseOf(state.contenders, next) === 'idle' ? changed(state, next, { stray: 'executed' }) : state
  }

  #releases(): void {
    const answer = this.#call({ script: 'release', caller: this.#at })
    this.#unheard(answer, 'releases', 'releasing')
    const mine = this.#changed({ phase: 'idle' }, answer)
    const isEntered = this.#partner !== nobody && phaseOf(this.#state.contenders, this.#partner) === 'entering'
    const to = isEntered ? changed(mine, this.#partner, { phase: 'asking' }) : mine
    const violation = this.#wrong(answer, 'release')
    this.#ends(to, `${nameOf(this.#at)} has released`, violation)
    // Its wait is over meanwhile; what the pass may have brought it is given up.
    if (isEntered)
      this.#visit({
        to: changed(mine, this.#partner, { phase: 'leaving' }),
        text: `${nameOf(this.#at)} has released, and ${nameOf(this.#partner)} waits no longer`,
        heals: false,
        violation,
      })
  }

  #leaves(): void {
    const answer = this.#call({ script: 'farewell', caller: this.#at })
    this.#unheard(answer, 'leaves', 'leaving')
    this.#after(answer, { phase: 'idle' }, 'leaves')
  }

  #givesUp(words: string, stray = this.#own.stray): void {
    const to = this.#withNext(this.#changed({ phase: 'leaving', stray }))
    this.#visit({ to, text: `${nameOf(this.#at)} ${words}`, heals: false })
  }

  /** The turn of its process passes on. */
  #withNext(state: QueueState): QueueState {
    return this.#nextOf(state) ? changed(state, this.#partner, { phase: 'asking' }) : state
  }

  #nextOf({ contenders }: QueueState): boolean {
    return this.#partner !== nobody && phaseOf(contenders, this.#partner) === 'next'
  }

  /** The next of its process, who waits there or at the server, dies with it. */
  #dies(): void {
    const isAsking = this.#own.phase === 'asking' && this.#options.strays && this.#own.stray === 'none'
    for (const stray of isAsking ? (['none', 'on its way'] as const) : [this.#own.stray]) {
      const mine = this.#changed({ phase: 'dead', stray })
      const other = phaseOf(mine.contenders, this.#partner)
      const to = this.#partner === nobody || other === 'idle' ? mine : changed(mine, this.#partner, { phase: 'dead' })
      const words = stray === 'none' ? 'dies' : 'dies; what it has asked is under way'
      this.#visit({ to, text: `${nameOf(this.#at)} ${words}`, heals: false })
    }
  }

  #rises(): void {
    if (this.#own.hears) {
      this.#go('is seen to be gone', { hears: false }, true)
      return
    }
    const isLeft = isKnown(this.#state.server, this.#at) || this.#own.stray !== 'none' || this.#own.strayPass
    if (!isLeft) this.#go('comes back', { phase: 'idle', hears: true }, true)
  }

  #strays(): void {
    const { stray, strayPass } = this.#own
    if (stray === 'on its way') {
      const answer = this.#call({ script: 'acquire', caller: this.#at, how: 'listens' })
      this.#after(answer, { stray: 'executed' }, 'is late: what it once asked is executed')
      this.#go('is late: what it once asked is lost', { stray: 'none' }, true)
    }
    if (!strayPass) return
    const next = this.#partner
    const answer = this.#call({ script: 'pass', caller: this.#at, next, how: 'listens' })
    const to = changed(this.#changed({ strayPass: false }, answer), next, { stray: 'executed' })
    this.#ends(to, `the late pass of ${nameOf(this.#at)} is executed`, this.#wrong(answer, 'pass', next))
    this.#go('is late: its pass is lost', { strayPass: false }, true)
  }

  /** Its subscriber, while it lives. It asks again when it notices, and when it hears again. */
  #loses(): void {
    const { phase, hears } = this.#own
    if (!isHeeding(phase)) return
    if (hears) this.#go('hears nothing any more', { hears: false, messages: [] })
    else this.#go('hears again', { hears: true }, true)
  }

  get #how(): 'listens' | 'polls' {
    return howOf(this.#state, this.#at)
  }

  #call(one: Call): Answer {
    const hears = this.#state.contenders.map((contender) => contender.hears)
    return call(this.#state.server, one, this.#options.modes, hears)
  }

  #changed(change: Partial<Contender>, answer?: Answer): QueueState {
    return changed(answer === undefined ? this.#state : after(this.#state, answer), this.#at, change)
  }

  #go(words: string, change: Partial<Contender>, heals = false): void {
    this.#visit({ to: this.#changed(change), text: `${nameOf(this.#at)} ${words}`, heals })
  }

  #ends(to: QueueState, text: string, violation: string | null): void {
    this.#visit({ to, text, heals: true, violation })
  }

  #after(answer: Answer, change: Partial<Contender>, words: string): void {
    this.#ends(this.#changed(change, answer), `${nameOf(this.#at)} ${words}`, this.#wrong(answer, 'own'))
  }

  #unheard(answer: Answer, words: string, phase: Phase): void {
    const violation = this.#wrong(answer, 'own')
    const text = `${nameOf(this.#at)} ${words}, and hears no answer`
    this.#visit({ to: this.#changed({ phase }, answer), text, heals: false, violation })
  }

  #takes(answer: Answer | null, token: number | null, words: string): void {
    const before = answer === null ? this.#state : after(this.#state, answer)
    const wrong = answer === null ? null : this.#wrong(answer, 'own')
    const violation = wrong ?? disorder(before, this.#at, token ?? 0, this.#options.modes)
    const to = believing(before, this.#at, token ?? 0, this.#options.modes)
    this.#ends(to, `${nameOf(this.#at)} ${words}, and holds it with ${token}`, violation)
  }

  #wrong(answer: Answer, kind: 'own' | 'pass' | 'release', next: number = this.#at): string | null {
    return wronged(this.#state, answer, kind === 'pass' ? next : this.#at, kind !== 'own')
  }
}

function howOf({ contenders }: QueueState, at: number): 'listens' | 'polls' {
  return contenders[at]?.hears === true ? 'listens' : 'polls'
}

function granted({ reply }: Answer): number | null {
  return Array.isArray(reply) && reply[0] === 1 ? Number(reply[1]) : null
}
