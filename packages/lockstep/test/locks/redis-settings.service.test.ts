/** Servers that are set up so that locks are in danger. */
import { inspect } from 'node:util'
import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, test } from 'vitest'
import { codeOf, eventually } from '../../../testkit/src/lock-conformance/watching.ts'
import { type RedisLaunch, type RunningRedis, startRedis, testsWithRedis } from '../../../testkit/src/services/redis.ts'
import { ioRedis, nodeRedis } from '../../src/adapters/redis/index.ts'
import { createLocks } from '../../src/index.ts'
import { type RedisLocksOptions, redisLocks } from '../../src/locks/index.ts'
import { silentLogger } from '../../src/ports/index.ts'
import { connectorTo } from './redis-clients.ts'

if (testsWithRedis())
  describe('locks on one Redis', () => {
    const closing: (() => Promise<unknown>)[] = []
    afterAll(async () => {
      for (const close of closing.reverse()) await close()
    })
    async function start(launch: RedisLaunch): Promise<RunningRedis> {
      const redis = await startRedis({ ...launch, private: true })
      closing.push(() => redis.stop())
      return redis
    }
    function open(redis: RunningRedis, options: RedisLocksOptions = {}) {
      const warnings: string[] = []
      const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) }
      const locks = createLocks(redisLocks(connectorTo(redis.members[0]?.port ?? 0, 'ioredis'), options), { logger })
      closing.push(() => locks.close())
      return { locks, warnings }
    }

    test.each([
      ['volatile-lru', true],
      ['allkeys-random', true],
      ['noeviction', false],
    ])('warn of an eviction policy that may drop them: %s', async (policy, warns) => {
      const redis = await start({ settings: { maxmemory: '100mb', 'maxmemory-policy': policy } })
      const { locks, warnings } = open(redis)
      await (await locks.acquire('sku')).release()
      if (warns) await eventually('it is warned of', () => warnings.some((warning) => warning.includes(policy)))
      expect(warnings.length > 0).toBe(warns)
    })

    test('with `replicas` a grant counts when that many have it, and is given back when they have not', async () => {
      const primary = await start({})
      const replica = await start({ ...(primary.members[0] && { replicaOf: primary.members[0] }) })
      const { locks } = open(primary, { replicas: 1, callTimeoutMs: 1_000 })
      await eventually('the replica follows', async () => /master_link_status:up/.test(await info(replica)))
      await (await locks.acquire('sku')).release()
      await replica.members[0]?.pause()
      expect(await codeOf(locks.acquire('sku', { wait: 0 }))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      replica.members[0]?.resume()
      await (await locks.acquire('sku', { wait: '10s' })).release()
    })

    test.each([
      ['ioredis', (url: string) => ioRedis(new Redis(url, { lazyConnect: true }))],
      ['node-redis', (url: string) => nodeRedis(createClient({ url }))],
    ])(
      'a wrong password is a configuration error that does not tell it, nor does its cause: %s',
      async (_, connector) => {
        const redis = await start({ settings: { requirepass: 'right' } })
        const locks = createLocks(redisLocks(connector(`redis://:hunter2@127.0.0.1:${redis.members[0]?.port}`)))
        closing.push(() => locks.close())
        const error = await locks.acquire('sku').catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
        expect(inspect(error, { depth: 10 })).not.toContain('hunter2')
      },
    )

    test('a database that the server does not have is a configuration error', async () => {
      const redis = await start({ settings: { databases: '2' } })
      const locks = createLocks(redisLocks(ioRedis(new Redis(`${redis.url}/5`, { lazyConnect: true }))))
      closing.push(() => locks.close())
      expect(await codeOf(locks.acquire('sku'))).toBe('LOCKSTEP_CONFIGURATION')
    })
  })

async function info(redis: RunningRedis): Promise<string> {
  const client = new Redis(redis.url)
  const text = await client.info('replication')
  client.disconnect()
  return text
}
