/** What a holder on one Redis sees of its connection and its server. The names are those of bugs that others had. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from '../../../testkit/src/lock-conformance/watching.ts'
import { type RunningRedis, startRedis, testsWithRedis } from '../../../testkit/src/services/redis.ts'
import type { TcpProxy } from '../../../testkit/src/services/tcp-proxy.ts'
import { createLocks } from '../../src/index.ts'
import { type Locks, redisLocks } from '../../src/locks/index.ts'
import { recipeOf } from '../../src/locks/redis/recipe.ts'
import { proxied, type RedisPackage } from './redis-clients.ts'

if (testsWithRedis())
  describe.each(['ioredis', 'node-redis'] as const)('a holder on one Redis, %s', (client: RedisPackage) => {
    let redis: RunningRedis
    const closing: (() => Promise<unknown>)[] = []
    beforeAll(async () => {
      redis = await startRedis({ appendonly: true, appendfsync: 'always', private: true })
    })
    afterAll(async () => {
      await Promise.all(closing.map((close) => close()))
      await redis.stop()
    })

    async function open(): Promise<{ locks: Locks; proxy: TcpProxy }> {
      const { proxies, connectors } = await proxied(redis, client)
      const [connector] = connectors
      const [proxy] = proxies
      if (connector === undefined || proxy === undefined) throw new Error('there is no master')
      const locks = createLocks(redisLocks(connector))
      closing.push(async () => {
        await locks.close()
        await proxy.close()
      })
      return { locks, proxy }
    }

    test('Redisson #3636: a holder whose connection is cut is told before its lease ends', async () => {
      const [{ locks, proxy }, other] = [await open(), await open()]
      const lease = await locks.acquire('cut', { ttl: '1500ms' })
      const order: string[] = []
      lease.signal.addEventListener('abort', () => order.push('told'))
      proxy.cut()
      await other.locks.withLock('cut', () => order.push('granted to another'), { wait: '10s' })
      expect(order).toEqual(['told', 'granted to another'])
      proxy.heal()
    })
    test('a connection that is cut for a moment costs nobody his lease', async () => {
      const { locks, proxy } = await open()
      const lease = await locks.acquire('short', { ttl: '3s' })
      proxy.cut()
      await pause(300)
      proxy.heal()
      await pause(3_500)
      expect([lease.state, await lease.release()]).toEqual(['held', { released: true, wasHeld: true }])
    })
    test('one lost answer to a renewal costs a short lease nothing', async () => {
      const { locks, proxy } = await open()
      const lease = await locks.acquire('renewed', { ttl: '1200ms' })
      proxy.dropAnswers()
      await pause(500)
      proxy.heal()
      await pause(1_500)
      expect([lease.state, await lease.release()]).toEqual(['held', { released: true, wasHeld: true }])
    })
    test('the token of a hold is known for as long as it lasts, and it can be taken away by it', async () => {
      const { locks } = await open()
      const lease = await locks.acquire('long', { ttl: '2s' })
      await redis.members[0]?.ask('PEXPIRE', 'lockstep:mutex:{long}:token', '1500')
      await lease.extend()
      await pause(1_800)
      expect((await locks.inspect('long'))[0]?.token).toBe(lease.fencingToken)
      expect(await locks.evict('long', lease.fencingToken)).toHaveLength(1)
    })
    test('Redisson #4822: after a restart of the server every process can lock again', async () => {
      const all = [await open(), await open(), await open()]
      for (const { locks } of all) await (await locks.acquire('before')).release()
      await redis.members[0]?.restart()
      for (const { locks } of all) await (await locks.acquire('after', { wait: '10s' })).release()
    })
    test('a server that is away is unavailable at the acquire, at risk during a hold, unknown at the release', async () => {
      const { locks, proxy } = await open()
      const lease = await locks.acquire('away', { ttl: '5s' })
      proxy.blackHole()
      expect(await codeOf(locks.tryAcquire('another'))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      expect(await codeOf(lease.extend())).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      expect(lease.remaining()).toBeGreaterThan(0)
      expect(await lease.release()).toEqual({ released: false, wasHeld: 'unknown' })
      proxy.heal()
      const other = await open()
      await (await other.locks.acquire('away', { wait: '10s' })).release()
    })
    test('node-redlock #64, sesamecare #6: all keys of a name stand in one slot, and are no key of data', () => {
      for (const kind of ['mutex', 'read-write', 'semaphore'] as const) {
        const { keys } = recipeOf('lockstep', kind, 'sku-42')
        expect(keys.every((key) => /^lockstep:\w+:\{sku-42\}/.test(key))).toBe(true)
      }
    })
  })
