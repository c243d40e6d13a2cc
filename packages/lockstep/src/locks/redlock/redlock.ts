import { LockstepError } from '../../errors.ts'
import type {
  LockAsk,
  LockBackend,
  LockEnvironment,
  LockHold,
  OpenLockBackend,
  RedisConnector,
} from '../../ports/index.ts'
import { type Duration, durationMs } from '../../protocol/index.ts'
import { locksClosed, Patience, Underway } from '../backend/index.ts'
import { isHopeless } from '../redis/hopeless.ts'
import { type Attempted, attempt } from './attempt.ts'
import { Notices } from './notices.ts'
import { type Grant, RedlockHold } from './redlock-hold.ts'
import { evictOnNodes, inspectNodes } from './redlock-inspection.ts'
import { keysOf } from './redlock-name.ts'
import { RedlockNode } from './redlock-node.ts'
import { Sleep } from './sleep.ts'
import { backendName, leaveNoMajority, unavailable } from './trouble.ts'

export interface RedlockOptions {
  /** In front of every key; `lockstep:redlock` unless given. */
  readonly prefix?: string
  /** How long one node is waited for: 5 % of the TTL within 5 to 50 ms unless given. Later answers count as no. */
  readonly nodeTimeout?: Duration
  /** The longest TTL that anybody asks for, 30 s unless given: a node that may have forgotten locks does not count for as long after its start. */
  readonly ttlMax?: Duration
}

/** A wait during which too few nodes answer for so long ends with LOCKSTEP_LOCK_UNAVAILABLE. */
const troubleMaxMs = 5_000
const sleepMaxMs = 500
/** A try that has only split the votes is repeated so many times, within this time. */
const lastRoundsMax = 2
const lastRoundsMaxMs = 100
const ttlMinMs = 50

/**
 * One lock on N independent masters: it is held while a majority of them stands for it.
 *
 * **Guarantees** what {@link Locks} does, also while fewer than half of the masters are away, as long as their clocks run at about the same
 * speed and those that do not sync every write are not asked for `ttlMax` after a restart.
 * **Does not guarantee** fairness, or anything when masters lose what they have answered: `appendfsync always` on each.
 * Fails with `LOCKSTEP_CONFIGURATION` for an even number of masters, fewer than three, or the same server twice; its calls do when so many
 * masters refuse the password or its rights that the others are no majority.
 *
 * @example
 * const locks = createLocks(redlock([a, b, c, d, e].map((client) => ioRedis(client))))
 */
export function redlock(masters: readonly RedisConnector[], options: RedlockOptions = {}): OpenLockBackend {
  if (masters.length < 3 || masters.length % 2 === 0)
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `RedLock needs an odd number of masters, at least three, but there are ${masters.length}.`,
      next: 'Five masters on five machines outlive two of them. With one master use redisLocks.',
    })
  const { prefix = 'lockstep:redlock', nodeTimeout, ttlMax = '30s' } = options
  if (!/^[A-Za-z0-9._:~@=+-]{1,100}$/.test(prefix))
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `The prefix of lock keys is 1 to 100 characters of A-Z a-z 0-9 . _ : ~ @ = + -, but is ${JSON.stringify(prefix)}.`,
    })
  const settings: Settings = {
    prefix,
    nodeTimeoutMs: nodeTimeout === undefined ? null : durationMs(nodeTimeout, 'nodeTimeout', { minMs: 1 }),
    ttlMaxMs: durationMs(ttlMax, 'ttlMax', { minMs: ttlMinMs }),
  }
  return (environment) => new Redlock(masters, settings, environment)
}

interface Settings {
  readonly prefix: string
  readonly nodeTimeoutMs: number | null
  readonly ttlMaxMs: number
}

class Redlock implements LockBackend {
  readonly name = 'redlock'
  readonly ttlMinMs = ttlMinMs
  readonly ttlMaxMs: number
  readonly #nodes: readonly RedlockNode[]
  readonly #notices: Notices
  readonly #settings: Settings
  readonly #environment: LockEnvironment
  /** What locking a majority takes, so that those who collide wait for longer than that. */
  #roundMs = 1
  readonly #closing = new AbortController()
  readonly #contending = new Underway()
  readonly #givingUp = new Underway()

  constructor(masters: readonly RedisConnector[], settings: Settings, environment: LockEnvironment) {
    this.ttlMaxMs = settings.ttlMaxMs
    this.#settings = settings
    this.#environment = environment
    const startupGraceMs = settings.ttlMaxMs
    this.#nodes = masters.map((connector) => new RedlockNode({ connector, environment, startupGraceMs }))
    this.#notices = new Notices(this.#nodes, environment.timers)
  }

  get capabilities() {
    const isDurable = this.#nodes.every(({ facts }) => facts?.syncsEveryWrite === true)
    const fencing = isDurable ? ('durable' as const) : ('best-effort' as const)
    return { fencing, fair: false, wakeUp: 'push' as const, sharing: false }
  }

  contend(ask: LockAsk): Promise<LockHold | null> {
    return this.#contending.watch(this.#contend(ask))
  }

  async #contend(ask: LockAsk): Promise<LockHold | null> {
    const { waitMs, signal } = ask
    const patience = this.#patience(signal, waitMs)
    patience.check()
    const { channel } = keysOf(this.#settings.prefix, ask.name)
    const sleep = new Sleep({ notices: this.#notices, channel, patience, random: this.#environment.random })
    try {
      if (waitMs > 0) await sleep.begin(this.#roundMs)
      for (let number = 0, splits = 0, troubleSinceMs = this.#nowMs; ; number++) {
        const attempted = await this.#attempt(ask, number, patience)
        if (attempted.grant !== null) return this.#holdOf(attempted.grant, channel)
        await refuseHopeless(attempted, patience)
        if (!attempted.isUnavailable) troubleSinceMs = this.#nowMs
        if (this.#nowMs - troubleSinceMs >= troubleMaxMs) throw notGranted(attempted)
        if (patience.remainingMs <= 0) return await this.#lastRounds(ask, number, attempted)
        splits = attempted.isHeld ? 0 : splits + 1
        const jitterMs = attempted.isHeld ? this.#fullJitterMs(sleepMaxMs) : this.#splitJitterMs(splits)
        await sleep.forUpTo(jitterMs, { isContended: attempted.isContended, roundMs: this.#roundMs })
      }
    } finally {
      sleep.end()
    }
  }

  /**
   * The wait is over. Null says that somebody else holds it: a vote that nobody has won is repeated a few times before, apart from each
   * other, since those who have split it would all be told that.
   */
  async #lastRounds(ask: LockAsk, number: number, last: Attempted): Promise<LockHold | null> {
    const patience = this.#patience(ask.signal, lastRoundsMaxMs)
    const { channel } = keysOf(this.#settings.prefix, ask.name)
    for (let attempted = last, round = 1; ; round++) {
      // It was settled by the first answers; what is told must be true of all.
      await patience.during(attempted.finished)
      if (attempted.isUnavailable || !attempted.isContended) throw notGranted(attempted)
      if (attempted.isHeld || round > lastRoundsMax || patience.remainingMs <= 0) return null
      await patience.untilWoken(() => () => {}, this.#splitJitterMs(round + 1))
      attempted = await this.#attempt(ask, number + round, patience)
      if (attempted.grant !== null) return this.#holdOf(attempted.grant, channel)
    }
  }

  #patience(signal: AbortSignal, waitMs: number): Patience {
    return new Patience({ waitMs, ends: [signal, this.#closing.signal], environment: this.#environment })
  }

  inspect(name?: string) {
    this.#assertOpen()
    return inspectNodes(this.#nodes, this.#settings.prefix, name)
  }

  evict(name: string, token?: bigint) {
    this.#assertOpen()
    return evictOnNodes(this.#nodes, this.#settings.prefix, name, token)
  }

  async close(): Promise<void> {
    this.#closing.abort(locksClosed(backendName))
    this.#notices.close()
    await this.#contending.over()
    await this.#givingUp.over()
    await Promise.all(this.#nodes.map((node) => node.close()))
  }

  #holdOf(grant: Grant, channel: string): LockHold {
    return new RedlockHold(grant, (listeners) => this.#notices.released(channel, grant.owner, listeners))
  }

  /** What ends the wait ends it at once; what it is granted afterwards is given back. */
  async #attempt(ask: LockAsk, number: number, patience: Patience): Promise<Attempted> {
    const { clock } = this.#environment
    const parts = {
      nodes: this.#nodes,
      keys: keysOf(this.#settings.prefix, ask.name),
      nodeTimeoutMs: this.#settings.nodeTimeoutMs ?? Math.min(50, Math.max(5, ask.ttlMs * 0.05)),
      nowMs: () => clock.monotonicMs(),
      since: clock.now(),
    }
    const attempting = attempt(ask, number, parts)
    try {
      const attempted = await patience.during(attempting)
      this.#refuseSameServerTwice()
      this.#roundMs = this.#roundMs * 0.8 + attempted.tookMs * 0.2
      return attempted
    } catch (error) {
      void this.#givingUp.watch(attempting.then((attempted) => attempted.giveUp()))
      throw error
    }
  }

  /** The bound doubles, so that those who have split the votes do not meet for long. */
  #splitJitterMs(splits: number): number {
    return this.#fullJitterMs(Math.min(sleepMaxMs, Math.max(1, this.#roundMs) * 2 ** Math.min(splits, 12)))
  }

  #fullJitterMs(boundMs: number): number {
    return this.#environment.random.fraction('redlock retry') * boundMs
  }

  #refuseSameServerTwice(): void {
    const known = this.#nodes.flatMap(({ name, facts }) => (facts === null ? [] : [{ name, runId: facts.runId }]))
    const twice = known.find(({ runId }, at) => known.findIndex((other) => other.runId === runId) < at)
    if (twice === undefined) return
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `${twice.name} is the same server as another of the masters: its vote would count twice.`,
      next: 'Give each master its own address.',
    })
  }

  #assertOpen(): void {
    this.#closing.signal.throwIfAborted()
  }

  get #nowMs(): number {
    return this.#environment.clock.monotonicMs()
  }
}

/** Settings that somebody has to mend before a majority can be had are told of at once. */
async function refuseHopeless(attempted: Attempted, patience: Patience): Promise<void> {
  if (!attempted.silences.some(({ error }) => isHopeless(error))) return
  // It was settled by the first answers; the rest of the nodes may be as hopeless.
  await patience.during(attempted.finished)
  if (leaveNoMajority(attempted.silences, attempted.quorum)) throw notGranted(attempted)
}

function notGranted({ silences, quorum }: Attempted): LockstepError {
  return unavailable('granted', silences, quorum)
}
