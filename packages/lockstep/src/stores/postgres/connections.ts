import pg from 'pg'
import { toLockstepError } from './to-lockstep-error.ts'

export interface ConnectionOptions {
  readonly url?: string
  readonly connection?: pg.PoolConfig
}

export type Rows = Record<string, unknown>[]

/** One pool of sessions with the same settings. Broken sessions are thrown away and made anew. */
export interface Sessions {
  /** One statement, one round trip. `name` keeps it prepared in the session. */
  query<Row>(text: string, values: readonly unknown[], name?: string): Promise<Row[]>
  /** One READ COMMITTED transaction, whatever the server's default is. */
  transact<T>(work: (query: Sessions['query']) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export type SessionSettings = Readonly<Record<string, string>>

const commonSettings: SessionSettings = {
  default_transaction_isolation: 'read committed',
  // If the packet of a COMMIT was lost, the old session still holds its row locks: these end it soon.
  idle_in_transaction_session_timeout: '2s',
  tcp_keepalives_idle: '5',
  tcp_keepalives_interval: '2',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '10s',
  lock_timeout: '5s',
  statement_timeout: '10s',
  // Every statement here finds its rows by an index. Plans made while a table was small must not scan it later, and
  // nested loops take row locks in the order of the batch, which is sorted by id.
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // A scan that cannot be avoided then looks so dear that every claim would be compiled first, for 300 ms.
  jit: 'off',
}

export function sessions(
  options: ConnectionOptions,
  own: {
    readonly max: number
    readonly where: string
    readonly queryTimeoutMs: number
    readonly settings?: SessionSettings
  },
): Sessions {
  const pool = makePool(options, own)
  const run = async <T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch((error) => {
      throw toLockstepError(error, own.where)
    })
    try {
      const result = await work(client)
      client.release()
      return result
    } catch (error) {
      // A session in an unknown state is never reused. The server rolls back what it had open.
      client.release(true)
      throw toLockstepError(error, own.where)
    }
  }
  return {
    query: (text, values, name) => run((client) => queryOn(client)(text, values, name)),
    transact: (work) =>
      run(async (client) => {
        await client.query('begin isolation level read committed')
        const result = await work(queryOn(client))
        await client.query('commit')
        return result
      }),
    close: () => pool.end(),
  }
}

function queryOn(client: pg.PoolClient): Sessions['query'] {
  return async <Row>(text: string, values: readonly unknown[], name?: string) => {
    const { rows } = await client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) })
    return rows as Row[]
  }
}

function makePool(options: ConnectionOptions, own: Parameters<typeof sessions>[1]): pg.Pool {
  const pool = new pg.Pool({
    ...options.connection,
    ...(options.url === undefined ? {} : { connectionString: options.url }),
    application_name: options.connection?.application_name ?? 'lockstep',
    max: own.max,
    min: 0,
    connectionTimeoutMillis: options.connection?.connectionTimeoutMillis ?? 5_000,
    query_timeout: own.queryTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    allowExitOnIdle: true,
    types: { getTypeParser: typeParser },
    onConnect: (client) => setUp(client, { ...commonSettings, ...own.settings }),
  })
  // A connection that breaks reports it here too, idle or in use; without listeners that would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** Settings that an older server does not know are left out. */
async function setUp(client: pg.ClientBase, settings: SessionSettings): Promise<void> {
  const text = `select set_config(known.name, wanted.value, false)
from unnest($1::text[], $2::text[]) as wanted(name, value) join pg_settings known on known.name = wanted.name`
  await client.query(text, [Object.keys(settings), Object.values(settings)])
}

const int8 = 20

/** Milliseconds, epochs and counters are safe integers. */
const typeParser = ((oid: number, format?: 'text' | 'binary') => {
  if (oid === int8 && format !== 'binary') return Number
  return pg.types.getTypeParser(oid, format as 'text')
}) as typeof pg.types.getTypeParser
