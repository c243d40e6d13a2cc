import { existsSync } from 'node:fs'
import { PostgresDialect } from 'kysely'
import pg from 'pg'
import { isLockstepError, LockstepError, messageOf } from '../../errors.ts'
import { type SqlDialect, schemaPrefix } from './dialect.ts'
import { migrationTable, schemaSteps } from './migrations.ts'
import { runSteps } from './run-steps.ts'
import { storeTarget } from './store-url.ts'

/** A store URL, or a URL with the PostgreSQL schema that holds the tables. */
export type MigrationTarget = string | { readonly url: string; readonly schema?: string }

export interface MigrationStep {
  readonly name: string
  readonly applied: boolean
  /** False when a newer program applied a step that this one does not know. */
  readonly known: boolean
}

/**
 * Brings a store's schema up to date and answers the names of the steps it applied.
 *
 * **Guarantees** all missing steps or none; safe to run from several processes at once.
 * Fails with `LOCKSTEP_STORE_LOCKED` (SQLite file in use), `LOCKSTEP_CONFIGURATION`, `LOCKSTEP_STORE_UNAVAILABLE`,
 *   `LOCKSTEP_SCHEMA_MISMATCH` (the store is newer).
 *
 * @example
 * await migrateUp('postgres://localhost/lockstep')
 */
export async function migrateUp(target: MigrationTarget): Promise<readonly string[]> {
  const { url, schema } = partsOf(target)
  const place = storeTarget(url)
  await refuseNewer(target)
  if (place.dialect === 'sqlite') return migrateFile(place.path)
  const pool = poolFor(place.url)
  return runSteps('postgres', new PostgresDialect({ pool }), schema).catch(failed)
}

/** Every step this program or the store knows, in order. Changes nothing. */
export async function migrationStatus(target: MigrationTarget): Promise<readonly MigrationStep[]> {
  const { url, schema } = partsOf(target)
  const place = storeTarget(url)
  const applied =
    place.dialect === 'sqlite' ? await appliedInFile(place.path) : await appliedInServer(place.url, schema)
  return stepsWith(place.dialect, applied)
}

function partsOf(target: MigrationTarget): { url: string; schema?: string } {
  return typeof target === 'string' ? { url: target } : target
}

function stepsWith(dialect: SqlDialect, applied: readonly string[]): readonly MigrationStep[] {
  const known = schemaSteps[dialect].map((step) => step.name)
  const names = [...new Set([...known, ...applied])].sort()
  return names.map((name) => ({ name, applied: applied.includes(name), known: known.includes(name) }))
}

async function refuseNewer(target: MigrationTarget): Promise<void> {
  const unknown = (await migrationStatus(target)).filter((step) => !step.known)
  if (unknown.length === 0) return
  throw new LockstepError('LOCKSTEP_SCHEMA_MISMATCH', {
    message: `The store has steps that this program does not know: ${unknown.map((step) => step.name).join(', ')}.`,
    next: 'Run the newest program.',
  })
}

// node:sqlite is loaded on use only: a PostgreSQL user on Node 22 would see its experimental warning for nothing.
async function migrateFile(path: string): Promise<readonly string[]> {
  const [{ openOwnedFile }, { NodeSqliteDialect }] = await Promise.all([
    import('./sqlite-file.ts'),
    import('./sqlite-dialect.ts'),
  ])
  const file = openOwnedFile(path)
  try {
    return await runSteps('sqlite', new NodeSqliteDialect(file.database))
  } finally {
    file.close()
  }
}

async function appliedInFile(path: string): Promise<readonly string[]> {
  if (!existsSync(path)) return []
  const [{ DatabaseSync }, { appliedSqliteSteps }] = await Promise.all([
    import('node:sqlite'),
    import('./sqlite-file.ts'),
  ])
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      return appliedSqliteSteps(database)
    } finally {
      database.close()
    }
  } catch (error) {
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `The store file ${path} cannot be read: ${messageOf(error)}.`,
      next: 'Check the path, its rights, and that it is an SQLite database.',
      cause: error,
    })
  }
}

async function appliedInServer(url: string, schema: string | undefined): Promise<readonly string[]> {
  const table = `${schemaPrefix('postgres', schema)}${migrationTable}`
  const pool = poolFor(url)
  try {
    const { rows } = await pool.query<{ name: string }>(`select name from ${table} order by name`)
    return rows.map((row) => row.name)
  } catch (error) {
    if ((error as { code?: unknown }).code === '42P01') return []
    return failed(error)
  } finally {
    await pool.end()
  }
}

function poolFor(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 10_000 })
  // An idle connection that breaks reports here; without a listener it would end the process.
  pool.on('error', () => {})
  return pool
}

function failed(error: unknown): never {
  if (isLockstepError(error)) throw error
  const isRefused = typeof (error as { code?: unknown } | null)?.code === 'string' && 'severity' in (error as object)
  throw new LockstepError(isRefused ? 'LOCKSTEP_CONFIGURATION' : 'LOCKSTEP_STORE_UNAVAILABLE', {
    message: `The schema could not be read or changed: ${messageOf(error)}.`,
    outcome: 'not-applied',
    next: isRefused
      ? 'Check the database, the user and its rights.'
      : 'Check the URL and that the server runs, then repeat.',
    cause: error,
  })
}
