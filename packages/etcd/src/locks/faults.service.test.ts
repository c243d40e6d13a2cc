/** One real member behind networks that fail. */
import { createLocks } from 'lockstep'
import type { Locks } from 'lockstep/locks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningEtcd, startEtcd, testsWithEtcd } from '../../../testkit/src/services/etcd.ts'
import { startTcpProxy, type TcpProxy } from '../../../testkit/src/services/tcp-proxy.ts'
import { keysLeft, prefix, until } from '../../test/etcd-lab.ts'
import { type Etcd, etcdLocks, openEtcd } from '../index.ts'

const ttlMs = 3_000

if (testsWithEtcd())
  describe('locks on etcd through a failing network', () => {
    let server: RunningEtcd
    let observer: Etcd
    let proxies: [TcpProxy, TcpProxy]
    let name: string
    let tests = 0
    const opened: Locks[] = []
    const open = (endpoints: readonly string[] = server.endpoints, options: { ttlMs?: number } = {}): Locks => {
      const locks = createLocks(etcdLocks({ endpoints, requestTimeoutMs: 1_000 }, { prefix, ttlMs, ...options }))
      opened.push(locks)
      return locks
    }
    const through = (...some: TcpProxy[]): string[] => some.map(({ port }) => `http://127.0.0.1:${port}`)
    const queued = (count: number) =>
      until(`${count} stand in the queue`, async () => (await keysLeft(observer, name)).length === count)
    const tell = (path: string, body: object) =>
      fetch(`${server.endpoints[0]}${path}`, { method: 'POST', body: JSON.stringify(body) })

    beforeAll(async () => {
      server = await startEtcd({ private: true })
      observer = openEtcd({ endpoints: server.endpoints })
      const port = Number(new URL(server.endpoints[0] ?? '').port)
      proxies = [await startTcpProxy({ port }), await startTcpProxy({ port })]
    })
    beforeEach(() => {
      tests += 1
      name = `fault-${tests}`
    })
    afterEach(async () => {
      for (const proxy of proxies) proxy.heal()
      await Promise.all(opened.splice(0).map((locks) => locks.close()))
    })
    afterAll(async () => {
      observer?.close()
      await Promise.all((proxies ?? []).map((proxy) => proxy.close()))
      await server?.stop()
    })

    test('etcd3 #110: behind a half-open link the holder is at risk, then told before anybody else holds', async () => {
      const lease = await open(through(proxies[0])).acquire(name)
      const other = open().acquire(name, { wait: '15s' })
      await queued(2)
      proxies[0].blackHole()
      const startedMs = performance.now()
      await until('it is at risk', () => lease.state === 'at-risk', ttlMs)
      const lost = await lease.lost
      expect(performance.now() - startedMs).toBeLessThan(ttlMs)
      expect(lost.code).toBe('LOCKSTEP_LOCK_LOST')
      expect(lease.signal.aborted).toBe(true)
      expect(await keysLeft(observer, name)).toHaveLength(2)
      const next = await other
      expect(next.fencingToken > lease.fencingToken).toBe(true)
    })

    test('etcd3 #153: a watch that is reset is opened again, and the waiter is served at once', async () => {
      const lease = await open().acquire(name)
      const waiting = open(through(proxies[0])).acquire(name, { wait: '15s' })
      await queued(2)
      proxies[0].cut()
      proxies[0].heal()
      await lease.release()
      const releasedMs = performance.now()
      await waiting
      expect(performance.now() - releasedMs).toBeLessThan(1_000)
    })

    test('a watch that only looks alive is found out by its probe, and another endpoint serves the waiter', async () => {
      const lease = await open().acquire(name, { ttl: ttlMs })
      const waiting = open(through(...proxies)).acquire(name, { wait: '20s' })
      await queued(2)
      await new Promise((resolve) => setTimeout(resolve, 200))
      proxies[0].blackHole()
      await lease.release()
      const releasedMs = performance.now()
      const next = await waiting
      // A look per TTL is the net below; the probe comes after a third of it and waits for a sixth.
      expect(performance.now() - releasedMs).toBeLessThan(ttlMs)
      expect(next.state).not.toBe('lost')
    })

    test('what is compacted away while the watch was down is listed again', async () => {
      const lease = await open().acquire(name)
      const waiting = open(through(proxies[0]), { ttlMs: 20_000 }).acquire(name, { wait: '15s' })
      await queued(2)
      proxies[0].cut()
      await lease.release()
      await observer.put({ key: 'elsewhere', value: '' })
      await tell('/v3/kv/compaction', { revision: String(await observer.put({ key: 'elsewhere', value: '' })) })
      proxies[0].heal()
      const healedMs = performance.now()
      await waiting
      expect(performance.now() - healedMs).toBeLessThan(2_500)
    })

    test('an ask whose answer was lost fails in time, and what it put or would put is withdrawn', async () => {
      const locks = open(through(proxies[0]))
      await (await locks.acquire(`${name}-first`)).release()
      proxies[0].dropAnswers()
      const failed = expect(locks.acquire(name, { wait: 500 })).rejects.toMatchObject({
        code: 'LOCKSTEP_LOCK_UNAVAILABLE',
      })
      await queued(1)
      await failed
      proxies[0].heal()
      await queued(0)
      await (await locks.acquire(name)).release()
    })

    test('#11456: an entry whose lease ends in the queue is never granted; the ask goes on with another session', async () => {
      const lease = await open().acquire(name)
      const before = new Set(await observer.leases())
      const waiting = open().acquire(name, { wait: '10s' })
      await queued(2)
      const [doomed] = (await observer.leases()).filter((id) => !before.has(id))
      const last = async () =>
        (await observer.range({ key: prefix, rangeEnd: 'lockstep/locks0', newestFirst: true })).entries
      const first = (await last()).find(({ leaseId }) => leaseId === doomed)
      await observer.leaseRevoke(doomed ?? 0n)
      await until('it stands there anew', async () => (await keysLeft(observer, name)).length === 2)
      await lease.release()
      const granted = await waiting
      expect(granted.fencingToken > (first?.createRevision ?? 0n)).toBe(true)
      expect(await observer.leases()).not.toContain(doomed)
    })

    test('#11456: an entry that is gone when its turn comes is not granted, although nobody stands before it', async () => {
      await open().acquire(name, { renew: false })
      const waiting = open().acquire(name, { wait: '10s' })
      await queued(2)
      const queue = `${prefix}mutex/${name}/`
      await observer.delete({ key: queue, rangeEnd: `${queue.slice(0, -1)}0` })
      const granted = await waiting
      const { entries } = await observer.range({ key: queue, rangeEnd: `${queue.slice(0, -1)}0` })
      expect(entries.map(({ createRevision }) => createRevision)).toEqual([granted.fencingToken])
    })

    test('#14019, #16053: no lease is left behind by sessions that were closed, whatever they were doing', async () => {
      const holder = open()
      await holder.acquire(name)
      const waiters = [open(), open(), open()]
      const waiting = waiters.map((locks) => locks.acquire(name, { wait: '10s' }).catch(() => null))
      await queued(4)
      await Promise.all([holder, ...waiters].map((locks) => locks.close()))
      await Promise.all(waiting)
      await until('no lease is left', async () => (await observer.leases()).length === 0, 5_000)
      expect(await keysLeft(observer, name)).toEqual([])
    })

    test('a session that the server has ended is lost for every hold of it, at the next keep-alive', async () => {
      const locks = open()
      const [one, two] = await Promise.all([locks.acquire(`${name}-1`), locks.acquire(`${name}-2`)])
      const ids = await observer.leases()
      await Promise.all(ids.map((id) => observer.leaseRevoke(id)))
      await Promise.all([one.lost, two.lost])
      const again = await locks.acquire(`${name}-1`)
      expect(again.fencingToken > one.fencingToken).toBe(true)
    })

    test('a dead server is LOCKSTEP_LOCK_UNAVAILABLE in time, and never null', async () => {
      proxies[0].cut()
      const locks = open(through(proxies[0]))
      await expect(locks.tryAcquire(name)).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
      await expect(locks.acquire(name, { wait: 200 })).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
    })

    test('wrong credentials and missing rights are LOCKSTEP_CONFIGURATION, and the right ones work', async () => {
      await tell('/v3/auth/user/add', { name: 'root', password: 'secret' })
      await tell('/v3/auth/user/grant', { user: 'root', role: 'root' })
      await tell('/v3/auth/user/add', { name: 'guest', password: 'guest' })
      await tell('/v3/auth/enable', {})
      const as = (username: string, password: string): Locks => {
        const endpoints = server.endpoints
        const locks = createLocks(etcdLocks({ endpoints, username, password }, { prefix, ttlMs }))
        opened.push(locks)
        return locks
      }
      try {
        await expect(as('root', 'wrong').acquire(name)).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
        await expect(as('guest', 'guest').acquire(name)).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
        await expect(open().acquire(name)).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
        const lease = await as('root', 'secret').acquire(name)
        const waiting = as('root', 'secret').acquire(name)
        await lease.release()
        await (await waiting).release()
      } finally {
        const { token } = (await (
          await tell('/v3/auth/authenticate', { name: 'root', password: 'secret' })
        ).json()) as { token: string }
        const headers = { authorization: token }
        await fetch(`${server.endpoints[0]}/v3/auth/disable`, { method: 'POST', body: '{}', headers })
      }
    })
  })
