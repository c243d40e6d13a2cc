/** What a run finds in the servers when everybody has gone. */
import type { Etcd } from '@lockstep/etcd'
import type { ZooKeeper } from '@lockstep/zookeeper'
import { expect, it } from 'vitest'
import { etcdKeys, redisKeys, zookeeperNodes } from './leftovers.ts'

it('Redis: every key stays behind but the counters of tokens', async () => {
  const left = ['lockstep:mutex:{a}', 'lockstep:mutex:{a}:queue', 'lockstep:rw:{a}']
  const keys = [...left, 'lockstep:mutex:{a}:token']
  const ask = async () => `*${keys.length}\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}`
  expect(await redisKeys({ port: 1, ask })).toEqual(left.map((key) => `1/${key}`))
})

it('etcd: keys and leases stay behind', async () => {
  const etcd = { range: async () => ({ entries: [{ key: 'lockstep/locks/mutex/a/1' }] }), leases: async () => [7n] }
  expect(await etcdKeys(etcd as unknown as Etcd)).toEqual(['lockstep/locks/mutex/a/1', 'lease 7'])
})

it('ZooKeeper: what is ephemeral stays behind, containers do not', async () => {
  const nodes: Record<string, { children: string[]; owner: bigint }> = {
    '/locks': { children: ['a'], owner: 0n },
    '/locks/a': { children: ['lock-1'], owner: 0n },
    '/locks/a/lock-1': { children: [], owner: 9n },
  }
  const getChildren = async (path: string) => {
    const { children = [], owner = 0n } = nodes[path] ?? {}
    return { children, stat: { ephemeralOwner: owner } }
  }
  expect(await zookeeperNodes({ getChildren } as unknown as ZooKeeper, '/locks')).toEqual(['/locks/a/lock-1'])
})
