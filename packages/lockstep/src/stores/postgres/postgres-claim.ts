import type { Claimed, ClaimRequest } from '../../ports/index.ts'
import { type SqlRow, storedColumns, storedFrom } from '../sql-row.ts'
import type { Sessions } from './connections.ts'

/** The condition of both due indexes, without the owner. */
const unfinished = 't.ended_at is null and t.held_reason is null and t.next_at is not null'
const owned = `t.owner is not null and ${unfinished}`

const due = 't.next_at <= (select now from clock)'
const callable = `(t.needs <@ $3::text[]
      or (t.next_at <= (select now from clock) - $4::bigint
        and not exists (select 1 from live where live.services @> t.needs)))`

/**
 * Input: $1 claimer, $2 limit, $3 its services, $4 how long overdue a row must be to count as nobody's, $5 what the
 *   claimer drives, or null where its own rows are not to be claimed.
 * Output: the claimed rows and who owned them before.
 * Invariant: reads only due rows and one index entry per distinct owner, however many rows are stored. `owners` walks
 *   the index from owner to owner; an owner without a live lease, or without a row at all, is dead.
 * Concurrency: rows that another claim has locked are skipped; a row that changed meanwhile is judged again as it is
 *   after its lock. The clock is read once, when the statement runs.
 */
export const claimStatement = (prefix: string): string => `with recursive clock as materialized (
  select (extract(epoch from clock_timestamp()) * 1000)::bigint as now
), live as materialized (
  select owner, services from ${prefix}lockstep_instances where lease_until > (select now from clock)
), owners(owner) as (
  (select t.owner from ${prefix}lockstep_transactions t where ${owned} order by t.owner limit 1)
  union all
  select (select t.owner from ${prefix}lockstep_transactions t
    where ${owned} and t.owner > owners.owner order by t.owner limit 1)
  from owners where owners.owner is not null
), lost as (
  select owner from owners where owner is not null and case when owner = $1 then $5::text[] is not null
    else not exists (select 1 from live where live.owner = owners.owner) end
), left_behind as (
  select rows.id, rows.owner from lost cross join lateral (
    select t.id, t.owner, t.next_at from ${prefix}lockstep_transactions t
    where t.owner = lost.owner and ${owned} and ${due}
      and case when t.owner = $1 then t.id not in (select unnest($5::text[])) else ${callable} end
    order by t.next_at, t.id limit $2 for update of t skip locked
  ) as rows order by rows.next_at, rows.id limit $2
), free as (
  select t.id, t.owner from ${prefix}lockstep_transactions t
  where t.owner is null and ${unfinished} and ${due} and ${callable}
  order by t.next_at, t.id limit greatest($2::bigint - (select count(*) from left_behind), 0) for update of t skip locked
), picked as (
  select id, owner from left_behind union all select id, owner from free
)
update ${prefix}lockstep_transactions t set owner = $1, epoch = t.epoch + 1
from picked where t.id = picked.id
returning ${storedColumns.replaceAll(/\w+/g, 't.$&')}, picked.owner as former_owner`

export function postgresClaim(
  sessions: Sessions,
  prefix: string,
): (request: ClaimRequest) => Promise<readonly Claimed[]> {
  const statement = claimStatement(prefix)
  return async ({ owner, limit, services, missingAfterMs, except }) => {
    const values = [owner, limit, [...services], missingAfterMs, except === undefined ? null : [...except]]
    const rows = await sessions.query<SqlRow & { former_owner: string | null }>(statement, values, 'lockstep_claim')
    return rows.map((row) => ({ row: storedFrom(row), takeover: row.former_owner !== null })).sort(byUrgency)
  }
}

function byUrgency(left: Claimed, right: Claimed): number {
  const takeoversFirst = Number(right.takeover) - Number(left.takeover)
  const overdue = (left.row.nextAt ?? 0) - (right.row.nextAt ?? 0)
  return takeoversFirst || overdue || (left.row.id < right.row.id ? -1 : 1)
}
