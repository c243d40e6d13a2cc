import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunningPostgres } from '../../../testkit/src/services/postgres.ts'
import { quietPool, startPostgres, testsWithPostgres } from '../../../testkit/src/services/postgres.ts'
import type { BarrierKey, BarrierRow } from '../ports/index.ts'
import { BarrierBusy, Verdict } from '../ports/index.ts'
import { barrierSql } from '../stores/migrations/barrier-sql.ts'
import { nodeSqliteBarrier } from './node-sqlite.ts'
import { pgBarrier } from './pg.ts'

let server: RunningPostgres
let url: string
let pool: pg.Pool
const barrier = pgBarrier()
const row: BarrierRow = { by: 'action', inputHash: 'h', output: null }
const options = { lockWaitMs: 300 }
let count = 0

function freshKey(): BarrierKey {
  count += 1
  return { store: '1f2e3d4c', transaction: `t${count}`, branch: 'b', operation: 'action' }
}

/** How many sessions have waited for a lock for that long. */
async function waitingFor(interval: string): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int as count from pg_stat_activity where datname = current_database()
       and wait_event_type = 'Lock' and clock_timestamp() - query_start > $1::interval`,
    [interval],
  )
  return rows[0].count
}

async function clientOf(tx: unknown): Promise<pg.PoolClient> {
  return tx as pg.PoolClient
}

if (testsWithPostgres())
  describe('the PostgreSQL barrier', () => {
    beforeAll(async () => {
      server = await startPostgres({ fsync: false, settings: { deadlock_timeout: '100ms' } })
      url = await server.createDatabase()
      pool = quietPool(url, { max: 4 })
      await pool.query(barrierSql('postgres'))
      await pool.query(
        'create table account (id int primary key, balance int); insert into account values (1, 100), (2, 100)',
      )
    })

    afterAll(async () => {
      await pool.end()
      await server.stop()
    })

    it('puts the lock wait back before the business, to whatever it was', async () => {
      for (const [before, expected] of [
        ["set local lock_timeout = '77ms'", '77ms'],
        ['select 1', '0'],
      ] as const) {
        const timeouts = await barrier.transact(
          pool,
          async (tx, rows) => {
            const client = await clientOf(tx)
            await client.query(before)
            await rows.insert(freshKey(), row)
            return (await client.query('show lock_timeout')).rows[0].lock_timeout
          },
          options,
        )
        expect(timeouts).toBe(expected)
      }
    })

    it("does not cancel the user's own statement that waits longer than the barrier would", async () => {
      const holder = await pool.connect()
      await holder.query('begin; update account set balance = balance where id = 1')
      const working = barrier.transact(
        pool,
        async (tx, rows) => {
          await rows.insert(freshKey(), row)
          return (await (await clientOf(tx)).query('update account set balance = balance - 1 where id = 1')).rowCount
        },
        { lockWaitMs: 50 },
      )
      // Longer than the barrier's wait, by the server's own clock.
      await expect.poll(() => waitingFor('200 ms')).toBe(1)
      await holder.query('commit')
      holder.release()
      expect(await working).toBe(1)
    })

    it('is busy after the lock wait, and keeps the connection', async () => {
      const key = freshKey()
      const held = Promise.withResolvers<void>()
      const entered = Promise.withResolvers<void>()
      const holder = barrier.transact(
        pool,
        async (_tx, rows) => {
          await rows.insert(key, row)
          entered.resolve()
          await held.promise
        },
        options,
      )
      await entered.promise
      const start = performance.now()
      await expect(barrier.transact(pool, (_tx, rows) => rows.insert(key, row), options)).rejects.toBeInstanceOf(
        BarrierBusy,
      )
      expect(performance.now() - start).toBeGreaterThan(250)
      held.resolve()
      await holder
    })

    it('runs the loser of a deadlock again, whole', async () => {
      let runs = 0
      const meet = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
      const transfer = (from: number, to: number, mine: 0 | 1) =>
        barrier.transact(
          pool,
          async (tx, rows) => {
            runs += 1
            const client = await clientOf(tx)
            await rows.insert(freshKey(), row)
            await client.query('update account set balance = balance - 1 where id = $1', [from])
            meet[mine].resolve()
            await meet[mine === 0 ? 1 : 0].promise
            await client.query('update account set balance = balance + 1 where id = $1', [to])
          },
          { lockWaitMs: 5_000 },
        )
      const before = (await pool.query('select sum(balance)::int as sum from account')).rows[0].sum
      await Promise.all([transfer(1, 2, 0), transfer(2, 1, 1)])
      expect(runs).toBe(3)
      expect((await pool.query('select sum(balance)::int as sum from account')).rows[0].sum).toBe(before)
    })

    it('is READ COMMITTED whatever the default is', async () => {
      const strict = quietPool(url, { options: '-c default_transaction_isolation=serializable', max: 1 })
      const level = await barrier.transact(
        strict,
        async (tx) => (await (await clientOf(tx)).query('show transaction_isolation')).rows[0],
        options,
      )
      expect(level).toEqual({ transaction_isolation: 'read committed' })
      await strict.end()
    })

    it('destroys a connection after an error, and keeps it after a refusal', async () => {
      const small = quietPool(url, { max: 1 })
      const pids: number[] = []
      const run = (end: () => void) =>
        barrier
          .transact(
            small,
            async (tx, rows) => {
              const client = await clientOf(tx)
              pids.push((await client.query('select pg_backend_pid() as pid')).rows[0].pid)
              await client.query("set application_name = 'dirty'")
              await rows.insert(freshKey(), row)
              end()
            },
            options,
          )
          .catch(() => {})
      await run(() => {
        throw new Verdict({ kind: 'refused', reason: null })
      })
      await run(() => {
        throw new Error('boom')
      })
      await run(() => {})
      expect(pids[0]).toBe(pids[1])
      expect(pids[1]).not.toBe(pids[2])
      expect(small.totalCount).toBe(1)
      await small.end()
    })

    it('commits nothing when the work swallowed an SQL error or ended the transaction itself', async () => {
      const key = freshKey()
      const swallowed = barrier.transact(
        pool,
        async (tx, rows) => {
          await rows.insert(key, row)
          await (await clientOf(tx)).query('select 1/0').catch(() => {})
        },
        options,
      )
      await expect(swallowed).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION', outcome: 'unknown' })
      const ended = barrier.transact(pool, async (tx) => (await clientOf(tx)).query('rollback'), options)
      await expect(ended).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
      expect(
        (await pool.query('select 1 from lockstep_barrier where transaction_id = $1', [key.transaction])).rowCount,
      ).toBe(0)
    })

    it('says how to make the missing table', async () => {
      const elsewhere = pgBarrier({ schema: 'nowhere' })
      const failing = elsewhere.transact(pool, (_tx, rows) => rows.insert(freshKey(), row), options)
      await expect(failing).rejects.toMatchObject({
        code: 'LOCKSTEP_BARRIER_MISSING',
        next: expect.stringContaining('lockstep migrate barrier --dialect postgres'),
      })
    })

    it('finds its table in another schema, and takes only identifiers for it', async () => {
      await pool.query(`create schema bank; ${barrierSql('postgres', { schema: 'bank' })}`)
      const elsewhere = pgBarrier({ schema: 'bank', now: () => 42 })
      await elsewhere.transact(pool, (_tx, rows) => rows.insert(freshKey(), row), options)
      expect((await pool.query('select created_at from bank.lockstep_barrier')).rows).toEqual([{ created_at: '42' }])
      expect(() => pgBarrier({ schema: 'x"; drop table y' })).toThrowError(/letters, digits/)
    })

    it('takes one connected client, one transaction after the other, and refuses it inside one', async () => {
      const client = new pg.Client(url)
      client.on('error', () => {})
      await client.connect()
      const inserts = [1, 2, 3].map(() =>
        barrier.transact(client, (_tx, rows) => rows.insert(freshKey(), row), options),
      )
      expect(await Promise.all(inserts)).toEqual([true, true, true])
      await client.query('begin')
      await expect(barrier.transact(client, async () => 1, options)).rejects.toMatchObject({
        code: 'LOCKSTEP_CONFIGURATION',
      })
      // An older pg does not tell the state of its connection.
      const old = { query: client.query.bind(client), processID: 1 }
      await expect(barrier.transact(old, async () => 1, options)).rejects.toMatchObject({
        code: 'LOCKSTEP_CONFIGURATION',
      })
      await client.query('rollback')
      expect(await barrier.transact(old, async () => 1, options)).toBe(1)
      const swallowing = barrier.transact(old, () => client.query('select 1/0').catch(() => null), options)
      await expect(swallowing).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION', outcome: 'unknown' })
      await client.end()
    })

    it('recognises nothing but its own handles', () => {
      const client = new pg.Client(url)
      const recognised = [pool, client, {}, null, { query() {} }, new Map()].map((handle) => barrier.recognises(handle))
      expect(recognised).toEqual([true, true, false, false, false, false])
      expect([nodeSqliteBarrier().recognises(pool), nodeSqliteBarrier().recognises(client)]).toEqual([false, false])
    })
  })
