/** Where the lock backends meet that a command line can name. */
import { etcdLocks } from '@lockstep/etcd'
import { zookeeperLocks } from '@lockstep/zookeeper'
import { LockstepError } from 'lockstep'
import { postgresAdvisoryLocks, postgresLeaseLocks, redisLocks, redlock } from 'lockstep/locks'
import type { OpenLockBackend } from 'lockstep/ports'

/** What `--backend` takes, in words. */
export const backendForms =
  'redis://host:6379, three or more with commas for RedLock, zookeeper://host:2181,host:2181[/root], ' +
  'zookeeper+ephemeral://…, etcd://host:2379, postgres://user@host/database[?schema=name], postgres+advisory://…'

/** A backend that is named on a command line, and how to end what was opened for it. */
export interface NamedBackend {
  readonly open: OpenLockBackend
  end(): Promise<void>
}

type Scheme = (url: string) => Promise<NamedBackend>

const schemes: Readonly<Record<string, Scheme>> = {
  'redis:': redisBackend,
  'rediss:': redisBackend,
  'zookeeper:': async (url) => zookeeperBackend(url, 'queue'),
  'zookeeper+ephemeral:': async (url) => zookeeperBackend(url, 'ephemeral'),
  'etcd:': async (url) => without(etcdLocks({ endpoints: hostsOf(url).map((host) => `http://${host}`) })),
  'etcds:': async (url) => without(etcdLocks({ endpoints: hostsOf(url).map((host) => `https://${host}`) })),
  'postgres:': (url) => postgresBackend(url),
  'postgresql:': (url) => postgresBackend(url),
  'postgres+advisory:': (url) => postgresBackend(url),
}

/** Nothing is connected before the first call. `LOCKSTEP_CONFIGURATION` for what is no backend. */
export function backendNamed(url: string): Promise<NamedBackend> {
  const scheme = schemes[url.slice(0, url.indexOf('://') + 1)]
  if (scheme !== undefined) return opened(scheme, url)
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    // Not the whole of it: there may be a password in it.
    message: `${JSON.stringify(url.slice(0, Math.max(0, url.indexOf('://'))))} is no kind of lock backend.`,
    next: `Name one as ${backendForms}.`,
  })
}

async function opened(scheme: Scheme, url: string): Promise<NamedBackend> {
  try {
    return await scheme(url)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `The address of the ${url.slice(0, url.indexOf(':'))} backend is no valid URL.`,
      next: `Name one as ${backendForms}.`,
      cause: error,
    })
  }
}

async function redisBackend(urls: string): Promise<NamedBackend> {
  const [{ Redis }, { ioRedis }] = await Promise.all([import('ioredis'), import('lockstep/redis')])
  // Handles that are read and never connected: the locks open connections of their own.
  const connectors = urls.split(',').map((url) => ioRedis(new Redis(url, { lazyConnect: true })))
  const [first, ...others] = connectors
  return without(first !== undefined && others.length === 0 ? redisLocks(first) : redlock(connectors))
}

function zookeeperBackend(url: string, recipe: 'queue' | 'ephemeral'): NamedBackend {
  const { pathname } = new URL(url.replace(/,[^/]*/, ''))
  const servers = hostsOf(url).join(',')
  const root = pathname === '' || pathname === '/' ? {} : { root: pathname }
  return without(zookeeperLocks({ servers, sessionTimeoutMs: 10_000 }, { recipe, ...root }))
}

async function postgresBackend(url: string): Promise<NamedBackend> {
  const { default: pg } = await import('pg')
  const target = new URL(url.replace('postgres+advisory:', 'postgres:'))
  const schema = target.searchParams.get('schema')
  target.searchParams.delete('schema')
  const pool = new pg.Pool({ connectionString: target.href, max: 2 })
  pool.on('error', () => {})
  const locks = url.startsWith('postgres+advisory:') ? postgresAdvisoryLocks : postgresLeaseLocks
  const open = locks(pool, schema === null ? {} : { schema })
  return { open, end: () => pool.end() }
}

function hostsOf(url: string): readonly string[] {
  const after = url.slice(url.indexOf('://') + 3)
  return after.slice(0, after.includes('/') ? after.indexOf('/') : undefined).split(',')
}

function without(open: OpenLockBackend): NamedBackend {
  return { open, end: async () => {} }
}
