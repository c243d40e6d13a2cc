import type pg from 'pg'
import { afterAll, expect, it } from 'vitest'
import type { RunningPostgres } from '../../testkit/src/services/postgres.ts'
import { quietPool, startPostgres, testsWithPostgres } from '../../testkit/src/services/postgres.ts'
import { barrierSql } from '../src/stores/migrations/barrier-sql.ts'
import type { Account } from './tcc-orders-oracle.ts'
import { openBranchSuite, pairSuite } from './tcc-orders-races.ts'
import type { SeatBench } from './tcc-orders-seats.ts'
import { tccOrdersSuite } from './tcc-orders-suite.ts'

const tables = `create table account (id text primary key, available integer, frozen integer, sold integer);
create table ledger (number bigserial primary key, account text not null, operation text not null);
create index on ledger (account);`

const lanes = 8
let server: Promise<RunningPostgres> | undefined

async function pgPool(isolation: string): Promise<pg.Pool> {
  server ??= startPostgres({ fsync: false, settings: { deadlock_timeout: '100ms' } })
  const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
  return quietPool(await (await server).createDatabase(), { max: lanes, options })
}

async function pgBench(isolation = 'read committed'): Promise<SeatBench> {
  const pool = await pgPool(isolation)
  await pool.query(barrierSql('postgres') + tables)
  return {
    handle: pool,
    other: pool,
    lanes,
    async open(accounts, available) {
      await pool.query('insert into account select id, $2, 0, 0 from unnest($1::text[]) as id', [accounts, available])
    },
    async move(tx, account, { operation, from, to, seats }) {
      const moved = await (tx as pg.PoolClient).query(
        `with moved as (
           update account set ${from} = ${from} - $2, ${to} = ${to} + $2 where id = $1 and ${from} >= $2 returning id
         ) insert into ledger (account, operation) select id, $3 from moved`,
        [account, seats, operation],
      )
      return moved.rowCount === 1
    },
    async seen(account) {
      const { rows } = await pool.query(
        `select available, frozen, sold,
           array(select operation from ledger where account = id order by number) as ledger from account where id = $1`,
        [account],
      )
      const { ledger, ...seats } = rows[0]
      return { account: seats as Account, ledger }
    },
    async rows(account) {
      const { rows } = await pool.query(
        'select count(*)::int as rows from lockstep_barrier where transaction_id = $1',
        [account],
      )
      return rows[0].rows
    },
    close: () => pool.end(),
  }
}

if (testsWithPostgres()) {
  afterAll(async () => (await server)?.stop())

  tccOrdersSuite('pg', pgBench)
  pairSuite('pg', pgBench)
  for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
    openBranchSuite(`pg, where sessions default to ${isolation}`, () => pgBench(isolation))
  }

  it('the isolation levels of these tests are what they say', async () => {
    const pool = await pgPool('repeatable read')
    const { rows } = await pool.query('show transaction_isolation')
    expect(rows).toEqual([{ transaction_isolation: 'repeatable read' }])
    await pool.end()
  })
}
