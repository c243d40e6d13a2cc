import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ListFilter } from '../../ports/index.ts'
import { listQuery } from '../list-query.ts'
import { sqliteInitial } from '../migrations/sqlite/001-initial.ts'
import { claimSearches } from './sqlite-claim.ts'

/** Both states of a database: nobody ever ran ANALYZE, or somebody did, and its statistics change what SQLite chooses. */
describe.each(['as it was made', 'after ANALYZE'])('the plans of a full database, %s', (state) => {
  let database: DatabaseSync

  beforeAll(() => {
    database = new DatabaseSync(':memory:')
    for (const statement of sqliteInitial()) database.exec(statement)
    fill(database)
    if (state === 'after ANALYZE') database.exec('analyze')
  })
  afterAll(() => database.close())

  const planOf = (text: string): string =>
    database
      .prepare(`explain query plan ${text}`)
      .all()
      .map((row) => String(row['detail']))
      .filter((detail) => detail.includes('lockstep_transactions'))
      .join('; ')

  test.each([
    ['below', 'due_owned (owner>? AND owner<?)'],
    ['above', 'due_owned (owner>?)'],
    ['own', 'due_owned (owner=? AND next_at>? AND next_at<?)'],
    ['free', 'due_free (next_at>? AND next_at<?)'],
  ] as const)('a claim searches %s by %s', (name, search) => {
    expect(planOf(claimSearches[name])).toBe(`SEARCH lockstep_transactions USING INDEX lockstep_transactions_${search}`)
  })

  const cursor = '5:t5'
  const lists: readonly (readonly [filter: Omit<ListFilter, 'limit'>, plan: string])[] = [
    [{}, 'SCAN t USING INDEX lockstep_transactions_listed'],
    [{ held: true }, 'SCAN t USING INDEX lockstep_transactions_listed_held'],
    [{ held: true, cursor }, 'SEARCH t USING INDEX lockstep_transactions_listed_held ((created_at,id)<(?,?))'],
    [{ held: true, since: 5 }, 'SEARCH t USING INDEX lockstep_transactions_listed_held (created_at>?)'],
    [{ status: 'committing' }, 'SEARCH t USING INDEX lockstep_transactions_listed_status (status=?)'],
    [
      { status: 'committing', cursor },
      'SEARCH t USING INDEX lockstep_transactions_listed_status (status=? AND (created_at,id)<(?,?))',
    ],
    [
      { status: 'committing', until: 5 },
      'SEARCH t USING INDEX lockstep_transactions_listed_status (status=? AND created_at<?)',
    ],
  ]

  test.each(lists)('a list of %j reads its own index, in its order', (filter, plan) => {
    expect(planOf(listQuery({ ...filter, limit: 50 }, '', () => '?').text)).toBe(plan)
  })
})

/** Per 1,000 rows: 900 ended, 40 that nobody owns, 60 with an owner, of which one is held. */
function fill(database: DatabaseSync): void {
  database.exec(`with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 20000)
insert into lockstep_transactions (id, pattern, content_hash, definition, needs, created_at, status, state, updated_at,
  age_from, epoch, version, expired, ended_at, next_at, owner, held_reason)
select 't' || n, 'saga', '', '', '["bank"]', n, iif(n % 1000 < 900, 'committed', 'committing'), '', 0, 0, 1, 1, 0,
  iif(n % 1000 < 900, n, null), iif(n % 1000 < 900, null, 9000000000000000), iif(n % 1000 < 940, null, 'me'),
  iif(n % 1000 = 940, 'operator', null) from numbers`)
}
