import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPostgres, startPostgres, testsWithPostgres } from '../../../../testkit/src/services/postgres.ts'
import { insert, progress } from '../../../../testkit/src/store-conformance/sample-rows.ts'
import type { Entry } from '../../ports/index.ts'
import { migrateUp } from '../migrations/index.ts'
import { batchStatement } from './batch-statement.ts'
import { batchValues } from './batch-values.ts'
import { type Sessions, sessions } from './connections.ts'

/** So large, and so far from compressible, that PostgreSQL stores it apart from its row. */
const large = (): string => randomBytes(30_000).toString('base64')

/** What this session has counted: updates that left every index alone, and pieces of large texts written. */
const countSql = `select t.n_tup_hot_upd as without_index, apart.n_tup_ins as pieces
from pg_class c join pg_stat_xact_all_tables t on t.relid = c.oid
join pg_stat_xact_all_tables apart on apart.relid = c.reltoastrelid
where c.oid = 'lockstep_transactions'::regclass`

interface Counts {
  readonly without_index: number
  readonly pieces: number
}

/** The server counts on until it publishes, within a transaction or beyond it, so that only a difference tells. */
async function countedBy(query: Sessions['query'], write: () => Promise<void>): Promise<Counts> {
  const none: Counts = { without_index: 0, pieces: 0 }
  const [before = none] = await query<Counts>(countSql, [])
  await write()
  const [after = none] = await query<Counts>(countSql, [])
  return { without_index: after.without_index - before.without_index, pieces: after.pieces - before.pieces }
}

if (testsWithPostgres())
  describe('a row with a large definition', () => {
    let server: RunningPostgres
    let session: Sessions

    beforeAll(async () => {
      server = await startPostgres()
      const url = await server.createDatabase()
      await migrateUp(url)
      session = sessions({ url }, { max: 1, where: 'test', queryTimeoutMs: 30_000 })
    })
    afterAll(async () => {
      await session?.close()
      await server?.stop()
    })

    let batches = 0
    const written = async (entry: Entry): Promise<Counts> => {
      batches += 1
      const values = batchValues([entry], ['owner-a', batches])
      return session.transact((query) =>
        countedBy(query, async () => expect(await query(batchStatement(''), values)).toHaveLength(1)),
      )
    }

    test('is written without it unless the work has grown, and growth touches no index', async () => {
      const work = { definition: large(), needs: ['bank', 'stock'] }
      const begun = await written(insert('order-1', { definition: large() }))
      expect(begun.pieces).toBeGreaterThan(10)
      const change = { id: 'order-1', epoch: 1, progress: progress({ state: 'next' }) }
      const operator = { held: null, deadlineAt: 5, ageFrom: 5 }
      const quiet: readonly Entry[] = [
        { kind: 'advance', ...change },
        { kind: 'mark', id: 'order-1', version: 2, operator, nextAt: null },
        { kind: 'take', ...change, version: 3, operator },
      ]
      for (const entry of quiet) expect(await written(entry)).toEqual({ without_index: 1, pieces: 0 })
      const grown = await written({ kind: 'advance', ...change, epoch: 2, work })
      expect(grown).toEqual({ without_index: 1, pieces: begun.pieces })
    })
  })
