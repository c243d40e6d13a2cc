/**
 * Locks on etcd. Each acquisition is a key of its own on the lease of the process; the create revisions are the queue, first come, first
 * served between processes, and the token. Nobody polls: one watch tells who has left.
 */
import { LockstepError } from 'lockstep'
import { locksClosed, Patience } from 'lockstep/lock-backend'
import type { LockAsk, LockBackend, LockEnvironment, LockHold, OpenLockBackend, Passed } from 'lockstep/ports'
import type { EtcdOptions } from '../client/options.ts'
import { isEtcdError } from '../errors.ts'
import { type Etcd, openEtcd } from '../etcd.ts'
import { Contention, type ContentionParts } from './contention.ts'
import { Departures } from './departures.ts'
import { probeKey } from './entry.ts'
import { EtcdHold } from './hold.ts'
import { evict, inspect } from './inspection.ts'
import { Queues } from './queues.ts'
import { Sessions } from './sessions.ts'
import { Sweeper } from './sweeper.ts'
import { toLockstepError } from './to-lockstep-error.ts'

export interface EtcdLocksOptions {
  /** Where the keys stand: `lockstep/locks/` unless given. It ends with a slash; nobody else writes below it. */
  readonly prefix?: string
  /** Of the lease of this process, which all its locks share: whole seconds from 1 s, 10 s unless given. */
  readonly ttlMs?: number
}

/**
 * Takes an open client, which stays open, or options, for a client of its own.
 *
 * **Guarantees** one holder of a name at a time as long as clocks run at about the same rate, tokens that grow by consensus, and first
 * come, first served between processes.
 * **Does not guarantee** that a holder that was paused knows yet that it has lost: pass the token to the resource.
 * Fails with `LOCKSTEP_CONFIGURATION`. A process that dies frees its names after `ttlMs`; `close` frees them at once.
 *
 * @example
 * const locks = createLocks(etcdLocks({ endpoints: 'http://127.0.0.1:2379' }, { ttlMs: 5_000 }))
 */
export function etcdLocks(etcd: Etcd | EtcdOptions, options: EtcdLocksOptions = {}): OpenLockBackend {
  const { prefix = 'lockstep/locks/', ttlMs = 10_000 } = options
  if (!/^[\x21-\x7e]{0,200}\/$/.test(prefix))
    throw mistaken(`the prefix ${JSON.stringify(prefix)} is none`, 'Give printable ASCII that ends with a slash.')
  if (!(Number.isInteger(ttlMs / 1_000) && ttlMs >= 1_000 && ttlMs <= 86_400_000))
    throw mistaken(`ttlMs is ${ttlMs}`, 'Give whole seconds from 1000 to 86400000 ms: a lease of etcd knows no others.')
  return (environment) => {
    const isOwn = !('txn' in etcd)
    const client = isOwn ? openEtcd({ ...etcd, environment }) : etcd
    const requestMs = isOwn ? (etcd.requestTimeoutMs ?? 5_000) : 5_000
    return new EtcdLockBackend({ etcd: client, isOwn, prefix, ttlMs, requestMs, environment })
  }
}

interface BackendParts {
  readonly etcd: Etcd
  readonly isOwn: boolean
  readonly prefix: string
  readonly ttlMs: number
  readonly requestMs: number
  readonly environment: LockEnvironment
}

class EtcdLockBackend implements LockBackend {
  readonly name = 'etcd'
  readonly capabilities = { fencing: 'consensus', fair: true, wakeUp: 'push', sharing: true } as const
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
  readonly #parts: BackendParts
  readonly #closing = new AbortController()
  readonly #contention: ContentionParts
  #closed: Promise<void> | null = null

  constructor(parts: BackendParts) {
    this.#parts = parts
    this.ttlMinMs = parts.ttlMs
    this.ttlMaxMs = parts.ttlMs
    const { etcd, environment, prefix, requestMs } = parts
    const queues = new Queues(etcd, prefix)
    const sessions = new Sessions(parts)
    const departures: Departures = new Departures({
      etcd,
      environment,
      prefix,
      probe: {
        everyMs: parts.ttlMs / 3,
        withinMs: parts.ttlMs / 6,
        write: async () => (departures.isWaitedFor ? writeProbe(etcd, sessions, parts) : null),
      },
    })
    const sweeper = new Sweeper({ queues, environment, closing: this.#closing.signal })
    this.#contention = { queues, sessions, departures, sweeper, environment, requestMs }
  }

  async contend(ask: LockAsk): Promise<LockHold | null> {
    return this.#contentionOf(ask).run()
  }

  async pass(hold: LockHold, ask: LockAsk): Promise<Passed> {
    const canPass = hold instanceof EtcdHold && hold.session.isAlive && !ask.signal.aborted
    if (!canPass) return { wasHeld: await hold.release(), next: quiet(this.contend(ask)) }
    const { queues, environment } = this.#contention
    // The wait counts from now, and the request is a part of it.
    const contention = this.#contentionOf(ask)
    const nonce = environment.random.hex(8, 'etcd lock entry')
    const candidate = queues.candidate(ask, hold.session.leaseId, nonce)
    try {
      const standing = await queues.pass(hold.standing, candidate)
      hold.end()
      if (standing === null) return { wasHeld: false, next: quiet(contention.run()) }
      return { wasHeld: true, next: quiet(contention.runFrom(standing, hold.session)) }
    } catch (error) {
      if (isEtcdError(error, 'unknown')) this.#contention.sweeper.withdraw(candidate, hold.session)
      throw toLockstepError(error, ask.name)
    }
  }

  async inspect(name?: string) {
    return this.#administered(() => inspect({ ...this.#parts, ...this.#contention }, name), name ?? 'of every name')
  }

  async evict(name: string, token?: bigint) {
    return this.#administered(() => evict({ ...this.#parts, ...this.#contention }, name, token), name)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort(locksClosed(this.name))
    this.#contention.departures.close()
    await this.#contention.sessions.close()
    if (this.#parts.isOwn) this.#parts.etcd.close()
  }

  #contentionOf(ask: LockAsk): Contention {
    const { environment } = this.#parts
    const patience = new Patience({ waitMs: ask.waitMs, ends: [ask.signal, this.#closing.signal], environment })
    return new Contention(ask, patience, this.#contention)
  }

  async #administered<Value>(work: () => Promise<Value>, name: string): Promise<Value> {
    this.#closing.signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      throw toLockstepError(error, name)
    }
  }
}

async function writeProbe(etcd: Etcd, sessions: Sessions, { prefix, ttlMs }: BackendParts): Promise<bigint | null> {
  const session = sessions.alive
  if (session === null) return null
  const put = { key: probeKey(prefix, session.leaseId), value: '', leaseId: session.leaseId }
  return etcd.put(put, { timeoutMs: ttlMs / 6, repeatable: true })
}

/** Whoever is to be given it may not have asked yet when it fails. */
function quiet<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined)
  return promise
}

function mistaken(what: string, next: string): LockstepError<'LOCKSTEP_CONFIGURATION'> {
  return new LockstepError('LOCKSTEP_CONFIGURATION', { message: `etcd locks: ${what}.`, next })
}
