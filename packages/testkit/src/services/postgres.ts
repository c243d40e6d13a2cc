import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { initialise, postgresPrograms, serviceUser } from './postgres-programs.ts'
import { freePorts, type ServiceProcess, startServiceProcess } from './service-process.ts'

export interface RunningPostgres {
  /** The server's own database `postgres`, as a superuser. */
  readonly url: string
  /** False for a server of the user's, named by LOCKSTEP_TEST_POSTGRES_URL: nobody kills that. */
  readonly isPrivate: boolean
  /** A new, empty database, so that tests share nothing; `options` are those of CREATE DATABASE. */
  createDatabase(options?: string): Promise<string>
  /** Kills the postmaster and every backend with SIGKILL. */
  kill(): Promise<void>
  /** Starts again on the same port and data, and waits until it answers. */
  restart(): Promise<void>
  stop(): Promise<void>
  log(): string
}

export interface PostgresOptions {
  /** Off makes tests faster; never turn it off where durability is what is tested. */
  readonly fsync?: boolean
  /** Further settings of the server, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** True where the test kills or configures the server: a server of the user's is then not used. */
  readonly private?: boolean
}

export type PostgresAvailability = { readonly available: true } | { readonly available: false; readonly reason: string }

/** Whether tests can have a PostgreSQL here. */
export function postgresAvailable(): PostgresAvailability {
  if (givenUrl() !== undefined) return { available: true }
  const programs = postgresPrograms()
  return 'reason' in programs ? { available: false, reason: programs.reason } : { available: true }
}

/**
 * Whether the tests that need PostgreSQL run. Without it they are skipped, and the reason is printed; with
 * LOCKSTEP_TEST_REQUIRE=all, as in CI, that is a failure.
 */
export function testsWithPostgres(): boolean {
  const found = postgresAvailable()
  if (found.available) return true
  if (process.env['LOCKSTEP_TEST_REQUIRE'] === 'all') throw new Error(found.reason)
  process.stderr.write(`Skipped, for want of PostgreSQL: ${found.reason}\n`)
  return false
}

/**
 * A pool for tests. The server may stop before the sockets of an ended pool are closed, and then says farewell on them
 * (57P01): without listeners that would fail the run.
 */
export function quietPool(url: string, config: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ ...config, connectionString: url })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/**
 * Starts a PostgreSQL for this test alone, in a temporary directory and on a free port. It ends with this process.
 *
 * With LOCKSTEP_TEST_POSTGRES_URL the server named there is used instead, unless `private` is asked for.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const given = givenUrl()
  if (given !== undefined && options.private !== true) return givenServer(given)
  const programs = postgresPrograms()
  if ('reason' in programs) throw new Error(programs.reason)
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-postgres-'))
  const user = serviceUser()
  if (user) chownSync(directory, user.uid, user.gid)
  initialise(programs, directory, user)
  const [port = 0] = await freePorts(1)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const start = async (): Promise<ServiceProcess> => {
    const args = ['-D', join(directory, 'data'), ...settingArgs(port, options)]
    const server = startServiceProcess({
      name: 'postgres',
      command: programs.postgres,
      args,
      directory,
      environment: { LC_ALL: 'C' },
      ...(user ? { user } : {}),
    })
    await server.ready(() => answers(url))
    return server
  }
  let server = await start()
  return {
    url,
    isPrivate: true,
    createDatabase: (databaseOptions) => createDatabase(url, databaseOptions),
    kill: () => server.kill('SIGKILL'),
    async restart() {
      await server.kill('SIGINT')
      server = await start()
    },
    async stop() {
      // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients.
      await server.kill('SIGINT')
      rmSync(directory, { recursive: true, force: true })
    },
    log: () => server.log(),
  }
}

function givenUrl(): string | undefined {
  return process.env['LOCKSTEP_TEST_POSTGRES_URL'] || undefined
}

function givenServer(url: string): RunningPostgres {
  const refuse = async (): Promise<void> => {
    throw new Error('A server named by LOCKSTEP_TEST_POSTGRES_URL is not killed or restarted: ask for a private one.')
  }
  return {
    url,
    isPrivate: false,
    createDatabase: (databaseOptions) => createDatabase(url, databaseOptions),
    kill: refuse,
    restart: refuse,
    stop: async () => {},
    log: () => '',
  }
}

function settingArgs(port: number, options: PostgresOptions): string[] {
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 100,
    max_prepared_transactions: 100,
    shared_buffers: '64MB',
    min_wal_size: '32MB',
    max_wal_size: '256MB',
    log_min_messages: 'warning',
    fsync: options.fsync === false ? 'off' : 'on',
    ...options.settings,
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

async function answers(url: string): Promise<boolean> {
  await withClient(url, (client) => client.query('select 1'))
  return true
}

let databases = 0

async function createDatabase(url: string, options = ''): Promise<string> {
  databases += 1
  const name = `lockstep_test_${process.pid}_${Date.now()}_${databases}`
  await withClient(url, (client) => client.query(`create database ${name} ${options}`))
  const database = new URL(url)
  database.pathname = `/${name}`
  return database.href
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
