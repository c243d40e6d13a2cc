/** Trouble that passes while somebody waits, and what a server cannot store. */
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  quietPool,
  type RunningPostgres,
  startPostgres,
  testsWithPostgres,
} from '../../../../testkit/src/services/postgres.ts'
import { createLocks } from '../../compose.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { type LockAsk, type LockBackend, type OpenLockBackend, silentLogger } from '../../ports/index.ts'
import { postgresAdvisoryLocks, postgresLeaseLocks } from '../index.ts'

const kinds = [
  ['leases', (pool: pg.Pool) => postgresLeaseLocks(pool)],
  ['advisory', (pool: pg.Pool) => postgresAdvisoryLocks(pool, { ttlMs: 3_000 })],
] as const satisfies readonly (readonly [string, (pool: pg.Pool) => OpenLockBackend])[]

if (testsWithPostgres())
  describe.each(kinds)('PostgreSQL %s', (_kind, open) => {
    let server: RunningPostgres
    let pool: pg.Pool
    let backend: LockBackend
    const closing: (() => unknown)[] = []

    beforeAll(async () => {
      server = await startPostgres({ private: true })
    })
    beforeEach(() => {
      pool = quietPool(server.url, { max: 4 })
      backend = open(pool)({ ...nodeEnvironment, log: silentLogger })
    })
    afterEach(async () => {
      for (const close of closing.splice(0)) await close()
      await backend.close()
      void pool.end().catch(() => undefined)
    })
    afterAll(() => server?.stop())

    const askOf = (name: string, others: Partial<LockAsk> = {}): LockAsk => ({
      name,
      mode: { kind: 'mutex' },
      ttlMs: 2_000,
      waitMs: 0,
      signal: new AbortController().signal,
      owner: `${name} owner`,
      holder: { host: 'here', pid: 1, label: '' },
      ...others,
    })

    test('an acquire that may wait outlives kill -9 and restart of the server; a try does not', async () => {
      const locks = createLocks(open(pool))
      closing.push(() => locks.close())
      const held = await locks.acquire('restart', { ttl: 3_000 })
      const waiting = locks.acquire('restart', { wait: '20s' })
      await server.kill()
      const startedMs = performance.now()
      const tried = await backend.contend(askOf('tried')).catch((error) => error.code)
      expect(tried).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      expect(performance.now() - startedMs).toBeLessThan(1_000)
      const fresh = backend.contend(askOf('fresh', { waitMs: 20_000 }))
      await server.restart()
      expect(await fresh).not.toBe(null)
      await held.release().catch(() => undefined)
      await (await waiting).release()
    })

    test('a server that stays away is borne for no longer than the wait', async () => {
      const away = quietPool('postgres://postgres@127.0.0.1:1/postgres')
      const locks = open(away)({ ...nodeEnvironment, log: silentLogger })
      closing.push(() => locks.close())
      const startedMs = performance.now()
      await expect(locks.contend(askOf('away', { waitMs: 700 }))).rejects.toMatchObject({
        code: 'LOCKSTEP_LOCK_UNAVAILABLE',
      })
      const tookMs = performance.now() - startedMs
      expect(tookMs).toBeGreaterThan(350)
      expect(tookMs).toBeLessThan(1_500)
    })

    test('a wrong database is told at once, however long the wait', async () => {
      const url = new URL(server.url)
      url.pathname = '/nowhere'
      const locks = open(quietPool(url.href))({ ...nodeEnvironment, log: silentLogger })
      closing.push(() => locks.close())
      const startedMs = performance.now()
      await expect(locks.contend(askOf('nowhere', { waitMs: 20_000 }))).rejects.toMatchObject({
        code: 'LOCKSTEP_CONFIGURATION',
      })
      expect(performance.now() - startedMs).toBeLessThan(1_000)
    })

    test.each(['half \ud83d', 'zero \0'])('a label that is no text to the server is stored: %j', async (label) => {
      const hold = await backend.contend(askOf('label', { holder: { host: 'here', pid: 1, label } }))
      expect((await backend.inspect('label'))[0]?.holder?.label).toBe(label.replace(/[\ud83d\0]/, '\uFFFD'))
      await hold?.release()
    })

    test('evict takes nothing of a token that is larger than the numbers of the server', async () => {
      const hold = await backend.contend(askOf('evict'))
      expect(await backend.evict('evict', 2n ** 64n)).toEqual([])
      expect(await hold?.release()).toBe(true)
    })

    test('an extension changes the TTL of a lease, and none of a session', async () => {
      const hold = await backend.contend(askOf('extend'))
      const grantedMs = hold?.ttlMs
      expect(await hold?.extend(9_000)).toBe(true)
      expect(hold?.ttlMs).toBe(backend.ttlMinMs === backend.ttlMaxMs ? grantedMs : 9_000)
      await hold?.release()
    })
  })

if (testsWithPostgres())
  test('the server watches the connection that holds advisory locks', async () => {
    const server = await startPostgres({ private: true })
    const pool = quietPool(server.url, { max: 1 })
    const seen: string[] = []
    const watched = {
      totalCount: 0,
      async connect() {
        const client = await pool.connect()
        if (Object.hasOwn(client, 'query')) return client
        const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<pg.QueryResult>
        const asked = async (text: string, values?: unknown[]) => {
          const result = await query(text, values)
          if (text.includes('pg_try_advisory_lock'))
            for (const name of ['tcp_keepalives_idle', 'tcp_user_timeout', 'client_connection_check_interval'])
              seen.push(Object.values((await query(`show ${name}`)).rows[0]).join())
          return result
        }
        return Object.assign(client, { query: asked })
      },
    }
    const locks = createLocks(postgresAdvisoryLocks(watched, { ttlMs: 6_000 }))
    await locks.acquire('watched')
    expect(seen).toEqual(['3', '6000', '2s'])
    await locks.close()
    await pool.end()
    await server.stop()
  })
