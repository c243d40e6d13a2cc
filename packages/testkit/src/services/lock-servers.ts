import { type RunningEtcd, startEtcd } from './etcd.ts'
import { type RunningPostgres, startPostgres } from './postgres.ts'
import { type RunningRedis, startRedis } from './redis.ts'
import { type RunningZooKeeper, startZooKeeper } from './zookeeper.ts'

/** One of every kind of server that locks stand on, and five masters. */
export interface LockServers {
  readonly redis: RunningRedis
  readonly masters: RunningRedis
  readonly zookeeper: RunningZooKeeper
  readonly etcd: RunningEtcd
  readonly postgres: RunningPostgres
  stop(): Promise<void>
}

export async function startLockServers(): Promise<LockServers> {
  const started = await Promise.allSettled([
    startRedis({ private: true }),
    startRedis({ masters: 5, appendonly: true, appendfsync: 'always', private: true }),
    startZooKeeper({ private: true }),
    startEtcd({ private: true }),
    startPostgres({ private: true }),
  ] as const)
  const [redis, masters, zookeeper, etcd, postgres] = started
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((one) => (one.status === 'fulfilled' ? one.value.stop() : undefined)))
  }
  for (const one of started)
    if (one.status === 'rejected') {
      await stop()
      throw one.reason
    }
  return {
    redis: startedOf(redis),
    masters: startedOf(masters),
    zookeeper: startedOf(zookeeper),
    etcd: startedOf(etcd),
    postgres: startedOf(postgres),
    stop,
  }
}

function startedOf<Value>(settled: PromiseSettledResult<Value>): Value {
  if (settled.status === 'rejected') throw settled.reason
  return settled.value
}
