import { LockstepError } from '../errors.ts'
import type { BarrierKey, BarrierRows, PgClientHandle, PgResult } from '../ports/index.ts'
import { BarrierBusy } from '../ports/index.ts'
import { barrierMissing, barrierRow } from './barrier-table.ts'

export interface PgRowsOptions {
  readonly table: string
  readonly now: () => number
  readonly lockWaitMs: number
}

/** The barrier's rows inside one open PostgreSQL transaction. */
export function pgBarrierRows(client: PgClientHandle, options: PgRowsOptions): BarrierRows {
  const { table, now, lockWaitMs } = options
  return {
    async insert(key, row) {
      const values = [...keyOf(key), row.by, row.inputHash, row.output, now(), String(lockWaitMs)]
      const { rows } = await client.query(insertSql(table), values).catch((error: unknown) => {
        throw insertError(error, table)
      })
      return Number(rows[0]?.['inserted']) === 1
    },
    async find(key) {
      const { rows } = await client.query(findSql(table), keyOf(key))
      return barrierRow(rows[0])
    },
    async complete(key, output) {
      const result: PgResult = await client.query(completeSql(table), [...keyOf(key), output])
      if (result.rowCount !== 1) throw new LockstepError('LOCKSTEP_BUG', { message: 'The own barrier row is gone.' })
    },
  }
}

/**
 * Input: $1 to $8 the row, $9 the lock wait in milliseconds.
 * Output: `inserted`, 1 for a new row, 0 where the key was there.
 * Invariant: `lock_timeout` is afterwards what it was before, so the user's own statements never feel it. One statement
 *   does all three, because each round trip would cost as much as the insert: `earlier` is read, then the limit set
 *   (the insert draws its row from there), and put back over the counted result of the insert.
 * Concurrency: waits for an open transaction with the same key; READ COMMITTED then shows the winner to the next read.
 */
function insertSql(table: string): string {
  return `WITH limits AS MATERIALIZED (
      SELECT earlier, set_config('lock_timeout', $9, true) FROM (SELECT current_setting('lock_timeout') AS earlier OFFSET 0) AS s
    ), new_row AS (
      INSERT INTO ${table} (store_id, transaction_id, branch, operation, by_operation, input_hash, output, created_at)
      SELECT $1, $2, $3, $4, $5, $6, $7, $8::bigint FROM limits
      ON CONFLICT (store_id, transaction_id, branch, operation) DO NOTHING RETURNING 1
    )
    SELECT c.inserted, set_config('lock_timeout', limits.earlier, true)
    FROM (SELECT count(*)::int AS inserted FROM new_row) AS c, limits`
}

function findSql(table: string): string {
  return `SELECT by_operation, input_hash, output FROM ${table}
    WHERE store_id = $1 AND transaction_id = $2 AND branch = $3 AND operation = $4`
}

function completeSql(table: string): string {
  return `UPDATE ${table} SET output = $5
    WHERE store_id = $1 AND transaction_id = $2 AND branch = $3 AND operation = $4`
}

function insertError(error: unknown, table: string): unknown {
  const code = (error as { code?: unknown } | null)?.code
  if (code === '55P03') return new BarrierBusy('Another transaction holds the barrier key.', { cause: error })
  if (code === '42P01' || code === '3F000') return barrierMissing(table, 'postgres', error)
  return error
}

function keyOf(key: BarrierKey): string[] {
  return [key.store, key.transaction, key.branch, key.operation]
}
