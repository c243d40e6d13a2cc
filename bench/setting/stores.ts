/** The stores that are measured: a file of its own, and a database of a private PostgreSQL with its usual durability. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { descendantsOf, postgresAvailable, type RunningPostgres, startPostgres } from '@lockstep/testkit'
import type { TransactionStore } from 'lockstep'
import { migrateUp, storeTarget } from 'lockstep/migrations'
import { postgresStore } from 'lockstep/postgres'
import { sqliteStore } from 'lockstep/sqlite'
import pg from 'pg'
import { parentOf } from '../measuring/process-use.ts'

export const storeKinds = ['sqlite', 'postgres'] as const
export type StoreKind = (typeof storeKinds)[number]

export interface Server {
  /** The server's own database, which is never measured. */
  readonly url: string
  readonly version: string
  /** The server and all its backends, as they are now. */
  pids(): readonly number[]
}

export interface Stores {
  readonly directory: string
  /** Null where none is installed or asked for. */
  readonly postgres: Server | null
  /** Those that are measured. */
  readonly kinds: readonly StoreKind[]
  /** The URL of a new and empty store with its schema. */
  create(kind: StoreKind): Promise<string>
  close(): Promise<void>
}

/** Those of the kinds that this machine has. */
export async function openStores(asked: readonly StoreKind[]): Promise<Stores> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-bench-'))
  const isAsked = asked.includes('postgres') && postgresAvailable().available
  const server = isAsked ? await startPostgres({ private: true, settings: serverSettings }) : null
  let files = 0
  return {
    directory,
    postgres: server === null ? null : await describe(server),
    kinds: asked.filter((kind) => kind === 'sqlite' || server !== null),
    async create(kind) {
      files += 1
      const url = kind === 'sqlite' ? `sqlite:${join(directory, `store-${files}.db`)}` : await newDatabase(server)
      await migrateUp(url)
      return url
    },
    async close() {
      await server?.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** A checkpoint in the middle of one run and not of another would be noise; durability stays as it is by default. */
const serverSettings = { max_wal_size: '2GB', checkpoint_timeout: '15min', shared_buffers: '256MB' }

export function openStore(url: string): TransactionStore {
  const target = storeTarget(url)
  return target.dialect === 'sqlite' ? sqliteStore({ path: target.path }) : postgresStore({ url: target.url })
}

export function sqlitePath(url: string): string {
  const target = storeTarget(url)
  if (target.dialect !== 'sqlite') throw new Error(`${url} is no SQLite file.`)
  return target.path
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function newDatabase(server: RunningPostgres | null): Promise<string> {
  if (server === null) throw new Error('There is no PostgreSQL here.')
  return server.createDatabase()
}

async function describe({ url }: RunningPostgres): Promise<Server> {
  return withClient(url, async (client) => {
    const { rows } = await client.query(
      "select current_setting('server_version') as version, pg_backend_pid() as backend",
    )
    const pid = parentOf(Number(rows[0]?.backend))
    const version = String(rows[0]?.version).split(' ')[0] ?? ''
    return { url, version, pids: () => [pid, ...descendantsOf(pid)] }
  })
}
