/** Fences in PostgreSQL and in Redis, for real. */
import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  quietPool,
  type RunningPostgres,
  startPostgres,
  testsWithPostgres,
} from '../../../testkit/src/services/postgres.ts'
import { type RunningRedis, startRedis, testsWithRedis } from '../../../testkit/src/services/redis.ts'
import { claimFence, fencedEffect, fenceTableSql } from '../../src/fencing/index.ts'
import { armMutant } from '../../src/testing/index.ts'

const fence = (fencingToken: bigint, name = 'sku-42') => ({ name, fencingToken })
const stale = { code: 'LOCKSTEP_STALE_TOKEN' }

if (testsWithPostgres())
  describe('a fence in PostgreSQL', () => {
    let server: RunningPostgres
    let pool: pg.Pool
    beforeAll(async () => {
      server = await startPostgres({ private: true })
      pool = quietPool(server.url)
    })
    afterAll(async () => {
      await pool.end()
      await server.stop()
    })

    test('says how to make its table when there is none, and is claimed then', async () => {
      await expect(claimFence(pool, fence(1n))).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
      await pool.query(fenceTableSql())
      await claimFence(pool, fence(2n ** 60n))
      await claimFence(pool, fence(2n ** 60n))
      await expect(claimFence(pool, fence(2n ** 60n - 1n))).rejects.toMatchObject(stale)
    })
    test('claimed before the read: an older holder that has read cannot write between our read and our write', async () => {
      await pool.query('create table stock (left_over int)')
      await pool.query('insert into stock values (10)')
      const [older, newer] = [await pool.connect(), await pool.connect()]
      const change = async (client: pg.PoolClient, token: bigint, meanwhile: () => Promise<void>): Promise<void> => {
        await client.query('begin')
        try {
          await claimFence(client, fence(token, 'stock'))
          const { rows } = await client.query('select left_over from stock')
          await meanwhile()
          await client.query('update stock set left_over = $1', [rows[0].left_over - 1])
          await client.query('commit')
        } catch (error) {
          await client.query('rollback')
          throw error
        }
      }
      const both = async (): Promise<unknown> => {
        let late: Promise<unknown> = Promise.resolve()
        await change(newer, 8n, async () => {
          late = change(older, 7n, async () => {}).catch((error: unknown) => error)
          await new Promise((resolve) => setTimeout(resolve, 50))
        })
        return late
      }
      expect(await both()).toMatchObject(stale)
      expect((await pool.query('select left_over from stock')).rows).toEqual([{ left_over: 9 }])
      // The known bug is caught: without the claim the older one writes, and an update is lost.
      armMutant('C1-no-claim')
      expect(await both().finally(() => armMutant(null))).toBeUndefined()
      expect((await pool.query('select left_over from stock')).rows).toEqual([{ left_over: 8 }])
      older.release()
      newer.release()
    })
  })

if (testsWithRedis())
  describe('a fence in Redis', () => {
    let redis: RunningRedis
    let io: Redis
    beforeAll(async () => {
      redis = await startRedis({ private: true })
      io = new Redis(redis.url)
    })
    afterAll(async () => {
      io.disconnect()
      await redis.stop()
    })

    test('stands in one step with the effect, for both client packages', async () => {
      const node = await createClient({ url: redis.url }).connect()
      const set = (value: string) =>
        ({ lua: "return redis.call('SET', KEYS[1], ARGV[1])", keys: ['price:42'], args: [value] }) as const
      expect(await fencedEffect(io, fence(99n), set('a'))).toBe('OK')
      expect(await fencedEffect(node, fence(100n), set('b'))).toBe('OK')
      // As numbers of text "99" would be after "100".
      await expect(fencedEffect(io, fence(99n), set('c'))).rejects.toMatchObject(stale)
      const beyondDoubles = 2n ** 53n
      await fencedEffect(io, fence(beyondDoubles + 1n), set('d'))
      await expect(fencedEffect(node, fence(beyondDoubles), set('e'))).rejects.toMatchObject(stale)
      expect(await io.get('price:42')).toBe('d')
      await node.close()
    })
    test('is one for a resource, whatever keys it writes', async () => {
      const set = (key: string) =>
        ({ lua: "return redis.call('SET', KEYS[1], 'x')", keys: [key], resource: 'sku-7' }) as const
      await fencedEffect(io, fence(5n), set('price:7'))
      await expect(fencedEffect(io, fence(4n), set('stock:7'))).rejects.toMatchObject(stale)
      await expect(fencedEffect(io, fence(6n), { ...set('a'), tag: 'a}b' })).rejects.toMatchObject({
        code: 'LOCKSTEP_CONFIGURATION',
      })
    })
    test('an error of the effect itself is the caller’s, unchanged', async () => {
      const wrong = { lua: "return redis.call('INCR', KEYS[1])", keys: ['price:42'] } as const
      await expect(fencedEffect(io, fence(2n ** 60n), wrong)).rejects.toThrow(/not an integer/)
    })
  })
