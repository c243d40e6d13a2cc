/** Where the lock backends meet that a command line can name. */
import { etcdLocks } from '@lockstep/etcd'
import { isZooKeeperError, openZooKeeper, zookeeperLocks } from '@lockstep/zookeeper'
import { LockstepError, messageOf } from 'lockstep'
import { postgresAdvisoryLocks, postgresLeaseLocks, redisLocks, redlock } from 'lockstep/locks'
import type { OpenLockBackend } from 'lockstep/ports'
import { type Address, hostsText, hostText, mistakenAddress, readAddress } from './address.ts'
import { readTlsFiles, type TlsFiles, tlsOptions } from './tls-files.ts'

/** What `--backend` takes, in words. */
export const backendForms = [
  'redis[s]://[user:password@]host:6379[/database][?prefix=lockstep]',
  'three or more of these with commas for RedLock',
  'zookeeper[s][+ephemeral]://[user:password@]host:2181,host:2181[/root]',
  'etcd[s]://[user:password@]host:2379[?prefix=lockstep/locks/]',
  'postgres[+advisory]://user:password@host/database[?schema=public]',
].join(', ')

/** A backend that is named on a command line. */
export interface NamedBackend {
  readonly open: OpenLockBackend
  /** Where it looks, for people. */
  readonly where: string
  /** False where a prefix that nobody uses looks like one under which nothing is held. */
  readonly knowsItsPlace: boolean
  /** Fails with `LOCKSTEP_NOT_FOUND` when there is no such place, where the backend can tell. Nothing is made by looking. */
  assertThere(): Promise<void>
  /** Ends what was opened for it; the locks are closed before. */
  end(): Promise<void>
}

/** An operator who waits for a server that is not there wants to know it soon. */
const answerMs = 4_000

const kinds: Readonly<Record<string, (url: string) => Promise<NamedBackend>>> = {
  redis: redisBackend,
  rediss: redisBackend,
  zookeeper: zookeeperBackend,
  zookeepers: zookeeperBackend,
  'zookeeper+ephemeral': zookeeperBackend,
  'zookeepers+ephemeral': zookeeperBackend,
  etcd: etcdBackend,
  etcds: etcdBackend,
  postgres: postgresBackend,
  postgresql: postgresBackend,
  'postgres+advisory': postgresBackend,
  'postgresql+advisory': postgresBackend,
}

/** Nothing is connected before the first call. Fails with `LOCKSTEP_CONFIGURATION` for what is no backend. */
export async function backendNamed(url: string): Promise<NamedBackend> {
  const scheme = /^[a-z+]+(?=:\/\/)/.exec(url)?.[0] ?? ''
  const open = Object.hasOwn(kinds, scheme) ? kinds[scheme] : undefined
  if (open !== undefined) return open(url)
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    // Not the whole of it: there may be a password in it.
    message:
      scheme === '' ? 'The backend is named by no URL.' : `${JSON.stringify(scheme)} is no kind of lock backend.`,
    next: `Name one as ${backendForms}.`,
  })
}

async function redisBackend(urls: string): Promise<NamedBackend> {
  const [{ Redis }, { ioRedis }] = await Promise.all([import('ioredis'), import('lockstep/redis')])
  const masters = urls.split(/,(?=rediss?:\/\/)/).map(readRedis)
  // Handles that are read and never connected: the locks open connections of their own.
  const connectors = masters.map(({ options }) => ioRedis(new Redis({ ...options, lazyConnect: true })))
  const [first, ...others] = connectors
  const isOne = first !== undefined && others.length === 0
  const { prefix = isOne ? 'lockstep' : 'lockstep:redlock' } = onePrefixOf(masters)
  const names = masters.map(({ name }) => name).join(' and ')
  if (new Set(masters.map(({ name }) => name)).size < masters.length)
    throw mistakenAddress('redis', 'has the same master twice', 'Its vote would count twice: give each master once.')
  return {
    open: isOne ? redisLocks(first, { prefix }) : redlock(connectors, { prefix }),
    where: `Redis ${names}, under the prefix ${prefix}`,
    knowsItsPlace: false,
    ...nothingToEnd,
  }
}

type RedisMaster = ReturnType<typeof readRedis>

function readRedis(url: string) {
  const address = readAddress(url, { usualPort: 6379, options: ['prefix', ...tlsOptions], hostsMax: 1 })
  const { scheme, hosts, user, password, path, options } = address
  const database = path.slice(1) || '0'
  if (!/^\d{1,6}$/.test(database))
    throw mistakenAddress(scheme, 'has a path that is no database', 'Write its number, such as redis://host:6379/2.')
  const [host] = hosts
  const tls = tlsOf(address, scheme === 'rediss')
  return {
    prefix: options.get('prefix'),
    name: `${host === undefined ? '' : hostText(host)} database ${database}`,
    options: {
      host: host?.name ?? '',
      port: host?.port ?? 0,
      db: Number(database),
      ...(user === null ? {} : { username: user }),
      ...(password === null ? {} : { password }),
      ...(tls === null ? {} : { tls }),
    },
  }
}

function onePrefixOf(masters: readonly RedisMaster[]): { readonly prefix?: string } {
  const prefixes = [...new Set(masters.flatMap(({ prefix }) => (prefix === undefined ? [] : [prefix])))]
  const [prefix, ...others] = prefixes
  if (others.length > 0)
    throw mistakenAddress(
      'redis',
      'has masters with different prefixes',
      'Give the prefix once, or always the same one.',
    )
  return prefix === undefined ? {} : { prefix }
}

async function zookeeperBackend(url: string): Promise<NamedBackend> {
  const address = readAddress(url, { usualPort: 2181, options: tlsOptions })
  const { scheme, path } = address
  const recipe = scheme.endsWith('+ephemeral') ? 'ephemeral' : 'queue'
  const root = path.replace(/\/$/, '') || '/lockstep/locks'
  const tls = tlsOf(address, scheme.startsWith('zookeepers'))
  const session = {
    servers: hostsText(address),
    sessionTimeoutMs: 10_000,
    requestTimeoutMs: answerMs,
    credentials: digestOf(address),
    ...(tls === null ? {} : { tls }),
  }
  const where = `ZooKeeper ${session.servers}, below ${root}`
  return {
    open: zookeeperLocks(session, { recipe, root }),
    where,
    knowsItsPlace: true,
    async assertThere() {
      const zookeeper = openZooKeeper(session)
      try {
        if ((await zookeeper.exists(root)) === null)
          throw noSuchPlace(`There is no node ${root} in ZooKeeper ${session.servers}`, 'root')
      } catch (error) {
        const isRefused = isZooKeeperError(error, 'AUTH_FAILED', 'SASL_REQUIRED')
        throw troubleAt(`ZooKeeper ${session.servers}`, error, isRefused)
      } finally {
        await zookeeper.close()
      }
    },
    end: async () => {},
  }
}

function digestOf({ scheme, user, password }: Address) {
  if (user === null && password === null) return []
  if (user !== null && password !== null) return [{ scheme: 'digest', secret: `${user}:${password}` }]
  throw mistakenAddress(scheme, 'has a user without a password, or a password without a user', 'Give both, or neither.')
}

async function etcdBackend(url: string): Promise<NamedBackend> {
  const address = readAddress(url, { usualPort: 2379, options: ['prefix', ...tlsOptions] })
  const { scheme, hosts, user, password, path, options } = address
  if (path !== '' && path !== '/')
    throw mistakenAddress(scheme, 'has a path', 'Write the prefix as an option: etcd://host:2379?prefix=myapp/locks/.')
  const tls = tlsOf(address, scheme === 'etcds')
  const prefix = options.get('prefix') ?? 'lockstep/locks/'
  const etcd = {
    endpoints: hosts.map((host) => `${tls === null ? 'http' : 'https'}://${hostText(host)}`),
    requestTimeoutMs: answerMs,
    ...(user === null ? {} : { username: user }),
    ...(password === null ? {} : { password }),
    ...(tls === null ? {} : { tls }),
  }
  const where = `etcd ${hostsText(address)}, under the prefix ${prefix}`
  return { open: etcdLocks(etcd, { prefix }), where, knowsItsPlace: false, ...nothingToEnd }
}

async function postgresBackend(url: string): Promise<NamedBackend> {
  const address = readAddress(url, { usualPort: 5432, options: null, hostsMax: 1, needsHost: false })
  const { default: pg } = await import('pg')
  const isAdvisory = address.scheme.endsWith('+advisory')
  const schema = address.options.get('schema') ?? 'public'
  const pool = new pg.Pool({
    connectionString: withoutSchema(url),
    max: 2,
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
  })
  pool.on('error', () => {})
  const table = `${schema}.${isAdvisory ? 'lockstep_lock_tokens' : 'lockstep_lock_leases'}`
  const database = `PostgreSQL ${hostsText(address) || 'here'}${address.path}`
  return {
    open: (isAdvisory ? postgresAdvisoryLocks : postgresLeaseLocks)(pool, { schema }),
    where: `${database}, in the table ${table}`,
    knowsItsPlace: true,
    // The locks would make the table, and its schema.
    assertThere: async () => {
      const found = await pool.query('select to_regclass($1) is not null as is_there', [table]).catch((error) => {
        throw troubleAt(database, error, /^(28|3D|42)/.test(String(error.code)) || /SASL|SSL/.test(messageOf(error)))
      })
      if (found.rows[0]?.is_there !== true) throw noSuchPlace(`There is no table ${table} in ${database}`, 'schema')
    },
    end: () => pool.end(),
  }
}

/** What is left is for the client of PostgreSQL, which knows `sslmode`, `sslrootcert` and more. */
function withoutSchema(url: string): string {
  const [place = '', query = ''] = url.replace(/^postgres(ql)?(\+advisory)?:/, 'postgres:').split('?', 2)
  const options = query.split('&').filter((one) => one !== '' && !/^schema(=|$)/.test(one))
  return options.length === 0 ? place : `${place}?${options.join('&')}`
}

const nothingToEnd = { assertThere: async () => {}, end: async () => {} }

/** Null without TLS. */
function tlsOf(address: Address, isSecure: boolean): TlsFiles | null {
  const files = readTlsFiles(address)
  if (isSecure) return files
  if (Object.keys(files).length === 0) return null
  throw mistakenAddress(address.scheme, 'has files for TLS', 'For TLS write rediss, zookeepers or etcds.')
}

function noSuchPlace(message: string, what: 'root' | 'schema'): LockstepError {
  return new LockstepError('LOCKSTEP_NOT_FOUND', {
    message: `${message}: no lock was ever taken there.`,
    next: `Check the ${what} in the address: it is the one that the processes have which take the locks. The first lock makes it.`,
  })
}

function troubleAt(where: string, error: unknown, isRefused: boolean): unknown {
  if (error instanceof LockstepError) return error
  const code = isRefused ? 'LOCKSTEP_CONFIGURATION' : 'LOCKSTEP_LOCK_UNAVAILABLE'
  const next = isRefused
    ? 'Check user, password, database and rights.'
    : 'Check host and port, and that the server runs.'
  return new LockstepError(code, { message: `${where}: ${messageOf(error)}`, next, cause: error })
}
