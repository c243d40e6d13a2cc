/** Ours, as its documentation shows it. */
import { etcdLocks } from '@lockstep/etcd'
import { zookeeperLocks } from '@lockstep/zookeeper'
import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import { createLocks } from 'lockstep'
import { type Locks, postgresAdvisoryLocks, postgresLeaseLocks, redisLocks, redlock } from 'lockstep/locks'
import { ioRedis, nodeRedis } from 'lockstep/redis'
import pg from 'pg'
import { type Locker, type OpenLocker, ttlMs, type Ways, waitLimitMs } from '../locker.ts'

export const onIoRedis = ours(({ ports }) => createLocks(redisLocks(ioRedisTo(ports[0] ?? 0))))
export const onNodeRedis = ours(({ ports }) =>
  createLocks(redisLocks(nodeRedis(createClient({ url: `redis://127.0.0.1:${ports[0]}` })))),
)
export const onMasters = ours(({ ports }) => createLocks(redlock(ports.map(ioRedisTo), { ttlMax: ttlMs })))
export const onZooKeeper = ours(({ ports }) =>
  createLocks(zookeeperLocks({ servers: `127.0.0.1:${ports[0]}`, sessionTimeoutMs: ttlMs }, { recipe: 'queue' })),
)
export const onEtcd = ours(({ ports }) => createLocks(etcdLocks({ endpoints: `http://127.0.0.1:${ports[0]}` })))
export const onAdvisory = ours((ways) => createLocks(postgresAdvisoryLocks(poolTo(ways))))
export const onLeases = ours((ways) => createLocks(postgresLeaseLocks(poolTo(ways))))

function ours(open: (ways: Ways) => Locks): OpenLocker {
  return async (ways) => lockerOf(open(ways))
}

function lockerOf(locks: Locks): Locker {
  const options = { ttl: ttlMs, wait: waitLimitMs }
  return {
    async lock(name) {
      const lease = await locks.acquire(name, options)
      return { token: lease.fencingToken, release: () => lease.release() }
    },
  }
}

function ioRedisTo(port: number) {
  return ioRedis(new Redis({ host: '127.0.0.1', port, lazyConnect: true }))
}

function poolTo({ database }: Ways): pg.Pool {
  const pool = new pg.Pool({ connectionString: database, max: 5 })
  pool.on('error', () => {})
  return pool
}
