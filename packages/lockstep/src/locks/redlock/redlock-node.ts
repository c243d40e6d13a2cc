import { mutant } from '#mutant'
import { LockstepError } from '../../errors.ts'
import {
  type LockEnvironment,
  RedisCallError,
  type RedisConnection,
  type RedisConnector,
  type RedisListener,
  type RedisReply,
  type RedisScript,
  type RedisSubscription,
  type Timer,
} from '../../ports/index.ts'
import { readServer, type ServerFacts } from './server-facts.ts'

export interface Question {
  readonly script: RedisScript
  readonly keys: readonly string[]
  readonly args: readonly string[]
  readonly timeoutMs: number
}

/** A release that a node owes: it was away when it was due. */
interface Debt {
  readonly question: Question
  readonly untilMs: number
}

const debtsMax = 10_000
const payEveryMs = 250
const factsTimeoutMs = 500

export interface RedlockNodeParts {
  readonly connector: RedisConnector
  readonly environment: LockEnvironment
  /** A node that does not sync every write forgets at a restart: it does not count until everything has run out that it may have granted. */
  readonly startupGraceMs: number
}

/** One master: what it is asked, whether it counts, and what it owes. */
export class RedlockNode {
  readonly name: string
  readonly #connection: RedisConnection
  readonly #environment: LockEnvironment
  readonly #startupGraceMs: number
  #facts: Promise<ServerFacts> | null = null
  #known: ServerFacts | null = null
  #debts: Debt[] = []
  #paying: Promise<void> | null = null
  #pausing: Timer | null = null
  readonly #releasing = new Set<Promise<unknown>>()
  #isClosed = false

  constructor({ connector, environment, startupGraceMs }: RedlockNodeParts) {
    this.name = connector.name
    this.#environment = environment
    this.#startupGraceMs = startupGraceMs
    this.#connection = connector.open(environment)
    // Whoever answers after a reconnection may be another process than before.
    this.#connection.onConnectionChange((state) => {
      if (state !== 'lost') return
      this.#facts = null
      this.#known = null
    })
  }

  /** Null before it was ever asked. */
  get facts(): ServerFacts | null {
    return this.#known
  }

  /**
   * As `ask`, of a node that counts; rejects when it does not, or is away. What is not wanted any more when the node is known is not sent:
   * a release may have gone out meanwhile, and would be overtaken by what it releases.
   */
  async vote(question: Question, isWanted: () => boolean): Promise<RedisReply> {
    // Known facts cost no turn: all nodes of an attempt must be asked in one.
    if (this.#known === null) {
      await this.#readFacts()
      if (!isWanted()) throw new RedisCallError('not-sent', 'It was too late to vote.')
    }
    this.#assertCounts()
    return this.ask(question)
  }

  ask({ script, keys, args, timeoutMs }: Question): Promise<RedisReply> {
    return this.#connection.script(script, keys, args, { timeoutMs })
  }

  command(args: readonly string[], timeoutMs: number): Promise<RedisReply> {
    return this.#connection.command(args, { timeoutMs })
  }

  subscribe(channel: string, listener: RedisListener): Promise<RedisSubscription> {
    return this.#connection.subscribe(channel, listener)
  }

  /** Asked now, and again while it does not answer, until it cannot matter any more. */
  owe(question: Question, lastsMs: number): void {
    const debt = { question, untilMs: this.#environment.clock.monotonicMs() + lastsMs }
    const paying = this.#payOne(debt).then((unpaid) => {
      if (unpaid !== null) this.#keep(unpaid)
    })
    this.#releasing.add(paying)
    void paying.finally(() => this.#releasing.delete(paying))
  }

  #keep(debt: Debt): void {
    if (this.#debts.length >= debtsMax) this.#debts.shift()
    this.#debts.push(debt)
    this.#paying ??= this.#payLater()
  }

  /** A release, of what runs out by itself after `lastsMs`. What is not answered is owed. */
  async release(question: Question, lastsMs: number): Promise<RedisReply> {
    const asking = this.ask(question)
    this.#releasing.add(asking)
    try {
      return await asking
    } catch (error) {
      this.owe(question, lastsMs)
      throw error
    } finally {
      this.#releasing.delete(asking)
    }
  }

  /** Releases that are on their way may arrive: a majority has answered them long before the last node. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#pausing?.cancel()
    await Promise.allSettled([...this.#releasing])
    await this.#connection.close()
  }

  async #readFacts(): Promise<void> {
    const reading = this.#facts ?? readServer(this.#connection, this.#environment.clock, factsTimeoutMs)
    this.#facts = reading
    try {
      const known = await reading
      // Read from a connection that was lost meanwhile, they say nothing of who answers now.
      if (this.#facts === reading) this.#known = known
    } catch (error) {
      if (this.#facts === reading) this.#facts = null
      throw error
    }
  }

  #assertCounts(): void {
    const { clock } = this.#environment
    const facts = this.#known
    if (facts === null) throw new RedisCallError('not-sent', 'It was lost before it could vote.')
    if (facts.syncsEveryWrite || mutant('W5-no-startup-grace')) return
    const graceMs = facts.upSinceMs + this.#startupGraceMs - clock.monotonicMs()
    if (graceMs <= 0) return
    throw new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', {
      message: `It has restarted and may have forgotten locks: it counts in ${Math.ceil(graceMs)} ms.`,
      next: 'Set `appendfsync always` on it; then it counts at once.',
    })
  }

  async #payLater(): Promise<void> {
    while (this.#debts.length > 0 && !this.#isClosed) {
      await this.#pause(payEveryMs)
      const debts = this.#debts.splice(0)
      const unpaid = await Promise.all(debts.map((debt) => this.#payOne(debt)))
      this.#debts.push(...unpaid.filter((debt) => debt !== null))
    }
    this.#paying = null
  }

  async #payOne(debt: Debt): Promise<Debt | null> {
    try {
      await this.ask({ ...debt.question, timeoutMs: payEveryMs })
      return null
    } catch (error) {
      const isRefused = error instanceof RedisCallError && error.failure === 'refused'
      return isRefused || this.#environment.clock.monotonicMs() >= debt.untilMs ? null : debt
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pausing = this.#environment.timers.after(ms, resolve)
    })
  }
}
