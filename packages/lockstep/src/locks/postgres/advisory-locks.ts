/** Advisory locks of PostgreSQL: one connection holds any number of names, and its end frees them all. */
import type { LockAsk, LockBackend, LockEnvironment, LockHold, LockInfo, OpenLockBackend } from '../../ports/index.ts'
import { locksClosed } from '../backend/index.ts'
import { AdvisorySession } from './advisory-session.ts'
import * as sql from './advisory-statements.ts'
import { infoOf, storedHolder } from './lock-info.ts'
import { Notices, type NoticeWait } from './notices.ts'
import { type LockPool, Statements } from './statements.ts'
import { makeTable, once, tablesIn } from './tables.ts'
import { NoAnswer, toLockError, unsupported } from './trouble.ts'
import { Wait } from './wait.ts'

export interface PostgresAdvisoryOptions {
  /** Where the table of the tokens stands, which is made at the first use; `public` unless given. */
  readonly schema?: string
  /** Without an answer for so long, the connection is given up and its holds are lost; 10 s unless given. */
  readonly ttlMs?: number
  /** Bound of opening the connection and of statements that are no part of a hold; 5 s unless given. */
  readonly statementTimeoutMs?: number
}

const backendName = 'PostgreSQL advisory locks'
/** A holder that dies tells nobody, so who waits also asks. */
const pollMs = 1_000

/**
 * Mutexes as advisory locks of PostgreSQL 12 or newer. Of the pool one connection is taken and kept, for every name; the pool stays open, and
 * keeps one listener for `acquire`, so that a connection which ends while it is handed over does not end the process.
 *
 * **Guarantees** one holder of a name at a time while that connection lives, and tokens that grow as long as the server's data survives.
 * **Does not guarantee** an order among those who wait; there are no read-write locks, semaphores and elections. `evict` ends the
 * holder's connection, and with it every other hold of that process.
 * Fails with `LOCKSTEP_CONFIGURATION` behind a pooler. A process that dies frees its names as soon as the server sees it.
 *
 * @example
 * const locks = createLocks(postgresAdvisoryLocks(new Pool({ connectionString })))
 */
export function postgresAdvisoryLocks(pool: LockPool, options: PostgresAdvisoryOptions = {}): OpenLockBackend {
  const { schema = 'public', ttlMs = 10_000, statementTimeoutMs = 5_000 } = options
  const table = tablesIn(schema).holds
  return (environment) => new AdvisoryLocks({ pool, schema, table, ttlMs, timeoutMs: statementTimeoutMs, environment })
}

interface AdvisoryLocksParts {
  readonly pool: LockPool
  readonly schema: string
  readonly table: string
  readonly ttlMs: number
  readonly timeoutMs: number
  readonly environment: LockEnvironment
}

class AdvisoryLocks implements LockBackend {
  readonly name = 'postgres-advisory'
  readonly capabilities = { fencing: 'durable', fair: false, wakeUp: 'push', sharing: false } as const
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
  readonly #parts: AdvisoryLocksParts
  readonly #statements: Statements
  readonly #notices = new Notices()
  readonly #closing = new AbortController()
  readonly #prepared: () => Promise<void>
  #session: AdvisorySession | null = null
  #beginning: AdvisorySession | null = null
  #opening: Promise<AdvisorySession> | null = null

  constructor(parts: AdvisoryLocksParts) {
    this.#parts = parts
    this.ttlMinMs = parts.ttlMs
    this.ttlMaxMs = parts.ttlMs
    const { pool, schema, table, timeoutMs, environment } = parts
    const statements = new Statements(pool, environment.timers)
    this.#statements = statements
    this.#prepared = once(() => makeTable(statements, { table, kind: 'holds', schema, timeoutMs }))
  }

  async contend(ask: LockAsk): Promise<LockHold | null> {
    if (ask.mode.kind !== 'mutex') throw unsupported(ask)
    const { environment } = this.#parts
    const wait = new Wait({ ask, closing: this.#closing.signal, environment })
    wait.check()
    const notice = this.#notices.join(ask.name)
    try {
      return await this.#throughTrouble(ask, wait, notice)
    } catch (error) {
      throw ask.signal.aborted && error === ask.signal.reason ? error : toLockError(error, backendName)
    } finally {
      notice.leave()
    }
  }

  async inspect(name?: string): Promise<readonly LockInfo[]> {
    return (await this.#rows(name)).map(infoOf)
  }

  async evict(name: string, token?: bigint): Promise<readonly LockInfo[]> {
    const found = await this.#rows(name)
    const wanted = found.filter((row) => token === undefined || String(row['token']) === String(token))
    const ended = await Promise.all(wanted.map((row) => this.#endConnection(Number(row['backend_pid']))))
    return wanted.filter((_, index) => ended[index]).map(infoOf)
  }

  async close(): Promise<void> {
    this.#closing.abort(locksClosed(backendName))
    this.#beginning?.end('the locks were closed')
    await this.#opening?.catch(() => undefined)
    this.#session?.end('the locks were closed')
  }

  async #throughTrouble(ask: LockAsk, wait: Wait, notice: NoticeWait): Promise<LockHold | null> {
    for (;;) {
      try {
        return await this.#untilGranted(ask, wait, notice)
      } catch (error) {
        await wait.bear(error)
      }
    }
  }

  async #untilGranted(ask: LockAsk, wait: Wait, notice: NoticeWait): Promise<LockHold | null> {
    for (;;) {
      wait.asks()
      const session = await wait.during(this.#current())
      const hold = await this.#take(session, ask, wait)
      if (hold !== null || wait.remainingMs <= 0) return hold
      await wait.pause(pollMs, (wake) => notice.listen(wake))
      if (wait.remainingMs <= 0) return null
    }
  }

  async #current(): Promise<AdvisorySession> {
    if (this.#closing.signal.aborted) throw locksClosed(backendName)
    if (this.#session?.isAlive === true) return this.#session
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #open(): Promise<AdvisorySession> {
    await this.#prepared()
    const { environment, ttlMs, timeoutMs } = this.#parts
    const client = await this.#statements.keep(timeoutMs)
    const session = new AdvisorySession({ client, environment, notices: this.#notices, ttlMs })
    this.#beginning = session
    try {
      this.#closing.signal.throwIfAborted()
      await session.begin()
    } catch (error) {
      session.end('it could not begin')
      throw error
    } finally {
      this.#beginning = null
    }
    this.#session = session
    // What was released while nobody listened is not known.
    this.#notices.tellAll()
    return session
  }

  /** A connection is granted what it holds a second time: whose name this process has not let go of yet is somebody else's. */
  async #take(session: AdvisorySession, ask: LockAsk, wait: Wait): Promise<LockHold | null> {
    if (session.names.has(ask.name)) return null
    session.names.add(ask.name)
    const taking = session.run(sql.takeStatement(this.#parts.table), [ask.name, storedHolder(ask.holder)])
    try {
      const token = (await wait.during(taking)).rows[0]?.['token']
      if (!session.isAlive) throw new NoAnswer('the answer came after the end of the session', { wasSent: true })
      wait.answered()
      if (token !== undefined) return this.#holdOf(session, ask, BigInt(String(token)))
      session.names.delete(ask.name)
      return null
    } catch (error) {
      void taking
        .then(
          ({ rows }) => (rows.length > 0 ? this.#giveBack(session, ask.name) : session.names.delete(ask.name)),
          // The lock may be held although its token could not be written.
          () => this.#giveBack(session, ask.name),
        )
        .catch(() => undefined)
      throw error
    }
  }

  #holdOf(session: AdvisorySession, ask: LockAsk, token: bigint): LockHold {
    let stop = (): unknown => undefined
    let isOver = false
    return {
      token,
      ttlMs: session.ttlMs,
      get validUntilMs() {
        return session.validUntilMs
      },
      extend: async () => {
        if (isOver) return false
        try {
          return await session.prove()
        } catch (error) {
          throw toLockError(error, backendName)
        }
      },
      release: async () => {
        if (isOver) return false
        isOver = true
        stop()
        return this.#giveBack(session, ask.name)
      },
      watch(tell) {
        const { state } = session
        stop = session.listen(tell)
        if (state === 'held') return
        void Promise.resolve().then(() => tell(state, 'the connection was not proven when it was granted'))
      },
    }
  }

  /** Goes out on the connection that holds it, behind whatever waits there; when that ends, so does the lock. Rejects without an answer. */
  async #giveBack(session: AdvisorySession, name: string): Promise<boolean> {
    if (!session.isAlive) return false
    try {
      return (await session.run(sql.releaseStatement, [name])).rows[0]?.['was_held'] === true
    } catch (error) {
      // A connection that cannot be told frees the name by its end.
      session.end('a lock could not be given back')
      throw toLockError(error, backendName)
    } finally {
      session.names.delete(name)
    }
  }

  async #rows(name: string | undefined): Promise<readonly Record<string, unknown>[]> {
    return this.#asked(sql.inspectStatement(this.#parts.table), [name ?? null])
  }

  async #endConnection(pid: number): Promise<boolean> {
    return (await this.#asked('select pg_terminate_backend($1) as ended', [pid]))[0]?.['ended'] === true
  }

  async #asked(text: string, values: unknown[]): Promise<readonly Record<string, unknown>[]> {
    if (this.#closing.signal.aborted) throw locksClosed(backendName)
    try {
      await this.#prepared()
      return (await this.#statements.run(text, values, this.#parts.timeoutMs)).rows
    } catch (error) {
      throw toLockError(error, backendName)
    }
  }
}
