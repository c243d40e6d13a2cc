/** Sessions that are cut off, that expire, that were closed: who holds then, and who is told. */
import type { HoldState, LockBackend } from 'lockstep/ports'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../../testkit/src/services/zookeeper.ts'
import { ask, endOfContend, held, openLocks } from '../../test/lock-lab.ts'
import { startTcpProxy, type TcpProxy } from '../../test/tcp-proxy.ts'
import { treeBelow } from '../../test/tree.ts'
import { until } from '../../test/until.ts'
import {
  creatorAcl,
  openZooKeeper,
  type ZooKeeper,
  type ZooKeeperLocksOptions,
  type ZooKeeperOptions,
} from '../index.ts'

const root = '/lockstep/locks'

if (testsWithZooKeeper())
  describe('locks whose session fails', () => {
    let server: RunningZooKeeper
    let proxy: TcpProxy
    let other: ZooKeeper
    let rival: LockBackend
    const closing: (() => Promise<unknown>)[] = []

    beforeAll(async () => {
      server = await startZooKeeper({ private: true, fsync: false })
      other = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000 })
    })
    afterAll(async () => {
      await other?.close()
      await server?.stop()
    })
    beforeEach(async () => {
      proxy = await startTcpProxy(server.servers)
      rival = open({ servers: server.servers, sessionTimeoutMs: 20_000 })
    })
    afterEach(async () => {
      proxy.heal()
      await Promise.all(closing.splice(0).map((close) => close()))
      await until('no node of ours remains', async () => (await treeBelow(other, root)).length === 0)
      await proxy.close()
    })

    function open(options: Partial<ZooKeeperOptions> = {}, more: Partial<ZooKeeperLocksOptions> = {}): LockBackend {
      const locks = openLocks({ servers: proxy.address, sessionTimeoutMs: 1_000, ...options }, more)
      closing.push(() => locks.close())
      return locks
    }
    const tellsOf = (hold: { watch(tell: (state: HoldState) => void): void }): HoldState[] => {
      const told: HoldState[] = []
      hold.watch((state) => void told.push(state))
      return told
    }
    const waiters = (count: number) =>
      until('they stand in line', async () => (await treeBelow(other, root)).length === count)

    test('a holder that is cut off is told before the next one is granted, and comes back to another session', async () => {
      for (const recipe of ['queue', 'ephemeral'] as const) {
        const locks = open({}, { recipe, root: `${root}/${recipe}` })
        const others = open({ servers: server.servers }, { recipe, root: `${root}/${recipe}` })
        const hold = await held(locks.contend(ask('cut')))
        const told = tellsOf(hold)
        const waiting = held(others.contend(ask('cut')))
        await until('it waits', async () => (await others.inspect('cut')).length === 1)
        proxy.blackHole('everything')
        const next = await waiting
        expect(told).toEqual(['at-risk', 'lost'])
        expect(hold.validUntilMs).toBeLessThan(performance.now())
        expect(next.token).toBeGreaterThan(hold.token)
        proxy.heal()
        expect(await hold.extend(1_000)).toBe(false)
        // Until a server is found nobody answers, and the release is repeated.
        await until('its release is answered: not held', () =>
          hold.release().then(
            (held) => !held,
            () => false,
          ),
        )
        const again = locks.contend(ask('cut'))
        await next.release()
        const third = await held(again)
        expect(third.token).toBeGreaterThan(next.token)
        await third.release()
      }
    })

    test('a short cut is at risk and then held, with the same token', async () => {
      const locks = open({ sessionTimeoutMs: 6_000 })
      const hold = await held(locks.contend(ask('short')))
      const told = tellsOf(hold)
      proxy.cut()
      await until('it is held again', () => told.at(-1) === 'held')
      expect([told, await hold.extend(1), hold.validUntilMs > performance.now()]).toEqual([
        ['at-risk', 'held'],
        true,
        true,
      ])
      expect(await hold.release()).toBe(true)
    })

    test('strictDisconnect: the same short cut is a loss, and its node is taken away', async () => {
      const locks = open({ sessionTimeoutMs: 6_000 }, { strictDisconnect: true })
      const hold = await held(locks.contend(ask('strict')))
      const told = tellsOf(hold)
      proxy.cut()
      await until('it is lost', () => told.length > 0)
      expect([told, await hold.extend(1)]).toEqual([['lost'], false])
      await (await held(rival.contend(ask('strict')))).release()
    })

    test('CURATOR-724: a node that was taken away during a cut is a loss at the reconnect', async () => {
      const locks = open({ sessionTimeoutMs: 6_000 })
      const hold = await held(locks.contend(ask('taken')))
      const told = tellsOf(hold)
      proxy.blackHole('everything')
      proxy.cut()
      await until('it is at risk', () => told.length === 1)
      expect((await rival.evict('taken', hold.token)).map(({ token }) => token)).toEqual([hold.token])
      proxy.heal()
      await until('it is lost', () => told.length === 2)
      expect([told, await hold.release()]).toEqual([['at-risk', 'lost'], false])
    })

    test('a waiter whose session ends in the queue starts over on another one, and never runs by its old place', async () => {
      const locks = open()
      const blocker = await held(rival.contend(ask('waiter')))
      const waiting = held(locks.contend(ask('waiter')))
      await waiters(2)
      proxy.blackHole('everything')
      await waiters(1)
      proxy.heal()
      await waiters(2)
      await blocker.release()
      const hold = await waiting
      expect([hold.validUntilMs > performance.now(), await hold.extend(1)]).toEqual([true, true])
      await hold.release()
    })

    test('an own session that was given to the locks is used, is never closed, and is told to be over', async () => {
      const zookeeper = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000 })
      const locks = openLocks(zookeeper)
      await held(locks.contend(ask('given')))
      await locks.close()
      expect([zookeeper.state, await treeBelow(other, root), zookeeper.watchCount]).toEqual(['connected', [], 0])
      const later = openLocks(zookeeper)
      await zookeeper.close()
      expect(await endOfContend(later.contend(ask('given')))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await later.close()
    })

    test('node-zookeeper #337, #262: calls before the first connection and after close end', async () => {
      proxy.blackHole('everything')
      const locks = open()
      expect(await endOfContend(locks.contend(ask('early', { waitMs: 0 })))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await locks.close()
      await locks.close()
      expect(await endOfContend(locks.contend(ask('late')))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await expect(locks.inspect()).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
    })

    test('CURATOR-710, -729: close in the middle of a wait ends it, and leaves no node and no watch', async () => {
      const blocker = await held(rival.contend(ask('close')))
      const zookeeper = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000 })
      const locks = openLocks(zookeeper)
      const end = endOfContend(locks.contend(ask('close', { waitMs: Number.POSITIVE_INFINITY })))
      await waiters(2)
      await locks.close()
      expect(await end).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await waiters(1)
      await until('nothing is watched', () => zookeeper.watchCount === 0)
      await Promise.all([zookeeper.close(), blocker.release()])
    })

    test('CURATOR-599: a server that goes silent hangs nobody, and no wait is called lost to a holder that nobody saw', async () => {
      const locks = open({ sessionTimeoutMs: 1_500 })
      const hold = await held(locks.contend(ask('silent')))
      proxy.blackHole('everything')
      const startedMs = performance.now()
      const ends = await Promise.all([
        endOfContend(locks.contend(ask('silent', { waitMs: 200 }))),
        endOfContend(locks.contend(ask('else', { waitMs: 0 }))),
        hold.release().catch((error: { code: string }) => error.code),
      ])
      expect(ends).toEqual(Array(3).fill('LOCKSTEP_LOCK_UNAVAILABLE'))
      expect(performance.now() - startedMs).toBeLessThan(3_000)
    })

    test('with credentials, nodes are their creator’s alone, and wrong ones are a matter of configuration', async () => {
      const credentials = [{ scheme: 'digest', secret: 'ann:secret' }]
      const locks = open({ servers: server.servers, credentials }, { root: '/anns/locks' })
      const hold = await held(locks.contend(ask('private')))
      const ann = openZooKeeper({ servers: server.servers, credentials })
      const [path = ''] = await treeBelow(ann, '/anns/locks')
      for (const each of [path, '/anns/locks', '/anns/locks/mutex/private']) {
        const { acl } = await ann.getAcl(each)
        expect(acl).toEqual([{ ...creatorAcl[0], scheme: 'digest', id: expect.stringMatching(/^ann:/) }])
      }
      const stranger = open({ servers: server.servers }, { root: '/anns/locks' })
      expect(await endOfContend(stranger.contend(ask('private')))).toBe('LOCKSTEP_CONFIGURATION')
      expect(await hold.release()).toBe(true)
      const unknown = open({ servers: server.servers, credentials: [{ scheme: 'nonsense', secret: '' }] })
      expect(await endOfContend(unknown.contend(ask('private')))).toBe('LOCKSTEP_CONFIGURATION')
      await ann.close()
    })

    test('inspect says who holds and how many wait, of every kind; evict takes the token that was named', async () => {
      const [first, second] = [
        await held(rival.contend(ask('seen'))),
        await held(rival.contend(ask('seen', { mode: { kind: 'permit', of: 1 } }))),
      ]
      const waiting = [
        held(rival.contend(ask('seen'))),
        held(rival.contend(ask('seen', { mode: { kind: 'permit', of: 1 } }))),
      ]
      await waiters(4)
      const infos = await rival.inspect('seen')
      expect(infos.map(({ mode, token, waiters: count, holder }) => [mode, token, count, holder?.label])).toEqual([
        ['mutex', first.token, 1, 'test'],
        ['permit', second.token, 1, 'test'],
      ])
      expect(await rival.evict('seen', first.token + 10_000n)).toEqual([])
      expect(await rival.evict('seen', first.token)).toHaveLength(1)
      await second.release()
      expect(await first.extend(1)).toBe(false)
      for (const hold of await Promise.all(waiting)) expect(await hold.release()).toBe(true)
    })
  })
