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
import { type Attempted, attempt } from './attempt.ts'
import { Notices } from './notices.ts'
import { RedlockHold, unavailable } from './redlock-hold.ts'
import { evictOnNodes, inspectNodes } from './redlock-inspection.ts'
import { keysOf } from './redlock-name.ts'
import { RedlockNode } from './redlock-node.ts'
import { Sleep } from './sleep.ts'

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
const ttlMinMs = 50

/**
 * One lock on N independent masters: it is held while a majority of them stands for it.
 *
 * **Guarantees** what {@link Locks} does, also while fewer than half of the masters are away, as long as their clocks run at about the same
 * speed and those that do not sync every write are not asked for `ttlMax` after a restart.
 * **Does not guarantee** fairness, or anything when masters lose what they have answered: `appendfsync always` on each.
 * Fails with `LOCKSTEP_CONFIGURATION` for an even number of masters, fewer than three, or the same server twice.
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
  #isClosed = false

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

  async contend(ask: LockAsk): Promise<LockHold | null> {
    this.#assertOpen()
    ask.signal.throwIfAborted()
    const keys = keysOf(this.#settings.prefix, ask.name)
    const untilMs = this.#nowMs + ask.waitMs
    const sleep = new Sleep(this.#notices, keys.channel, this.#environment, ask.signal)
    try {
      for (let number = 0, splits = 0, troubleSinceMs = this.#nowMs; ; number++) {
        const attempted = await this.#attempt(ask, number)
        if (attempted.grant !== null) return new RedlockHold(attempted.grant)
        if (!attempted.isUnavailable) troubleSinceMs = this.#nowMs
        if (this.#nowMs - troubleSinceMs >= troubleMaxMs) throw unavailable('granted', attempted.causes)
        const leftMs = untilMs - this.#nowMs
        if (leftMs <= 0) return await notGranted(attempted)
        splits = attempted.isHeld ? 0 : splits + 1
        const jitterMs = attempted.isHeld ? this.#fullJitterMs(sleepMaxMs) : this.#splitJitterMs(splits)
        await sleep.forUpTo(Math.min(leftMs, jitterMs), attempted.isContended)
        ask.signal.throwIfAborted()
        this.#assertOpen()
      }
    } finally {
      sleep.end()
    }
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
    this.#isClosed = true
    this.#notices.close()
    await Promise.all(this.#nodes.map((node) => node.close()))
  }

  /** An abort ends the wait for it at once; what it is granted afterwards is given back. */
  async #attempt(ask: LockAsk, number: number): Promise<Attempted> {
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
      const attempted = await unlessAborted(attempting, ask.signal)
      this.#refuseSameServerTwice()
      this.#roundMs = this.#roundMs * 0.8 + attempted.tookMs * 0.2
      return attempted
    } catch (error) {
      void attempting.then((attempted) => attempted.giveUp())
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
    if (!this.#isClosed) return
    throw new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message: 'These locks were closed.', retriable: false })
  }

  get #nowMs(): number {
    return this.#environment.clock.monotonicMs()
  }
}

/** Null when somebody else holds it; else too few nodes have answered. */
async function notGranted(attempted: Attempted): Promise<null> {
  // It was settled by the first answers; what is told must be true of all.
  await attempted.finished
  if (attempted.isUnavailable || !attempted.isContended) throw unavailable('granted', attempted.causes)
  return null
}

async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  let abort: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
