/** Leases as rows of a table, by the time of the database. Every statement stands alone, so it works through a transaction pooler. */
import type { LockAsk, LockBackend, LockEnvironment, LockHold, OpenLockBackend, PgResult } from '../../ports/index.ts'
import { locksClosed, Underway, validUntil } from '../backend/index.ts'
import { LeaseLeftovers } from './lease-leftovers.ts'
import * as sql from './lease-statements.ts'
import { Listener } from './listener.ts'
import { infoOf, storedHolder } from './lock-info.ts'
import { Notices, type NoticeWait } from './notices.ts'
import { type LockPool, Statements } from './statements.ts'
import { makeTable, once, tablesIn } from './tables.ts'
import { NoAnswer, toLockError, unsupported } from './trouble.ts'
import { Wait } from './wait.ts'

export interface PostgresLeaseOptions {
  /** Where the table stands, which is made at the first use; `public` unless given. */
  readonly schema?: string
  /**
   * Whether one connection of the pool may listen for releases while somebody waits; true unless given. Without it they are polled. A pool of a
   * single connection needs false: nothing could be asked while it listens.
   */
  readonly listen?: boolean
  /** Bound of every statement, the wait for a connection counted; 5 s unless given. */
  readonly statementTimeoutMs?: number
}

const backendName = 'PostgreSQL leases'
/** The bound of a pause between two tries: while releases are heard of, and while they are not. */
const pollMs = { listening: 1_000, alone: 500 }

/**
 * Mutexes as rows of a table of PostgreSQL 12 or newer, through a pool of the package pg. It stays open, and keeps one listener for `acquire`,
 * so that a connection which ends while it is handed over does not end the process.
 *
 * **Guarantees** one holder of a name at a time by the clock of the database, and tokens that grow as long as its data survives.
 * **Does not guarantee** an order among those who wait; there are no read-write locks, semaphores and elections.
 * Fails with `LOCKSTEP_CONFIGURATION`. A process that dies frees its names after their TTL.
 *
 * @example
 * const locks = createLocks(postgresLeaseLocks(new Pool({ connectionString })))
 */
export function postgresLeaseLocks(pool: LockPool, options: PostgresLeaseOptions = {}): OpenLockBackend {
  const { schema = 'public', listen = true, statementTimeoutMs = 5_000 } = options
  const table = tablesIn(schema).leases
  return (environment) => new LeaseLocks({ pool, schema, table, listen, timeoutMs: statementTimeoutMs, environment })
}

interface LeaseLocksParts {
  readonly pool: LockPool
  readonly schema: string
  readonly table: string
  readonly listen: boolean
  readonly timeoutMs: number
  readonly environment: LockEnvironment
}

interface Granted {
  readonly token: bigint
  readonly validUntilMs: number
}

class LeaseLocks implements LockBackend {
  readonly name = 'postgres-lease'
  readonly capabilities = { fencing: 'durable', fair: false, wakeUp: 'push', sharing: false } as const
  readonly ttlMinMs = 100
  readonly ttlMaxMs = 86_400_000
  readonly #parts: LeaseLocksParts
  readonly #statements: Statements
  readonly #notices = new Notices()
  readonly #listener: Listener
  readonly #closing = new AbortController()
  readonly #prepared: () => Promise<void>
  readonly #leftovers: LeaseLeftovers
  readonly #contending = new Underway()

  constructor(parts: LeaseLocksParts) {
    this.#parts = parts
    const { pool, schema, table, timeoutMs, environment } = parts
    const statements = new Statements(pool, environment.timers)
    this.#statements = statements
    this.#leftovers = new LeaseLeftovers({ environment, closing: this.#closing.signal, timeoutMs })
    this.#listener = new Listener({ statements, notices: this.#notices, environment, timeoutMs })
    this.#prepared = once(() => makeTable(statements, { table, kind: 'leases', schema, timeoutMs }))
  }

  async contend(ask: LockAsk): Promise<LockHold | null> {
    if (ask.mode.kind !== 'mutex') throw unsupported(ask)
    return this.#contending.watch(this.#contend(ask))
  }

  async #contend(ask: LockAsk): Promise<LockHold | null> {
    const wait = new Wait({ ask, closing: this.#closing.signal, environment: this.#parts.environment })
    wait.check()
    const notice = this.#notices.join(ask.name)
    try {
      return await this.#throughTrouble(ask, wait, notice)
    } catch (error) {
      throw ask.signal.aborted && error === ask.signal.reason ? error : toLockError(error, backendName)
    } finally {
      notice.leave()
      this.#listener.rest()
    }
  }

  async inspect(name?: string) {
    return (await this.#asked(sql.inspectStatement(this.#parts.table), [name ?? null])).rows.map(infoOf)
  }

  async evict(name: string, token?: bigint) {
    const values = [name, token === undefined ? null : String(token)]
    return (await this.#asked(sql.evictStatement(this.#parts.table), values)).rows.map(infoOf)
  }

  async close(): Promise<void> {
    this.#closing.abort(locksClosed(backendName))
    await Promise.allSettled([this.#contending.over(), this.#listener.close()])
    await this.#leftovers.over()
  }

  /** Each try after trouble has an owner of its own: what takes back the one before would else take back this one. */
  async #throughTrouble(ask: LockAsk, wait: Wait, notice: NoticeWait): Promise<LockHold | null> {
    for (let troubles = 0; ; troubles += 1) {
      const owner = troubles === 0 ? ask.owner : `${ask.owner}+${troubles}`
      try {
        wait.asks()
        await wait.during(this.#prepared())
        return await this.#untilGranted({ ...ask, owner }, wait, notice)
      } catch (error) {
        await wait.bear(error)
      }
    }
  }

  async #untilGranted(ask: LockAsk, wait: Wait, notice: NoticeWait): Promise<LockHold | null> {
    for (;;) {
      wait.asks()
      const answer = await this.#take(ask, wait)
      if ('token' in answer) return this.#holdOf(ask, answer)
      if (wait.remainingMs <= 0) return null
      if (this.#parts.listen) this.#listener.need()
      const boundMs = this.#listener.isOpen ? pollMs.listening : pollMs.alone
      // What somebody else has left may be the shortest.
      await wait.pause(Math.min(boundMs, answer.leftMs + 25), (wake) => notice.listen(wake))
      if (wait.remainingMs <= 0) return null
    }
  }

  /** Whatever becomes of a try that nobody waits for any more, nothing of it stays. */
  async #take(ask: LockAsk, wait: Wait): Promise<Granted | { readonly leftMs: number }> {
    const { clock } = this.#parts.environment
    const sentMs = clock.monotonicMs()
    const values = [ask.name, ask.owner, ask.ttlMs, storedHolder(ask.holder)]
    const taking = this.#run(sql.takeStatement(this.#parts.table), values)
    try {
      const { token, left_ms: leftMs } = (await wait.during(taking)).rows[0] ?? {}
      wait.answered()
      if (token === null || token === undefined) return { leftMs: Number(leftMs ?? 0) }
      const validUntilMs = validUntil(sentMs, ask.ttlMs)
      if (clock.monotonicMs() < validUntilMs) return { token: BigInt(String(token)), validUntilMs }
      throw new NoAnswer('it was granted so late that it had ended', { wasSent: true })
    } catch (error) {
      // A copy that is still under way takes until it is given up, and then a TTL.
      const lastsMs = ask.ttlMs + this.#parts.timeoutMs
      this.#leftovers.takeBack(taking, () => this.#run(this.#release, [ask.name, ask.owner]), lastsMs)
      throw error
    }
  }

  #holdOf(ask: LockAsk, granted: Granted): LockHold {
    const { clock } = this.#parts.environment
    let { validUntilMs } = granted
    let heldTtlMs = ask.ttlMs
    return {
      token: granted.token,
      get ttlMs() {
        return heldTtlMs
      },
      get validUntilMs() {
        return validUntilMs
      },
      extend: async (ttlMs) => {
        const untilMs = validUntil(clock.monotonicMs(), ttlMs)
        // Of a shorter one the row makes nothing, but it is all that was asked for from now on.
        validUntilMs = Math.min(validUntilMs, untilMs)
        const values = [ask.name, ask.owner, ttlMs]
        const { rows } = await this.#asked(sql.extendStatement(this.#parts.table), values, ttlMs / 3)
        if (rows.length === 0) return false
        validUntilMs = untilMs
        heldTtlMs = ttlMs
        return true
      },
      release: async () => (await this.#asked(this.#release, [ask.name, ask.owner])).rows[0]?.['was_held'] === true,
      watch() {},
    }
  }

  get #release(): string {
    return sql.releaseStatement(this.#parts.table)
  }

  #run(text: string, values: unknown[], timeoutMs = this.#parts.timeoutMs): Promise<PgResult> {
    return this.#statements.run(text, values, Math.min(timeoutMs, this.#parts.timeoutMs))
  }

  async #asked(text: string, values: unknown[], timeoutMs?: number): Promise<PgResult> {
    if (this.#closing.signal.aborted && text !== this.#release) throw locksClosed(backendName)
    try {
      await this.#prepared()
      return await this.#run(text, values, timeoutMs)
    } catch (error) {
      throw toLockError(error, backendName)
    }
  }
}
