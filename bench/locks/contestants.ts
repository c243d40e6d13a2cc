import type * as etcdPeers from './lockers/etcd-peers.ts'
import type * as lockstep from './lockers/lockstep.ts'
import type * as rawRedis from './lockers/raw-redis.ts'
import type * as redisPeers from './lockers/redis-peers.ts'
import type * as zookeeperLockers from './lockers/zookeeper-clients.ts'

export type LockerName =
  | keyof typeof rawRedis
  | keyof typeof lockstep
  | keyof typeof redisPeers
  | keyof typeof etcdPeers
  | keyof typeof zookeeperLockers

export interface Contestant {
  readonly name: string
  /** How its process opens it: by an npm package, or as a Java program of bench/peers/java. */
  readonly runs: { readonly locker: LockerName } | { readonly java: 'RedissonLocks' | 'CuratorLocks' }
  /** It takes a name by a SET of its own and not by a script; what the server counts says nothing of who sent it. */
  readonly setsPlainly: boolean
  /** Ours are measured in every run; peers where they are installed. */
  readonly isPeer: boolean
}

const own = (name: string, locker: LockerName): Contestant => ({
  name,
  runs: { locker },
  setsPlainly: false,
  isPeer: false,
})
const peer = (name: string, locker: LockerName): Contestant => ({ ...own(name, locker), isPeer: true })
const java = (name: string, program: 'RedissonLocks' | 'CuratorLocks'): Contestant => ({
  name,
  runs: { java: program },
  setsPlainly: false,
  isPeer: true,
})
const withPlainSet = (contestant: Contestant): Contestant => ({ ...contestant, setsPlainly: true })

export const oursOnIoRedis = own('Lockstep, ioredis', 'onIoRedis')
export const oursOnNodeRedis = own('Lockstep, node-redis', 'onNodeRedis')
const redisSemaphore = withPlainSet(peer('redis-semaphore 5.8.0', 'redisSemaphore'))
const redlock5 = peer('redlock 5.0.0-beta.2', 'redlock5')
const redlock4 = peer('redlock 4.2.0', 'redlock4')
const redlockUniversal = withPlainSet(peer('redlock-universal 0.8.5', 'redlockUniversal'))

/** Each of ours stands right behind what it is held against. */
export const uncontended: readonly Contestant[] = [
  withPlainSet(own('raw ioredis', 'rawIoRedis')),
  oursOnIoRedis,
  withPlainSet(own('raw node-redis', 'rawNodeRedis')),
  oursOnNodeRedis,
  redisSemaphore,
  redlock5,
  redlock4,
  redlockUniversal,
  withPlainSet(peer('@microfleet/ioredis-lock 6.0.1', 'ioredisLock')),
  java('Redisson 4.7.0', 'RedissonLocks'),
]

/** What has no queue and no wait cannot be in it. */
export const contested: readonly Contestant[] = uncontended.filter(({ name }) => !name.startsWith('raw'))

export const onMasters: readonly Contestant[] = [
  own('Lockstep, RedLock', 'onMasters'),
  redlock5,
  redlock4,
  redisSemaphore,
  redlockUniversal,
]

export const onZooKeeper: readonly Contestant[] = [
  own('Lockstep, ZooKeeper queue', 'onZooKeeper'),
  java('Curator 5.9.0', 'CuratorLocks'),
]

export const zookeeperClients: readonly Contestant[] = [
  own('@lockstep/zookeeper', 'ourClient'),
  peer('zookeeper 7.3.0 (native)', 'nativeZooKeeper'),
  peer('node-zookeeper-client 1.1.3', 'nodeZooKeeperClient'),
]

export const onEtcd: readonly Contestant[] = [own('Lockstep, etcd', 'onEtcd'), peer('etcd3 1.1.2', 'etcd3')]

export const onPostgres: readonly Contestant[] = [
  own('Lockstep, advisory', 'onAdvisory'),
  own('Lockstep, lease table', 'onLeases'),
]
