/** What PostgreSQL and the network do to locks, on a real server. */
import { readFileSync } from 'node:fs'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  quietPool,
  type RunningPostgres,
  startPostgres,
  testsWithPostgres,
} from '../../../../testkit/src/services/postgres.ts'
import { descendantsOf } from '../../../../testkit/src/services/service-process.ts'
import { startTcpProxy } from '../../../../testkit/src/services/tcp-proxy.ts'
import { createLocks } from '../../compose.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { type LockAsk, silentLogger } from '../../ports/index.ts'
import { type Locks, postgresAdvisoryLocks, postgresLeaseLocks } from '../index.ts'

const never = new AbortController().signal

if (testsWithPostgres())
  describe('locks on PostgreSQL', () => {
    let server: RunningPostgres
    let admin: pg.Pool
    let name: string
    let tests = 0
    const closing: (() => unknown)[] = []

    const poolOf = (config: pg.PoolConfig & { url?: string } = {}): pg.Pool => {
      const { url = server.url, ...rest } = config
      const pool = quietPool(url, { max: 4, ...rest })
      closing.push(() => void pool.end().catch(() => undefined))
      return pool
    }
    const opened = (locks: Locks): Locks => {
      closing.unshift(() => locks.close())
      return locks
    }
    const leases = (pool = poolOf(), options: Parameters<typeof postgresLeaseLocks>[1] = {}): Locks =>
      opened(createLocks(postgresLeaseLocks(pool, { statementTimeoutMs: 1_000, ...options })))
    const advisory = (pool = poolOf(), options: Parameters<typeof postgresAdvisoryLocks>[1] = {}): Locks =>
      opened(createLocks(postgresAdvisoryLocks(pool, { statementTimeoutMs: 1_000, ttlMs: 2_000, ...options })))
    const both = [
      ['leases', leases],
      ['advisory', advisory],
    ] as const
    const proxied = async () => {
      const url = new URL(server.url)
      const proxy = await startTcpProxy({ port: Number(url.port) })
      url.port = String(proxy.port)
      closing.push(() => proxy.close())
      return { proxy, pool: poolOf({ url: url.href }) }
    }
    const signalServer = async (signal: NodeJS.Signals, pid: number): Promise<void> => {
      for (const each of [pid, ...descendantsOf(pid)]) process.kill(each, signal)
    }
    const serverPid = async (): Promise<number> => {
      const directory = (await admin.query('show data_directory')).rows[0].data_directory
      return Number(readFileSync(`${directory}/postmaster.pid`, 'utf8').split('\n')[0])
    }

    beforeAll(async () => {
      server = await startPostgres({ private: true })
      admin = quietPool(server.url, { max: 2 })
    })
    beforeEach(() => {
      tests += 1
      name = `lock-${tests}`
    })
    afterEach(async () => {
      for (const close of closing.splice(0)) await close()
    })
    afterAll(async () => {
      await admin?.end()
      await server?.stop()
    })

    test.each(both)('%s: ten processes that begin at once in a new schema make one table', async (kind, open) => {
      const schema = `fresh_${kind}`
      const all = Array.from({ length: 10 }, () => open(poolOf(), { schema }))
      const held = await Promise.all(all.map((locks, index) => locks.acquire(`${name}-${index}`)))
      expect(held).toHaveLength(10)
    })

    test.each(both)('%s: tokens grow over kill -9 and restart of the server', async (kind, open) => {
      const locks = open()
      const lease = await locks.acquire(name, { ttl: 2_000 })
      await server.kill()
      await server.restart()
      if (kind === 'advisory') await lease.lost
      else await lease.release()
      const next = await open().acquire(name, { wait: '10s' })
      expect(next.fencingToken > lease.fencingToken).toBe(true)
    })

    test.each(both)(
      '%s: a server that stands still puts the holder at risk, and it is lost in time',
      async (_kind, open) => {
        const lease = await open().acquire(name, { ttl: 2_000 })
        const pid = await serverPid()
        const startedMs = performance.now()
        await signalServer('SIGSTOP', pid)
        try {
          await vi.waitFor(() => expect(lease.state).toBe('at-risk'), { timeout: 2_000, interval: 10 })
          await lease.lost
          expect(performance.now() - startedMs).toBeLessThan(2_000)
        } finally {
          await signalServer('SIGCONT', pid)
        }
        const next = await open().acquire(name, { wait: '10s' })
        expect(next.fencingToken > lease.fencingToken).toBe(true)
      },
    )

    test.each(both)(
      '%s: with every connection of the pool taken it is unavailable in time, and can be aborted',
      async (_kind, open) => {
        const pool = poolOf({ max: 1 })
        const locks = open(pool)
        const taken = await pool.connect()
        await expect(locks.acquire(name)).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
        const reason = new Error('enough')
        const giving = new AbortController()
        const startedMs = performance.now()
        const waiting = expect(locks.acquire(name, { signal: giving.signal })).rejects.toBe(reason)
        setTimeout(() => giving.abort(reason), 50)
        await waiting
        expect(performance.now() - startedMs).toBeLessThan(500)
        taken.release()
        await (await locks.acquire(name)).release()
      },
    )

    test.each(both)('%s: an abort at any moment leaves nothing behind', async (_kind, open) => {
      const [one, other] = [open(), open()]
      for (const afterMs of [0, 1, 2, 3, 5, 8]) {
        const signal = AbortSignal.timeout(afterMs)
        await one.acquire(name, { signal, ttl: 2_000 }).then(
          (lease) => lease.release(),
          () => undefined,
        )
        await (await other.acquire(name, { wait: 1_000, ttl: 2_000 })).release()
      }
      await vi.waitFor(async () => expect(await other.inspect(name)).toEqual([]))
    })

    test.each(both)(
      '%s: a lost answer is unavailable, and what was taken is given back before its TTL',
      async (kind, open) => {
        const { proxy, pool } = await proxied()
        const locks = open(pool)
        await (await locks.acquire(`${name}-first`)).release()
        proxy.dropAnswers()
        const ttl = kind === 'leases' ? 60_000 : 2_000
        const outcome = await locks.acquire(name, { ttl, wait: 1_500 }).catch((error) => error.code)
        expect(outcome).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
        proxy.heal()
        await (await open().acquire(name, { wait: '8s', ttl: 2_000 })).release()
      },
    )

    test('leases: a repeat with the same owner is granted the same token, and does not block itself', async () => {
      const backend = postgresLeaseLocks(poolOf())({ ...nodeEnvironment, log: silentLogger })
      closing.unshift(() => backend.close())
      const holder = { host: 'here', pid: 1, label: '' }
      const ask: LockAsk = {
        name,
        mode: { kind: 'mutex' },
        ttlMs: 5_000,
        waitMs: 0,
        signal: never,
        owner: 'me',
        holder,
      }
      const [first, again] = [await backend.contend(ask), await backend.contend(ask)]
      expect(again?.token).toBe(first?.token)
      expect(await backend.contend({ ...ask, owner: 'you' })).toBe(null)
      await expect(backend.contend({ ...ask, mode: { kind: 'read' } })).rejects.toMatchObject({
        code: 'LOCKSTEP_LOCK_UNSUPPORTED',
      })
    })

    test('leases: without a listening connection, as behind a pooler, releases are found by polling', async () => {
      const pool = poolOf()
      const pooled = {
        get totalCount() {
          return pool.totalCount
        },
        connect: async () => Object.assign(await pool.connect(), { processID: 1 }),
      }
      const [holder, waiter] = [leases(), opened(createLocks(postgresLeaseLocks(pooled)))]
      const lease = await holder.acquire(name)
      const waiting = waiter.acquire(name, { wait: '5s' })
      await new Promise((resolve) => setTimeout(resolve, 300))
      await lease.release()
      const releasedMs = performance.now()
      await waiting
      expect(performance.now() - releasedMs).toBeLessThan(1_000)
      expect(pool.idleCount).toBe(pool.totalCount)
    })

    test('advisory: a pooler is refused', async () => {
      const pool = poolOf()
      const pooled = {
        get totalCount() {
          return pool.totalCount
        },
        connect: async () => Object.assign(await pool.connect(), { processID: 1 }),
      }
      const locks = opened(createLocks(postgresAdvisoryLocks(pooled)))
      await expect(locks.acquire(name)).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
    })

    test('advisory: the end of the connection is told at once for every name, and the next one holds', async () => {
      // Nothing is asked on it for so long that only the connection itself can tell.
      const locks = advisory(poolOf(), { ttlMs: 6_000 })
      const [one, two] = await Promise.all([locks.acquire(name), locks.acquire(`${name}-b`)])
      const waiting = advisory().acquire(name, { wait: '5s' })
      const startedMs = performance.now()
      await admin.query("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted")
      await Promise.all([one.lost, two.lost])
      expect(performance.now() - startedMs).toBeLessThan(1_000)
      expect((await waiting).fencingToken > one.fencingToken).toBe(true)
      await (await locks.acquire(`${name}-b`)).release()
    })

    test('advisory: who asks again on the connection that holds it is not granted it a second time', async () => {
      const backend = postgresAdvisoryLocks(poolOf())({ ...nodeEnvironment, log: silentLogger })
      closing.unshift(() => backend.close())
      const holder = { host: 'here', pid: 1, label: '' }
      const ask: LockAsk = { name, mode: { kind: 'mutex' }, ttlMs: 9, waitMs: 0, signal: never, owner: 'me', holder }
      const hold = await backend.contend(ask)
      expect(await backend.contend({ ...ask, owner: 'you' })).toBe(null)
      expect(await hold?.release()).toBe(true)
      expect(await backend.contend({ ...ask, owner: 'you' })).not.toBe(null)
    })

    test('advisory: many names cost one connection', async () => {
      const pool = poolOf()
      const locks = advisory(pool)
      await Promise.all(Array.from({ length: 50 }, (_, index) => locks.acquire(`${name}-${index}`)))
      expect(pool.totalCount - pool.idleCount).toBe(1)
    })

    test('advisory: somebody else’s lock of the same number only blocks', async () => {
      const client = await admin.connect()
      const number = `hashtextextended('lockstep:mutex:${name}', 0)`
      await client.query(`select pg_advisory_lock(${number})`)
      const locks = advisory()
      expect(await locks.tryAcquire(name)).toBe(null)
      const waiting = locks.acquire(name, { wait: '5s' })
      await client.query(`select pg_advisory_unlock(${number})`)
      await (await waiting).release()
      client.release()
    })

    test.each(both)('%s: a wrong password or database is LOCKSTEP_CONFIGURATION', async (_kind, open) => {
      const url = new URL(server.url)
      url.pathname = '/nowhere'
      await expect(open(poolOf({ url: url.href })).acquire(name)).rejects.toMatchObject({
        code: 'LOCKSTEP_CONFIGURATION',
      })
    })
  })
