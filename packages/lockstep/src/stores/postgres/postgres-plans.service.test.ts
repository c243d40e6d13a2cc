import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPostgres, startPostgres, testsWithPostgres } from '../../../../testkit/src/services/postgres.ts'
import { runSql } from '../../../../testkit/src/store-conformance/postgres-harness.ts'
import type { ListFilter } from '../../ports/index.ts'
import { listQuery } from '../list-query.ts'
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
  describe('on a full table', () => {
    let server: RunningPostgres

    beforeAll(async () => {
      server = await startPostgres({ private: true, fsync: false })
    })
    afterAll(() => server?.stop())

    test('claims and lists read as many of 200,000 transactions as of 10,000', { timeout: 90_000 }, async () => {
      const url = await server.createDatabase()
      await migrateUp(url)
      await runSql(url, "insert into lockstep_instances values ('live', 9000000000000000, '{bank}')")
      const read: Record<string, number>[] = []
      for (const [from, to] of [
        [1, 10_000],
        [10_001, 200_000],
      ] as const) {
        await fill(url, from, to)
        read.push(await rowsReadByEach(url))
      }
      const [few = {}, many = {}] = read
      expect(few['claim']).toBeGreaterThan(0)
      expect(many['claim']).toBe(few['claim'])
      for (const name of Object.keys(lists)) expect([name, few[name], many[name]]).toEqual([name, 6, 6])
    })
  })

/** Each is to find six rows: a page of five and the one that says that there is more. */
const lists: Readonly<Record<string, ListFilter>> = {
  all: { limit: 5 },
  held: { held: true, limit: 5 },
  'held, next page': { held: true, limit: 5, cursor: '9000:t9000' },
  'held in a time': { held: true, limit: 5, since: 1, until: 9_000 },
  status: { status: 'rolling-back', limit: 5 },
  'status, next page': { status: 'rolling-back', limit: 5, cursor: '9000:t9000' },
  'status in a time': { status: 'rolling-back', limit: 5, since: 1, until: 9_000 },
}

/**
 * Per 1,000 rows: 900 ended, 40 waiting, 60 with a live owner. Beside them always 50 due and 50 of a dead owner,
 * later than what the live owner has: an index that holds too much would read through all of that first. The oldest ten
 * thousand have ten that are held and ten that roll back: a list by time alone would look for them through all the rest.
 */
async function fill(url: string, from: number, to: number): Promise<void> {
  const insert = (rows: string, status: string) => `insert into lockstep_transactions
    (id, pattern, content_hash, definition, needs, created_at, status, state, updated_at, age_from, epoch, version, expired,
     ended_at, next_at, owner, held_reason)
    select id, 'saga', '', '', '{bank}', n, ${status}, '', 0, 0, 1, 1, false, ended_at, next_at, owner, held from ${rows}`
  const stored = `(select n, 't' || n as id,
    case when n % 1000 < 900 then n end as ended_at,
    case when n % 1000 between 900 and 939 then 9000000000000000 when n % 1000 >= 940 then n end as next_at,
    case when n % 1000 >= 940 then 'live' end as owner,
    case when n % 1000 = 990 and n < 10000 then 'operator' end as held from generate_series(${from}, ${to}) n) rows`
  const due = `(select n, 'd' || ${from} || '-' || n as id, null::bigint as ended_at, 1000000 + n as next_at,
    case when n % 2 = 0 then 'dead' end as owner, null as held from generate_series(1, 100) n) rows`
  await runSql(
    url,
    `delete from lockstep_transactions where id like 'd%';
    ${insert(stored, "case when n % 1000 = 980 and n < 10000 then 'rolling-back' else 'committed' end")}; ${insert(due, "'committing'")}; analyze lockstep_transactions`,
  )
}

async function rowsReadByEach(url: string): Promise<Record<string, number>> {
  const session = sessions({ url }, { max: 1, where: 'test', queryTimeoutMs: 30_000 })
  const rowsOf = async ({ text, values }: { text: string; values: readonly unknown[] }): Promise<number> => {
    const explain = `explain (analyze, format json) ${text}`
    const [row] = await session.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(explain, values)
    return row === undefined ? 0 : rowsRead(row['QUERY PLAN'][0].Plan)
  }
  try {
    const read: Record<string, number> = {}
    read['claim'] = await rowsOf({ text: claimStatement(''), values: ['me', 80, ['bank'], 60_000, null] })
    for (const [name, filter] of Object.entries(lists)) {
      read[name] = await rowsOf(listQuery(filter, '', (position) => `$${position}`))
    }
    return read
  } finally {
    await session.close()
  }
}
