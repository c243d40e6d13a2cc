/** RedLock when masters are away, slow, restarted or wrong. The names are those of bugs that others had. */
import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf, eventually } from '../../../testkit/src/lock-conformance/watching.ts'
import { type RunningRedis, startRedis, testsWithRedis } from '../../../testkit/src/services/redis.ts'
import type { TcpProxy } from '../../../testkit/src/services/tcp-proxy.ts'
import { ioRedis } from '../../src/adapters/redis/index.ts'
import { createLocks, isLockstepError } from '../../src/index.ts'
import { type Locks, type RedlockOptions, redlock } from '../../src/locks/index.ts'
import { connectorTo, lockKeys, proxied } from './redis-clients.ts'

interface Client {
  readonly locks: Locks
  readonly proxies: readonly TcpProxy[]
}

if (testsWithRedis())
  describe('RedLock', () => {
    let redis: RunningRedis
    const closing: (() => Promise<unknown>)[] = []

    beforeAll(async () => {
      redis = await startRedis({ masters: 5, appendonly: true, appendfsync: 'always', private: true })
    })
    afterAll(async () => {
      await Promise.all(closing.map((close) => close()))
      await redis.stop()
    })

    async function open(options: RedlockOptions = { nodeTimeout: 100 }, to = redis): Promise<Client> {
      const { proxies, connectors } = await proxied(to, 'ioredis')
      const locks = createLocks(redlock(connectors, options))
      closing.push(async () => {
        await locks.close()
        await Promise.all(proxies.map((proxy) => proxy.close()))
      })
      return { locks, proxies }
    }

    test('node-redlock #83: two black-holed masters of five cost one node timeout at most', async () => {
      const { locks, proxies } = await open()
      await (await locks.acquire('warm')).release()
      for (const proxy of proxies.slice(0, 2)) proxy.blackHole()
      const startedMs = performance.now()
      const lease = await locks.acquire('sku', { ttl: '2s' })
      await lease.extend()
      expect(await lease.release()).toEqual({ released: true, wasHeld: true })
      expect(performance.now() - startedMs).toBeLessThan(400)
    })
    test('redis-semaphore: one master five seconds late leaves an acquire unaffected', async () => {
      const { locks } = await open()
      await (await locks.acquire('warm')).release()
      await redis.members[3]?.pause()
      const startedMs = performance.now()
      await (await locks.acquire('slow', { ttl: '2s' })).release()
      expect(performance.now() - startedMs).toBeLessThan(300)
      redis.members[3]?.resume()
    })
    test('node-redlock #168, #282: held, too few nodes and a wrong server are different errors, with a cause per node', async () => {
      const [holder, { locks, proxies }] = [await open(), await open()]
      const lease = await holder.locks.acquire('sku-2', { ttl: '5s' })
      expect(await codeOf(locks.acquire('sku-2', { wait: 100 }))).toBe('LOCKSTEP_LOCK_TIMEOUT')
      expect(await locks.tryAcquire('sku-2')).toBeNull()
      for (const proxy of proxies.slice(0, 3)) proxy.cut()
      const error = await locks.acquire('sku-2', { wait: 500 }).catch((thrown: unknown) => thrown)
      expect(isLockstepError(error, 'LOCKSTEP_LOCK_UNAVAILABLE') && error.details?.['causes']).toHaveLength(3)
      expect(await codeOf(locks.tryAcquire('sku-2'))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await lease.release()
    })
    test('node-redlock PR #369: answers that come after the TTL are no lease, and nothing of it stays', async () => {
      const { locks, proxies } = await open({ nodeTimeout: '1s' })
      await (await locks.acquire('warm')).release()
      for (const { pause: stop } of redis.members) await stop()
      const acquiring = codeOf(locks.acquire('late', { ttl: 100, wait: 0 }))
      await pause(200)
      for (const { resume } of redis.members) resume()
      expect(await acquiring).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await eventually('nothing stays', async () => (await lockKeys(redis, 'late')).length === 0)
      expect(proxies).toHaveLength(5)
    })
    test('redlock-universal: a grant whose answer was lost is released on that node as well', async () => {
      const { locks, proxies } = await open()
      await (await locks.acquire('warm')).release()
      proxies[4]?.dropAnswers()
      const lease = await locks.acquire('lost', { ttl: '5s' })
      await eventually('all five stand for it', async () => (await lockKeys(redis, 'lost')).length === 5)
      await lease.release()
      await eventually('no key is left', async () => (await lockKeys(redis, 'lost')).length === 0, 2_000)
    })
    test('node-redlock #185, #283: a renewal that too few answer is a loss in time, and no rejection of nobody', async () => {
      const { locks, proxies } = await open()
      const lease = await locks.acquire('renewed', { ttl: 600 })
      for (const proxy of proxies.slice(0, 3)) proxy.blackHole()
      const startedMs = performance.now()
      expect((await lease.lost).code).toBe('LOCKSTEP_LOCK_LOST')
      expect(performance.now() - startedMs).toBeLessThan(600)
      expect(await lease.release()).toEqual({ released: false, wasHeld: false })
    })
    test('node-redlock #11: a hundred extensions with a waiter at the door', async () => {
      const [{ locks }, other] = [await open(), await open()]
      const lease = await locks.acquire('extended', { ttl: '2s' })
      const waiting = other.locks.acquire('extended', { wait: '20s' })
      for (let at = 0; at < 100; at++) await lease.extend()
      await lease.release()
      await (await waiting).release()
    })
    test('redlock-universal: contenders that split the votes converge, and no minority is kept', async () => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => open()))
      const startedMs = performance.now()
      let grants = 0
      const work = async ({ locks }: Client): Promise<void> => {
        for (let at = 0; at < 10; at++) {
          await locks.withLock('split', () => {}, { wait: '20s' })
          grants += 1
        }
      }
      await Promise.all(clients.map(work))
      expect([grants, performance.now() - startedMs < 5_000]).toEqual([40, true])
      await eventually('no key is left', async () => (await lockKeys(redis, 'split')).length === 0, 2_000)
    })
    test('a restarted master that syncs every write has forgotten nothing, and counts at once', async () => {
      const [{ locks }, other] = [await open(), await open()]
      const lease = await locks.acquire('kept', { ttl: '10s' })
      await Promise.all(redis.members.slice(0, 3).map((member) => member.restart()))
      expect(await codeOf(other.locks.acquire('kept', { wait: 300 }))).toBe('LOCKSTEP_LOCK_TIMEOUT')
      await lease.extend()
      expect(await lease.release()).toEqual({ released: true, wasHeld: true })
    })
    test('masters that may have forgotten do not count until everything they may have granted has run out', async () => {
      const forgetful = await startRedis({ masters: 3, appendonly: false, private: true })
      closing.push(() => forgetful.stop())
      const ttlMax = 3_000
      const first = await open({ nodeTimeout: 100, ttlMax }, forgetful)
      expect(await codeOf(first.locks.acquire('sku', { ttl: '2s', wait: 200 }))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await pause(ttlMax + 1_000)
      const lease = await first.locks.acquire('sku', { ttl: '2s' })
      await Promise.all(forgetful.members.slice(0, 2).map((member) => member.restart()))
      const second = await open({ nodeTimeout: 100, ttlMax }, forgetful)
      // Two of three have forgotten it: without the grace they would be a majority for somebody else.
      expect(await codeOf(second.locks.acquire('sku', { ttl: '2s', wait: 500 }))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await lease.release()
    })
    test('an even number of masters, too few, or the same server twice are refused', async () => {
      const connectors = redis.members.map(({ port }) => connectorTo(port, 'ioredis'))
      const four = connectors.slice(0, 4)
      for (const wrong of [four, connectors.slice(0, 1), []])
        expect(() => redlock(wrong)).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
      const same = [connectors[0], connectors[1], connectorTo(redis.members[0]?.port ?? 0, 'ioredis')] as never
      const locks = createLocks(redlock(same))
      // Who a master is may be known only when the others have granted it already; its second vote never counts.
      const refusal = (): Promise<string> => codeOf(locks.withLock('sku', () => {}, { wait: 200 }))
      await eventually('it is refused', async () => (await refusal()) === 'LOCKSTEP_CONFIGURATION')
      await locks.close()
      await eventually('nothing stays', async () => (await lockKeys(redis, 'sku}')).length === 0, 2_000)
    })
    test('a wrong password on every master is a configuration error at once, and is not told', async () => {
      const guarded = await startRedis({ masters: 3, settings: { requirepass: 'right' }, private: true })
      closing.push(() => guarded.stop())
      const urls = guarded.members.map(({ port }) => `redis://:hunter2@127.0.0.1:${port}`)
      const locks = createLocks(redlock(urls.map((url) => ioRedis(new Redis(url, { lazyConnect: true })))))
      const startedMs = performance.now()
      const error = await locks.acquire('sku', { wait: '20s' }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION', details: { causes: { length: 3 } } })
      expect(performance.now() - startedMs).toBeLessThan(2_000)
      expect(inspect(error, { depth: 10 })).not.toContain('hunter2')
      await locks.close()
    })
    test('the fence is durable only where every master syncs every write', async () => {
      const { locks } = await open()
      await (await locks.acquire('warm')).release()
      await eventually('all are known', () => locks.capabilities.fencing === 'durable', 2_000)
    })
  })
