import { type SqlDialect, schemaPrefix } from './dialect.ts'
import { migrationLockTable, migrationTable, schemaSteps } from './migrations.ts'

/**
 * The whole schema of a new store as SQL, for people who apply DDL with their own tools. It leaves the same record of
 * applied steps as `migrateUp`, so that both ways can be mixed.
 */
export function migrationSql(dialect: SqlDialect, options: { readonly schema?: string } = {}): string {
  const prefix = schemaPrefix(dialect, options.schema)
  const steps = schemaSteps[dialect].flatMap((step) => [...step.statements(prefix), recordOf(prefix, step.name)])
  return `begin;\n\n${[...bookkeeping(prefix), ...steps].map((statement) => `${statement};\n`).join('\n')}\ncommit;\n`
}

function bookkeeping(prefix: string): readonly string[] {
  return [
    `create table if not exists ${prefix}${migrationTable} (
  name varchar(255) not null primary key,
  timestamp varchar(255) not null
)`,
    `create table if not exists ${prefix}${migrationLockTable} (
  id varchar(255) not null primary key,
  is_locked integer default 0 not null
)`,
    `insert into ${prefix}${migrationLockTable} (id, is_locked) values ('migration_lock', 0)
on conflict (id) do nothing`,
  ]
}

/** Steps are sorted by their time as well as by name, and may not run backwards: the epoch does for all of them. */
function recordOf(prefix: string, name: string): string {
  return `insert into ${prefix}${migrationTable} (name, timestamp) values ('${name}', '1970-01-01T00:00:00.000Z')`
}
