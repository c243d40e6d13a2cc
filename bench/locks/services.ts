/** The servers that locks stand on: private ones on loopback, each started when its turn comes. */
import { setTimeout as pause } from 'node:timers/promises'
import {
  etcdAvailable,
  postgresAvailable,
  type RedisMember,
  redisAvailable,
  startEtcd,
  startPostgres,
  startRedis,
  startZooKeeper,
  zookeeperAvailable,
} from '@lockstep/testkit'
import type { LockService } from './figures.ts'
import { ttlMs, type Ways } from './locker.ts'

export interface Service {
  readonly kind: LockService
  readonly ways: Ways
  /** Empty for all but Redis. */
  readonly redis: readonly RedisMember[]
  stop(): Promise<void>
}

const mastersCount = 5

/** The durability that figures elsewhere were taken with: a second's worth of a single Redis may be lost, and each write of the others is synced. */
export const serviceSettings = {
  redis: 'one master, appendonly, appendfsync everysec',
  masters: 'five masters, appendonly, appendfsync everysec',
  zookeeper: 'one server, fsync',
  etcd: 'one server, fsync',
  postgres: 'one server, fsync, synchronous_commit',
}

/** Null where this machine has no such server. */
export async function startService(kind: LockService): Promise<Service | null> {
  const found = availability(kind)
  return found.available ? starts[kind](kind) : null
}

function availability(kind: LockService): { readonly available: boolean } {
  if (kind === 'redis' || kind === 'masters') return redisAvailable()
  if (kind === 'zookeeper') return zookeeperAvailable()
  return kind === 'etcd' ? etcdAvailable() : postgresAvailable()
}

const starts: { readonly [kind in LockService]: (kind: LockService) => Promise<Service> } = {
  redis: (kind) => startMasters(kind, 1),
  async masters(kind) {
    const started = await startMasters(kind, mastersCount)
    // A master that does not sync every write does not count before it can have forgotten no lock.
    await pause(ttlMs + 1_500)
    return started
  },
  async zookeeper(kind) {
    const server = await startZooKeeper({ private: true })
    const ports = server.servers.split(',').map(portOf)
    return { kind, ways: { ports, database: '' }, redis: [], stop: () => server.stop() }
  },
  async etcd(kind) {
    const server = await startEtcd({ private: true })
    return { kind, ways: { ports: server.endpoints.map(portOf), database: '' }, redis: [], stop: () => server.stop() }
  },
  async postgres(kind) {
    const server = await startPostgres({ private: true })
    const database = await server.createDatabase()
    return { kind, ways: { ports: [], database }, redis: [], stop: () => server.stop() }
  },
}

async function startMasters(kind: LockService, masters: number): Promise<Service> {
  const server = await startRedis({ masters, appendfsync: 'everysec', private: true })
  const ports = server.members.map(({ port }) => port)
  return { kind, ways: { ports, database: '' }, redis: server.members, stop: () => server.stop() }
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1))
}
