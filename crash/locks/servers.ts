/** The private servers of a backend: what can be done to them, and what the locks have left in them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openEtcd } from '@lockstep/etcd'
import { startEtcd, startPostgres, startRedis, startZooKeeper } from '@lockstep/testkit'
import { openZooKeeper } from '@lockstep/zookeeper'
import pg from 'pg'
import type { BackendName } from './backends.ts'
import type { Servers } from './faulty-servers.ts'
import { etcdKeys, redisKeys, zookeeperNodes } from './leftovers.ts'
import { lossyRedis } from './lossy-redis.ts'

export interface ServersWanted {
  /** One server where three would be usual: it starts in a fraction of the time. */
  readonly single: boolean
  readonly lossy: boolean
  /** Told when a way leads to another server from now on. */
  readonly onMoved: (at: number, port: number) => void
}

export function startServers(backend: BackendName, wanted: ServersWanted): Promise<Servers> {
  switch (backend) {
    case 'redis':
      return wanted.lossy ? lossyRedis(wanted.onMoved) : redis(1)
    case 'redlock':
      return redis(5, { forgets: wanted.lossy })
    case 'zookeeper':
    case 'zookeeper-ephemeral':
      return zookeeper(wanted.single ? 1 : 3)
    case 'etcd':
      return etcd(wanted.single ? 1 : 3)
    case 'postgres':
    case 'postgres-advisory':
      return postgres()
  }
}

/**
 * Independent masters; up to a minority of them is struck at a time. Those that forget everything at a restart do not count for a TTL
 * afterwards, so that RedLock excludes all the same.
 */
async function redis(masters: number, { forgets = false } = {}): Promise<Servers> {
  const kept = forgets ? ({ appendonly: false } as const) : ({ appendonly: true, appendfsync: 'always' } as const)
  const { members, stop } = await startRedis({ masters, ...kept, private: true })
  return {
    ports: members.map(({ port }) => port),
    database: '',
    faults: ['kill', 'pause'],
    excludes: true,
    async strike(fault, { forMs, share }) {
      const count = masters > 1 && share > 0.5 ? 2 : 1
      const first = Math.floor(share * masters) % masters
      const struck = [...members, ...members].slice(first, first + count)
      for (const member of struck) await (fault === 'kill' ? member.kill() : member.pause())
      await sleep(forMs)
      if (fault === 'kill') await Promise.all(struck.map((member) => member.restart()))
      else for (const member of struck) member.resume()
    },
    leftovers: async () => (await Promise.all(members.map(redisKeys))).flat(),
    stop,
  }
}

async function zookeeper(members: 1 | 3): Promise<Servers> {
  const running = await startZooKeeper({ members, private: true, fsync: members === 3 })
  const observer = openZooKeeper({ servers: running.servers, sessionTimeoutMs: 20_000 })
  return {
    ports: running.members.map(({ address }) => Number(address.split(':')[1])),
    database: '',
    faults: ['kill', 'pause'],
    excludes: true,
    async strike(fault, { forMs }) {
      const leader = await running.leader()
      await (fault === 'kill' ? leader.kill() : leader.pause())
      await sleep(forMs)
      if (fault === 'kill') await leader.restart()
      else leader.goOn()
      await running.leader()
    },
    leftovers: () => zookeeperNodes(observer, '/lockstep/locks'),
    async stop() {
      await observer.close()
      await running.stop()
    },
  }
}

async function etcd(members: 1 | 3): Promise<Servers> {
  const running = await startEtcd({ members, private: true })
  const observer = openEtcd({ endpoints: running.endpoints })
  return {
    ports: running.endpoints.map((endpoint) => Number(new URL(endpoint).port)),
    database: '',
    faults: ['kill', 'pause'],
    excludes: true,
    async strike(fault, { forMs }) {
      const leader = await running.leader()
      await (fault === 'kill' ? leader.kill() : leader.pause())
      await sleep(forMs)
      if (fault === 'kill') await leader.restart()
      else leader.resume()
      await running.leader()
    },
    leftovers: () => etcdKeys(observer),
    async stop() {
      observer.close()
      await running.stop()
    },
  }
}

async function postgres(): Promise<Servers> {
  const running = await startPostgres({ private: true, fsync: true })
  const url = new URL(await running.createDatabase())
  const asked = async (sql: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 5_000 })
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query(sql)
    await client.end()
    return rows
  }
  return {
    ports: [Number(url.port)],
    database: url.pathname.slice(1),
    faults: ['kill', 'end'],
    excludes: true,
    async strike(fault, { forMs }) {
      if (fault === 'end') return void (await asked(endOthers))
      await running.kill()
      await sleep(forMs)
      await running.restart()
    },
    leftovers: async () => (await asked(advisoryLocks)).map((row) => JSON.stringify(row)),
    stop: () => running.stop(),
  }
}

const endOthers = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`
const advisoryLocks = `select objid, pid from pg_locks where locktype = 'advisory'`
