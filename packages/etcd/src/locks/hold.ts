import type { HoldState, LockHold } from 'lockstep/ports'
import type { Queues, Standing } from './queues.ts'
import type { EtcdSession } from './session.ts'
import type { Sweeper } from './sweeper.ts'
import { toLockstepError } from './to-lockstep-error.ts'

interface HoldParts {
  readonly standing: Standing
  readonly session: EtcdSession
  readonly queues: Queues
  readonly sweeper: Sweeper
}

/** An entry that nobody stands before. It lives with the session; what it proves beyond that is that nobody has taken it away. */
export class EtcdHold implements LockHold {
  readonly standing: Standing
  readonly session: EtcdSession
  readonly #queues: Queues
  readonly #sweeper: Sweeper
  readonly #stops: (() => void)[] = []
  /** Its entry belongs to another hold now, or to nobody. */
  #isOver = false
  #isSwept = false
  readonly downgrade?: () => Promise<LockHold | null>

  constructor({ standing, session, queues, sweeper }: HoldParts) {
    this.standing = standing
    this.session = session
    this.#queues = queues
    this.#sweeper = sweeper
    if (standing.ask.mode.kind === 'write') this.downgrade = () => this.#downgrade()
  }

  get token(): bigint {
    return this.standing.token
  }

  get ttlMs(): number {
    return this.session.ttlMs
  }

  get validUntilMs(): number {
    return this.session.validUntilMs
  }

  async extend(): Promise<boolean> {
    if (this.#isOver) return false
    const [isAlive, isHeld] = await this.#asked(Promise.all([this.session.prove(), this.#queues.isHeld(this.standing)]))
    return isAlive && isHeld
  }

  async release(): Promise<boolean> {
    if (this.#isOver) return false
    this.#stopListening()
    try {
      return await this.#asked(this.#queues.leave(this.standing))
    } catch (error) {
      this.#sweep()
      throw error
    }
  }

  watch(tell: (state: HoldState, why: string) => void): void {
    const { state } = this.session
    if (state === 'held') this.#stops.push(this.session.listen(tell))
    else {
      const stop = state === 'at-risk' ? this.session.listen(tell) : () => undefined
      this.#stops.push(stop)
      queueMicrotask(() => tell(state, 'the session was not proven when it was granted'))
    }
  }

  /** Its entry is taken away together with the entering of the next one. */
  end(): void {
    this.#isOver = true
    this.#stopListening()
  }

  async #downgrade(): Promise<LockHold | null> {
    if (this.#isOver || !(await this.#asked(this.#queues.makeReader(this.standing)))) return null
    this.end()
    const standing: Standing = { ...this.standing, ask: { ...this.standing.ask, mode: { kind: 'read' } } }
    return new EtcdHold({ standing, session: this.session, queues: this.#queues, sweeper: this.#sweeper })
  }

  /** Whoever gave it back repeats that for a TTL or so; the entry would stand for as long as the session lives. */
  #sweep(): void {
    if (this.#isSwept || !this.session.isAlive) return
    this.#isSwept = true
    void this.#sweeper.remove(this.standing, this.session)
  }

  #stopListening(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  async #asked<Value>(request: Promise<Value>): Promise<Value> {
    try {
      return await request
    } catch (error) {
      throw toLockstepError(error, this.standing.ask.name)
    }
  }
}
