import { type SqlDialect, schemaPrefix } from './dialect.ts'

/**
 * The DDL of a participant's barrier table, for the participant's own database and its own migrations.
 *
 * Keys compare bytes: under a looser collation two transactions could share one row, and one would never run.
 */
export function barrierSql(dialect: SqlDialect, options: { readonly schema?: string } = {}): string {
  const prefix = schemaPrefix(dialect, options.schema)
  const key = dialect === 'postgres' ? 'text collate "C" not null' : 'text not null'
  const time = dialect === 'postgres' ? 'bigint' : 'integer'
  return `create table if not exists ${prefix}lockstep_barrier (
  store_id ${key},
  transaction_id ${key},
  branch ${key},
  operation ${key},
  by_operation text not null,
  input_hash text not null,
  output text,
  created_at ${time} not null,
  primary key (store_id, transaction_id, branch, operation)
);
create index if not exists lockstep_barrier_created_at on ${prefix}lockstep_barrier (created_at);
`
}
