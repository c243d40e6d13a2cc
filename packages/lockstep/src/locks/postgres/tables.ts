/** The tables of the locks, made by whoever comes first. */
import { LockstepError } from '../../errors.ts'
import type { Statements } from './statements.ts'

/** Told with every release; the payload is the name. */
export const releasedChannel = 'lockstep_lock_released'

export interface LockTables {
  readonly leases: string
  readonly holds: string
}

export function tablesIn(schema: string): LockTables {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: `PostgreSQL locks: ${JSON.stringify(schema)} is no schema for their tables.`,
      next: 'Give a name of lower-case letters, digits and underscores, such as public.',
    })
  return { leases: `"${schema}".lockstep_lock_leases`, holds: `"${schema}".lockstep_lock_tokens` }
}

/** Rows stay behind a release: the next token must be larger. */
const shapeOf = {
  leases: `(
    name text primary key, owner text not null, token bigint not null, since timestamptz not null,
    expires_at timestamptz not null, holder jsonb not null)`,
  holds: `(
    name text primary key, token bigint not null, since timestamptz not null, backend_pid integer not null,
    holder jsonb not null)`,
}

export async function makeTable(
  statements: Statements,
  options: {
    readonly table: string
    readonly kind: keyof LockTables
    readonly schema: string
    readonly timeoutMs: number
  },
): Promise<void> {
  const { table, kind, schema, timeoutMs } = options
  const found = await statements.run(
    `select to_regclass($1) is not null as has_table, to_regnamespace($2) is not null as has_schema`,
    [table, `"${schema}"`],
    timeoutMs,
  )
  const { has_table: hasTable, has_schema: hasSchema } = found.rows[0] ?? {}
  if (hasTable === true) return
  // Statements sent together are one transaction, so that the lock covers them: "if not exists" alone fails when two begin at once.
  const makeSchema = hasSchema === true ? '' : `create schema if not exists "${schema}";`
  await statements.run(
    `select pg_advisory_xact_lock(hashtextextended('lockstep lock tables', 0));
    ${makeSchema} create table if not exists ${table} ${shapeOf[kind]};`,
    undefined,
    timeoutMs,
  )
}

/** Done once, and again after a failure. */
export function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null
  return () => {
    done ??= work().catch((error) => {
      done = null
      throw error
    })
    return done
  }
}
