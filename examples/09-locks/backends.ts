/** One line for each backend: everything else in this example is the same for all of them. */
import { etcdLocks } from '@lockstep/etcd'
import { zookeeperLocks } from '@lockstep/zookeeper'
import { Redis } from 'ioredis'
import { memoryLocks, postgresAdvisoryLocks, postgresLeaseLocks, redisLocks, redlock } from 'lockstep/locks'
import type { OpenLockBackend } from 'lockstep/ports'
import { ioRedis } from 'lockstep/redis'
import pg from 'pg'

// In memory all must share one backend; elsewhere they share the server.
const memory = memoryLocks()
const redis = (url: string) => ioRedis(new Redis(url, { lazyConnect: true }))

/** `memory`, or the name of a backend with where it is: `redis=redis://127.0.0.1:6379`. */
export function backendOf(argument: string): OpenLockBackend {
  const [name, where = ''] = argument.split(/=(.*)/, 2)
  if (name !== 'memory' && where === '') throw wrong(argument)
  switch (name) {
    case 'memory':
      return memory
    case 'redis':
      return redisLocks(redis(where))
    case 'redlock':
      return redlock(where.split(',').map(redis))
    case 'zookeeper':
      return zookeeperLocks({ servers: where, sessionTimeoutMs: 10_000 }, { recipe: 'queue' })
    case 'zookeeper-ephemeral':
      // A root of its own: one name cannot be locked by two recipes.
      return zookeeperLocks({ servers: where, sessionTimeoutMs: 10_000 }, { recipe: 'ephemeral', root: '/ephemeral' })
    case 'etcd':
      return etcdLocks({ endpoints: where })
    case 'postgres':
      return postgresLeaseLocks(new pg.Pool({ connectionString: where, allowExitOnIdle: true }))
    case 'postgres-advisory':
      return postgresAdvisoryLocks(new pg.Pool({ connectionString: where, allowExitOnIdle: true }))
    default:
      throw wrong(argument)
  }
}

function wrong(argument: string): Error {
  const examples = 'redis=redis://127.0.0.1:6379, etcd=http://127.0.0.1:2379 or zookeeper=127.0.0.1:2181'
  return new Error(`"${argument}" is no backend with its server. Write such as ${examples}.`)
}
