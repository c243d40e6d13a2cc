/** Statements of leases that are executed late, in another order, or when nobody waits for them any more. */
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  quietPool,
  type RunningPostgres,
  startPostgres,
  testsWithPostgres,
} from '../../../../testkit/src/services/postgres.ts'
import { createLocks } from '../../compose.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { type LockAsk, type LockBackend, silentLogger } from '../../ports/index.ts'
import { postgresLeaseLocks } from '../index.ts'
import type { LockPool } from './statements.ts'

if (testsWithPostgres())
  describe('PostgreSQL leases', () => {
    let server: RunningPostgres
    let admin: pg.Pool
    let name: string
    let tests = 0
    const closing: (() => unknown)[] = []

    const poolOf = (config: pg.PoolConfig = {}): pg.Pool => {
      const pool = quietPool(server.url, { max: 4, ...config })
      closing.push(() => void pool.end().catch(() => undefined))
      return pool
    }
    const open = (pool: LockPool = poolOf()): LockBackend => {
      const backend = postgresLeaseLocks(pool, { statementTimeoutMs: 300 })({ ...nodeEnvironment, log: silentLogger })
      closing.unshift(() => backend.close())
      return backend
    }
    const askOf = (others: Partial<LockAsk> = {}): LockAsk => ({
      name,
      mode: { kind: 'mutex' },
      ttlMs: 60_000,
      waitMs: 0,
      signal: new AbortController().signal,
      owner: `${name} owner`,
      holder: { host: 'here', pid: 1, label: '' },
      ...others,
    })
    /** Whoever wants the row waits until it is let go. */
    const keepRow = async (): Promise<() => Promise<void>> => {
      const client = await admin.connect()
      await client.query('begin')
      await client.query('select from lockstep_lock_leases where name = $1 for update', [name])
      return async () => {
        await client.query('commit')
        client.release()
      }
    }

    beforeAll(async () => {
      server = await startPostgres({ private: true })
      admin = quietPool(server.url, { max: 2 })
    })
    beforeEach(async () => {
      tests += 1
      name = `lost-${tests}`
      await (await open().contend(askOf({ owner: 'first' })))?.release()
    })
    afterEach(async () => {
      for (const close of closing.splice(0)) await close()
    })
    afterAll(async () => {
      await admin?.end()
      await server?.stop()
    })

    test('a take that is executed after its release is given back, long before its TTL', async () => {
      const letGo = await keepRow()
      await expect(open().contend(askOf())).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
      // The release of what was not there yet has been answered.
      await new Promise((resolve) => setTimeout(resolve, 100))
      await letGo()
      const observer = open()
      await vi.waitFor(async () => expect(await observer.inspect(name)).toHaveLength(1), { interval: 5 })
      await vi.waitFor(async () => expect(await observer.inspect(name)).toEqual([]), { timeout: 5_000 })
    })

    test('close gives back what an ask takes that was under way', async () => {
      const backend = open()
      await backend.inspect()
      const letGo = await keepRow()
      const asked = backend.contend(askOf()).catch((error) => error.code)
      await new Promise((resolve) => setTimeout(resolve, 50))
      const closed = backend.close()
      expect(await asked).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await letGo()
      await closed
      expect((await admin.query('select owner from lockstep_lock_leases where name = $1', [name])).rows).toEqual([
        { owner: '' },
      ])
    })

    test('a call after close is not sent', async () => {
      const backend = open()
      await backend.close()
      const sent = vi.spyOn(admin, 'connect')
      const fresh = postgresLeaseLocks(admin)({ ...nodeEnvironment, log: silentLogger })
      await fresh.close()
      await expect(fresh.contend(askOf())).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
      expect(sent).not.toHaveBeenCalled()
      sent.mockRestore()
    })

    test('a hold never outlives its row, whichever of two extensions is answered first', async () => {
      const pool = poolOf()
      let shortIsDone = (): void => {}
      const short = new Promise<void>((resolve) => {
        shortIsDone = resolve
      })
      const late: LockPool = {
        totalCount: 0,
        async connect() {
          const client = await pool.connect()
          if (Object.hasOwn(client, 'query')) return client
          const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<pg.QueryResult>
          const delayed = async (text: string, values?: unknown[]) => {
            const result = await query(text, values)
            // It was executed before the shorter one, and is answered behind it.
            if (values?.[2] === 50_000 && text.startsWith('update')) await short
            return result
          }
          return Object.assign(client, { query: delayed })
        },
      }
      const backend = open(late)
      const hold = await backend.contend(askOf({ ttlMs: 5_000 }))
      const long = hold?.extend(50_000)
      await vi.waitFor(async () => expect((await backend.inspect(name))[0]?.remainingMs).toBeGreaterThan(40_000))
      expect(await hold?.extend(1_000)).toBe(true)
      shortIsDone()
      expect(await long).toBe(true)
      const believedMs = (hold?.validUntilMs ?? 0) - performance.now()
      expect((await backend.inspect(name))[0]?.remainingMs).toBeGreaterThan(believedMs)
    })

    test('a server whose transactions are serializable refuses nobody who may wait', async () => {
      const pools = Array.from({ length: 4 }, () =>
        poolOf({ options: '-c default_transaction_isolation=serializable' }),
      )
      const all = pools.map((pool) => createLocks(postgresLeaseLocks(pool)))
      for (const locks of all) closing.unshift(() => locks.close())
      let served = 0
      const work = async (locks: (typeof all)[number]): Promise<void> => {
        for (let at = 0; at < 10; at++)
          await locks.withLock(name, () => {
            served += 1
          })
      }
      await Promise.all(all.map(work))
      expect(served).toBe(40)
    })
  })
