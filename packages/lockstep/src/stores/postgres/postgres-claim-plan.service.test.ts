import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPostgres, startPostgres, testsWithPostgres } from '../../../../testkit/src/services/postgres.ts'
import { runSql } from '../../../../testkit/src/store-conformance/postgres-harness.ts'
import { migrateUp } from '../migrations/index.ts'
import { sessions } from './connections.ts'
import { claimStatement } from './postgres-claim.ts'

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly Plan[]
}

/** Rows that the scans of the transactions table looked at, kept or not. */
function rowsRead(plan: Plan): number {
  const below = (plan.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), 0)
  if (plan['Relation Name'] !== 'lockstep_transactions' || !plan['Node Type'].endsWith('Scan')) return below
  return below + (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops']
}

if (testsWithPostgres())
  describe('a claim on a full table', () => {
    let server: RunningPostgres

    beforeAll(async () => {
      server = await startPostgres({ private: true, fsync: false })
    })
    afterAll(() => server?.stop())

    test('reads as many rows of 200,000 stored transactions as of 10,000', { timeout: 90_000 }, async () => {
      const url = await server.createDatabase()
      await migrateUp(url)
      await runSql(url, "insert into lockstep_instances values ('live', 9000000000000000, '{bank}')")
      const read: number[] = []
      for (const [from, to] of [
        [1, 10_000],
        [10_001, 200_000],
      ] as const) {
        await fill(url, from, to)
        read.push(await rowsReadByClaim(url))
      }
      process.stderr.write(`rows read per claim: ${read.join(', ')}\n`)
      expect(read[0]).toBeGreaterThan(0)
      expect(read[1]).toBe(read[0])
    })
  })

/**
 * Per 1,000 rows: 900 ended, 40 waiting, 60 with a live owner. Beside them always 50 due and 50 of a dead owner,
 * later than what the live owner has: an index that holds too much would read through all of that first.
 */
async function fill(url: string, from: number, to: number): Promise<void> {
  const insert = (rows: string, status: string) => `insert into lockstep_transactions
    (id, pattern, content_hash, definition, needs, created_at, status, state, updated_at, age_from, epoch, version, expired,
     ended_at, next_at, owner)
    select id, 'saga', '', '', '{bank}', n, ${status}, '', 0, 0, 1, 1, false, ended_at, next_at, owner from ${rows}`
  const stored = `(select n, 't' || n as id,
    case when n % 1000 < 900 then n end as ended_at,
    case when n % 1000 between 900 and 939 then 9000000000000000 when n % 1000 >= 940 then n end as next_at,
    case when n % 1000 >= 940 then 'live' end as owner from generate_series(${from}, ${to}) n) rows`
  const due = `(select n, 'd' || ${from} || '-' || n as id, null::bigint as ended_at, 1000000 + n as next_at,
    case when n % 2 = 0 then 'dead' end as owner from generate_series(1, 100) n) rows`
  await runSql(
    url,
    `delete from lockstep_transactions where id like 'd%';
    ${insert(stored, "'committed'")}; ${insert(due, "'committing'")}; analyze lockstep_transactions`,
  )
}

async function rowsReadByClaim(url: string): Promise<number> {
  const session = sessions({ url }, { max: 1, where: 'test', queryTimeoutMs: 30_000 })
  try {
    const claim = `explain (analyze, format json) ${claimStatement('')}`
    const [row] = await session.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(claim, ['me', 80, ['bank'], 60_000, null])
    return row === undefined ? 0 : rowsRead(row['QUERY PLAN'][0].Plan)
  } finally {
    await session.close()
  }
}
