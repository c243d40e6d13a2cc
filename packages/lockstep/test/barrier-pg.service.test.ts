import type pg from 'pg'
import { expect, it } from 'vitest'
import { quietPool, startPostgres, testsWithPostgres } from '../../testkit/src/services/postgres.ts'
import { pgBarrier } from '../src/adapters/pg.ts'
import { barrierSql } from '../src/stores/migrations/barrier-sql.ts'
import type { Bench } from './barrier-suite.ts'
import { barrierSuite, effectTable, pass, told } from './barrier-suite.ts'

async function pgBench(): Promise<Bench> {
  const server = await startPostgres({ fsync: false, settings: { deadlock_timeout: '100ms' } })
  const pool = quietPool(await server.createDatabase(), { max: 8 })
  await pool.query(barrierSql('postgres'))
  await pool.query(effectTable.replace('integer', 'bigserial'))
  return {
    database: pgBarrier(),
    handle: pool,
    other: pool,
    async effect(tx, transaction, operation) {
      await (tx as pg.PoolClient).query('insert into effect (transaction_id, operation) values ($1, $2)', [
        transaction,
        operation,
      ])
    },
    effects: async (transaction) => {
      const { rows } = await pool.query('select operation from effect where transaction_id = $1 order by id', [
        transaction,
      ])
      return rows.map((row) => String(row.operation))
    },
    rows: async (transaction) =>
      (await pool.query('select 1 from lockstep_barrier where transaction_id = $1', [transaction])).rows.length,
    async close() {
      await pool.end()
      await server.stop()
    },
  }
}

if (testsWithPostgres()) {
  barrierSuite('pg', pgBench, { concurrent: true })

  it('a pg client that dies inside leaves nothing, and the repeat runs', async () => {
    const bench = await pgBench()
    const kill = async (): Promise<void> => {
      await (bench.handle as pg.Pool).query(
        `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()`,
      )
    }
    await expect(pass(bench, { transaction: 'dies', operation: 'action', inside: kill })).rejects.toThrow()
    expect([await bench.rows('dies'), await bench.effects('dies')]).toEqual([0, []])
    expect(told(await pass(bench, { transaction: 'dies', operation: 'action' }))).toMatch(/^done/)
    await bench.close()
  })
}
