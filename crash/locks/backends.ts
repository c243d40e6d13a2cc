/** The lock backends under fire, and how a process opens them. */
import { etcdLocks } from '@lockstep/etcd'
import { zookeeperLocks } from '@lockstep/zookeeper'
import { Redis } from 'ioredis'
import { createLocks, type LocksOptions } from 'lockstep'
import { type Locks, postgresAdvisoryLocks, postgresLeaseLocks, redisLocks, redlock } from 'lockstep/locks'
import type { OpenLockBackend } from 'lockstep/ports'
import { ioRedis } from 'lockstep/redis'
import pg from 'pg'

export const backendNames = [
  'redis',
  'redlock',
  'zookeeper',
  'zookeeper-ephemeral',
  'etcd',
  'postgres',
  'postgres-advisory',
] as const
export type BackendName = (typeof backendNames)[number]

/** Those whose servers can be told to keep nothing, with `--lossy`. */
export const lossyBackends: readonly BackendName[] = ['redis', 'redlock']

/** The servers of a backend as a process reaches them, on loopback. */
export interface Ways {
  readonly ports: readonly number[]
  /** Of PostgreSQL; empty elsewhere. */
  readonly database: string
}

export interface OpenedLocks {
  readonly locks: Locks
  /** The locks, and the handles that were opened for them. */
  close(): Promise<void>
}

/** Leases that live as long as a session or a connection have its TTL, and take no other. */
export function hasSession(backend: BackendName): boolean {
  return backend !== 'redis' && backend !== 'redlock' && backend !== 'postgres'
}

/** There is no TTL at the server: whatever ends the connection there ends the lease, before its holder can know. */
export function endsWithConnection(backend: BackendName): boolean {
  return backend === 'postgres-advisory'
}

export function openLocks(
  backend: BackendName,
  ways: Ways,
  { ttlMs, observe }: { readonly ttlMs: number; readonly observe?: LocksOptions['observe'] },
): OpenedLocks {
  const { open, end } = openBackend(backend, ways, ttlMs)
  const locks = createLocks(open, observe === undefined ? {} : { observe })
  return {
    locks,
    async close() {
      await locks.close()
      await end()
    },
  }
}

interface Opened {
  readonly open: OpenLockBackend
  readonly end: () => Promise<unknown>
}

function openBackend(backend: BackendName, { ports, database }: Ways, ttlMs: number): Opened {
  const addresses = ports.map((port) => `127.0.0.1:${port}`)
  const owned = (open: OpenLockBackend): Opened => ({ open, end: async () => {} })
  switch (backend) {
    case 'redis':
      return owned(redisLocks(connectorTo(ports[0] ?? 0)))
    case 'redlock':
      // Nobody asks for more, so that a master that may have forgotten counts again after that.
      return owned(redlock(ports.map(connectorTo), { ttlMax: ttlMs }))
    case 'zookeeper':
    case 'zookeeper-ephemeral': {
      const recipe = backend === 'zookeeper' ? 'queue' : 'ephemeral'
      return owned(zookeeperLocks({ servers: addresses.join(), sessionTimeoutMs: ttlMs }, { recipe }))
    }
    case 'etcd': {
      const endpoints = addresses.map((address) => `http://${address}`)
      return owned(etcdLocks({ endpoints, requestTimeoutMs: 2_000 }, { ttlMs }))
    }
    case 'postgres':
    case 'postgres-advisory': {
      const pool = new pg.Pool({ host: '127.0.0.1', port: ports[0], user: 'postgres', database, max: 5 })
      pool.on('error', () => {})
      const open = backend === 'postgres' ? postgresLeaseLocks(pool) : postgresAdvisoryLocks(pool, { ttlMs })
      return { open, end: () => pool.end() }
    }
  }
}

/** A handle as a user has it. It is never connected: the locks open connections of their own. */
function connectorTo(port: number) {
  return ioRedis(new Redis({ host: '127.0.0.1', port, lazyConnect: true }))
}
