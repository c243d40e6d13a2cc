/** The statements of the lease table. Time is the database's: `clock_timestamp()`, which runs on inside a statement. */
import { releasedChannel } from './tables.ts'

/** Microseconds since 1970, so that a row that was lost does not begin at 1 again. */
const microseconds = `(extract(epoch from clock_timestamp()) * 1000000)::bigint`

/**
 * Input: name, owner, TTL in milliseconds, holder. Output: the token as text, or the milliseconds that somebody else's hold has left.
 * Invariant: one owner until `expires_at`; a token is larger than every earlier one of the row, and an owner that repeats itself keeps
 * its own.
 * Concurrency: the row's lock puts all who ask into one order, and the condition is read again behind it.
 */
export function takeStatement(table: string): string {
  return `with taken as (
    insert into ${table} as held (name, owner, token, since, expires_at, holder)
    values ($1, $2, ${microseconds}, clock_timestamp(), clock_timestamp() + $3::float8 * interval '1 millisecond', $4::jsonb)
    on conflict (name) do update set
      owner = excluded.owner,
      token = case when held.owner = excluded.owner then held.token else greatest(held.token + 1, ${microseconds}) end,
      since = excluded.since,
      expires_at = clock_timestamp() + $3::float8 * interval '1 millisecond',
      holder = excluded.holder
    where held.expires_at <= clock_timestamp() or held.owner = excluded.owner
    returning token)
  select token::text as token, null as left_ms from taken
  union all
  select null, greatest(0, extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 from ${table}
  where name = $1 and not exists (select from taken)`
}

/**
 * Input: name, owner, TTL. Output: a row when it is held on. What has run out is lost, although nobody else has taken it yet.
 * Invariant: the end never comes nearer. Two extensions are executed in any order, and one may be executed long after it was given up:
 * the holder, who counts from the sending of what was answered, must not believe in more than the row has.
 */
export function extendStatement(table: string): string {
  return `update ${table} set expires_at = greatest(expires_at, clock_timestamp() + $3::float8 * interval '1 millisecond')
  where name = $1 and owner = $2 and expires_at > clock_timestamp() returning 1`
}

/**
 * Input: name, owner. Output: whether it was held still; no row when it was not ours. The row stays, for its token; the owner does not,
 * so that no late copy of its request finds itself.
 */
export function releaseStatement(table: string): string {
  return `with found as (
    select name, expires_at > clock_timestamp() as was_held from ${table} where name = $1 and owner = $2 for update),
  freed as (
    update ${table} as held set owner = '', expires_at = to_timestamp(0) from found
    where held.name = found.name returning held.name, found.was_held),
  told as (select pg_notify('${releasedChannel}', name) from freed)
  select was_held, (select count(*) from told) as told from freed`
}

export function inspectStatement(table: string): string {
  return `select name, token::text as token, holder, (extract(epoch from since) * 1000)::float8 as since,
    (extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as left_ms
  from ${table} where expires_at > clock_timestamp() and ($1::text is null or name = $1) order by name limit 1000`
}

/** Input: name, token or null; a token may be larger than the server has numbers for. Output: what was taken away. */
export function evictStatement(table: string): string {
  return `with found as (
    select name, token, owner, holder, since, expires_at from ${table}
    where name = $1 and expires_at > clock_timestamp() and ($2::numeric is null or token = $2::numeric) for update),
  freed as (
    update ${table} as held set owner = '', expires_at = to_timestamp(0) from found
    where held.name = found.name returning found.*),
  told as (select pg_notify('${releasedChannel}', name) from freed)
  select name, token::text as token, holder, (extract(epoch from since) * 1000)::float8 as since,
    (extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as left_ms, (select count(*) from told) as told
  from freed`
}
