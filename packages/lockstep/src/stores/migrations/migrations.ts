import type { SqlDialect } from './dialect.ts'
import { postgresInitial } from './postgres/001-initial.ts'
import { sqliteInitial } from './sqlite/001-initial.ts'

/**
 * One step of a schema: `prefix` stands before every table name. Steps are numbered, only add, and never change once
 * they were released.
 */
export interface SchemaStep {
  readonly name: string
  readonly statements: (prefix: string) => readonly string[]
}

export const schemaSteps: Readonly<Record<SqlDialect, readonly SchemaStep[]>> = {
  sqlite: [{ name: '001-initial', statements: sqliteInitial }],
  postgres: [{ name: '001-initial', statements: postgresInitial }],
}

export const migrationTable = 'lockstep_migration'
export const migrationLockTable = 'lockstep_migration_lock'
