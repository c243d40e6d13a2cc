/** The statements of the advisory locks. A lock is a number of 64 bits; a row beside it has its tokens, and who holds it. */
import { releasedChannel } from './tables.ts'

const numberOf = (name: string): string => `hashtextextended('lockstep:mutex:' || ${name}, 0)`
const microseconds = `(extract(epoch from clock_timestamp()) * 1000000)::bigint`

/**
 * Input: name, holder. Output: the token as text; no row when another connection holds it.
 * Invariant: who writes the row holds the lock, so tokens grow in the order of the holds.
 * Concurrency: when the row cannot be written the lock is held nevertheless: the caller must give it back.
 */
export function takeStatement(table: string): string {
  return `with got as materialized (select pg_try_advisory_lock(${numberOf('$1')}) as has)
  insert into ${table} as held (name, token, since, backend_pid, holder)
  select $1, ${microseconds}, clock_timestamp(), pg_backend_pid(), $2::jsonb from got where has
  on conflict (name) do update set token = greatest(held.token + 1, ${microseconds}), since = excluded.since,
    backend_pid = excluded.backend_pid, holder = excluded.holder
  returning token::text as token`
}

/** Input: name. Output: whether it was held. */
export const releaseStatement = `with freed as materialized (select pg_advisory_unlock(${numberOf('$1::text')}) as was_held)
  select was_held, pg_notify('${releasedChannel}', $1::text) from freed`

/** Input: name or null. A row says who had it last; the server's own list says whether that connection holds it still. */
export function inspectStatement(table: string): string {
  return `select name, token::text as token, holder, backend_pid, (extract(epoch from since) * 1000)::float8 as since
  from ${table} as held
  where ($1::text is null or name = $1) and exists (
    select from pg_locks where locktype = 'advisory' and granted and pid = held.backend_pid and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())
      and (classid::bigint << 32) | objid::bigint = ${numberOf('held.name')})
  order by name limit 1000`
}

/**
 * Has the server see within about `ttlMs` that a client has vanished: keepalive for a connection that is silent, the user timeout for one
 * that notices were sent to, and from version 14 on a look at the connection while a statement runs.
 */
export function watchStatements(ttlMs: number): readonly string[] {
  const seconds = (part: number): number => Math.max(1, Math.floor((ttlMs * part) / 1_000))
  const checkMs = Math.max(1, Math.round(ttlMs / 3))
  return [
    `select set_config('tcp_keepalives_idle', '${seconds(1 / 2)}', false),
      set_config('tcp_keepalives_interval', '${seconds(1 / 6)}', false), set_config('tcp_keepalives_count', '3', false),
      set_config('tcp_user_timeout', '${Math.max(1, Math.round(ttlMs))}', false)`,
    `select case when current_setting('server_version_num')::int >= 140000
      then set_config('client_connection_check_interval', '${checkMs}', false) end`,
  ]
}
