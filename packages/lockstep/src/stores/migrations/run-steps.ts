import { type Dialect, Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { type SqlDialect, schemaPrefix } from './dialect.ts'
import { migrationLockTable, migrationTable, type SchemaStep, schemaSteps } from './migrations.ts'

/** Applies what is missing, all or nothing, and answers the names of what it applied. */
export async function runSteps(kind: SqlDialect, dialect: Dialect, schema?: string): Promise<readonly string[]> {
  const db = new Kysely<unknown>({ dialect })
  try {
    const prefix = schemaPrefix(kind, schema)
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => migrationsOf(schemaSteps[kind], prefix) },
      migrationTableName: migrationTable,
      migrationLockTableName: migrationLockTable,
      ...(schema === undefined ? {} : { migrationTableSchema: schema }),
    })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error !== undefined) throw error
    return results.map((result) => result.migrationName)
  } finally {
    await db.destroy()
  }
}

function migrationsOf(steps: readonly SchemaStep[], prefix: string): Record<string, Migration> {
  const up = (step: SchemaStep): Migration => ({
    async up(db: Kysely<unknown>) {
      for (const statement of step.statements(prefix)) await sql.raw(statement).execute(db)
    },
  })
  return Object.fromEntries(steps.map((step) => [step.name, up(step)]))
}
