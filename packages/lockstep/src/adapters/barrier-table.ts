import { LockstepError } from '../errors.ts'
import type { BarrierRow, Operation } from '../ports/index.ts'

export interface BarrierTableOptions {
  /** Milliseconds since 1970, written as `created_at`: what the table's clean-up goes by. */
  readonly now?: () => number
}

/** The quoted name. A schema is configuration, not input, and still passes as an identifier only. */
export function barrierTable(schema: string | undefined): string {
  if (schema === undefined) return '"lockstep_barrier"'
  if (/^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(schema)) return `"${schema}"."lockstep_barrier"`
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The schema of the barrier table must be letters, digits, "_" and "$", at most 63, but is ${JSON.stringify(schema)}.`,
  })
}

export function barrierMissing(table: string, dialect: 'postgres' | 'sqlite', cause: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_BARRIER_MISSING', {
    message: `The participant's database has no table ${table}.`,
    next:
      `Create it with the SQL that \`lockstep migrate barrier --dialect ${dialect}\` prints: ` +
      'CREATE TABLE lockstep_barrier (store_id, transaction_id, branch, operation, by_operation, input_hash, output, ' +
      'created_at, PRIMARY KEY (store_id, transaction_id, branch, operation)).',
    cause,
  })
}

export function barrierRow(columns: Record<string, unknown> | undefined): BarrierRow | null {
  if (columns === undefined) return null
  return {
    by: columns['by_operation'] as Operation,
    inputHash: columns['input_hash'] as string,
    output: columns['output'] as string | null,
  }
}
