import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPostgres, startPostgres, testsWithPostgres } from '../../../../testkit/src/services/postgres.ts'
import { checkLoad, loadThroughFaults } from '../../../../testkit/src/store-conformance/load-through-faults.ts'
import { postgresHarness, runSql } from '../../../../testkit/src/store-conformance/postgres-harness.ts'
import { insert, kindsOf, progress, readOne, writerOf } from '../../../../testkit/src/store-conformance/sample-rows.ts'
import type { OpenedStore } from '../../../../testkit/src/store-conformance/store-case.ts'
import { batchStatement } from './batch-statement.ts'
import { batchValues } from './batch-values.ts'

if (testsWithPostgres())
  describe('a PostgreSQL store, when the server is hurt', () => {
    let server: RunningPostgres
    let harness: Awaited<ReturnType<typeof postgresHarness>>
    let opened: OpenedStore
    const used: OpenedStore[] = []

    beforeAll(async () => {
      // fsync stays on: what was acknowledged must survive a kill.
      server = await startPostgres({ private: true })
      harness = await postgresHarness(server)
    })
    afterAll(async () => {
      await Promise.all(used.map((store) => store.dispose()))
      await server?.stop()
    })

    const open = async (): Promise<OpenedStore> => {
      opened = await harness.create()
      used.push(opened)
      return opened
    }

    test('batches whose backends are terminated are repeated, and each is done once', async () => {
      const { store } = await open()
      const schema = await schemaOf(harness.url)
      let hurting = true
      const load = loadThroughFaults(store, 'loader', () => !hurting)
      const blocker = new pg.Client({ connectionString: harness.url })
      await blocker.connect()
      for (let round = 0; round < 10; round++) {
        for (let strike = 0; strike < 10; strike++) {
          await runSql(server.url, terminateWhere("state <> 'idle'"))
          await pause(15)
        }
        // Those strikes may all come after an answer. A batch that waits for a lock is hit before it.
        await blocker.query('begin')
        await blocker.query(`lock table ${schema}.lockstep_transactions in exclusive mode`)
        await untilBlocked(server.url)
        await runSql(server.url, terminateWhere("wait_event_type = 'Lock'"))
        await blocker.query('rollback')
      }
      await blocker.end()
      hurting = false
      const { repeats, batches } = await load
      expect(repeats).toBeGreaterThanOrEqual(10)
      await checkLoad(store, 'loader', { repeats, batches })
    })

    test('a server killed in the middle of a load loses nothing that was acknowledged', {
      timeout: 90_000,
    }, async () => {
      const { store } = await open()
      let kills = 0
      const loading = loadThroughFaults(store, 'loader', () => kills >= 3)
      for (; kills < 3; kills++) {
        await pause(300)
        await server.kill()
        await server.restart()
      }
      const load = await loading
      expect(load.batches).toBeGreaterThan(0)
      expect(load.repeats).toBeGreaterThan(0)
      await checkLoad(store, 'loader', load)
      await store.heartbeat({ owner: 'a', leaseMs: 1, services: [] })
    })

    test.each(['commit', 'rollback'] as const)(
      'a repeat waits for its first try, whose %s is still on its way (law 7)',
      async (end) => {
        const { store } = await open()
        const schema = await schemaOf(harness.url)
        await writerOf(store).commit(insert('there'))
        const batch = [
          insert('new'),
          { kind: 'advance', id: 'there', epoch: 1, progress: progress({ state: 'moved' }) },
        ] as const
        const first = new pg.Client({ connectionString: harness.url })
        await first.connect()
        await first.query('begin isolation level read committed')
        await first.query(batchStatement(`${schema}.`), batchValues(batch, ['owner-a', 2]))
        const repeated = store.commit(batch, { instance: 'owner-a', number: 2, repeat: true })
        await untilBlocked(server.url)
        await first.query(end)
        await first.end()
        expect(kindsOf(await repeated)).toEqual(['applied', 'applied'])
        expect((await readOne(store, 'there')).version).toBe(2)
        expect((await readOne(store, 'new')).version).toBe(1)
      },
    )

    test('what the server itself cannot store is invalid, and the others of the batch stand', async () => {
      const { store } = await open()
      // Beyond what an index entry may hold, and too random to be compressed.
      const value = Array.from({ length: 2000 }, () => Math.random().toString(36).slice(2)).join('')
      const results = await writerOf(store).commit(insert('a'), insert('b', { labels: { large: value } }), insert('c'))
      expect(kindsOf(results)).toEqual(['applied', 'invalid', 'applied'])
      expect((await store.read(['a', 'b', 'c'])).map((row) => row.id)).toEqual(['a', 'c'])
    })

    test('connections that break while idle are replaced, and end no process', async () => {
      const { store } = await open()
      await writerOf(store).commit(insert('order-1'))
      await store.heartbeat({ owner: 'a', leaseMs: 1, services: [] })
      await runSql(server.url, terminateWhere('true'))
      await pause(100)
      expect(await store.read(['order-1'])).toHaveLength(1)
      expect((await store.heartbeat({ owner: 'a', leaseMs: 1, services: [] })).held).toEqual([])
    })

    test('a server that is away is answered as unknown, and found again when it is back', async () => {
      const { store } = await open()
      await server.kill()
      const gone = { code: 'LOCKSTEP_STORE_UNAVAILABLE', outcome: 'unknown', retriable: true }
      await expect(writerOf(store).commit(insert('order-1'))).rejects.toMatchObject(gone)
      await expect(store.open()).rejects.toMatchObject({ ...gone, outcome: 'not-applied' })
      await server.restart()
      expect(kindsOf(await writerOf(store).commit(insert('order-1')))).toEqual(['applied'])
    })
  })

async function schemaOf(url: string): Promise<string> {
  const [row] = await runSql(
    url,
    "select nspname from pg_class c join pg_namespace n on n.oid = relnamespace where relname = 'lockstep_transactions' order by c.oid desc limit 1",
  )
  return String(row?.['nspname'])
}

function terminateWhere(condition: string): string {
  return `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lockstep' and ${condition}`
}

async function untilBlocked(url: string): Promise<void> {
  const until = Date.now() + 5_000
  for (;;) {
    const rows = await runSql(url, "select 1 from pg_stat_activity where wait_event_type = 'Lock'")
    if (rows.length > 0) return
    if (Date.now() > until) throw new Error('The repeat never waited.')
    await pause(10)
  }
}
