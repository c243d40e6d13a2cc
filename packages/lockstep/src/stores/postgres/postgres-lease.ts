import type { HeartbeatAnswer, HeartbeatRequest } from '../../ports/index.ts'
import { type HeldSqlRow, heldRowFrom } from '../sql-row.ts'
import type { Sessions } from './connections.ts'

export interface PostgresLease {
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer>
  resign(owner: string): Promise<void>
}

/** Output: the server's clock on every row, and what somebody holds of this owner's work; at least one row. */
const renewStatement = (prefix: string): string => `with clock as materialized (
  select (extract(epoch from clock_timestamp()) * 1000)::bigint as now
), renewed as (
  insert into ${prefix}lockstep_instances (owner, lease_until, services)
  select $1::text, clock.now + $2::bigint, $3::text[] from clock
  on conflict (owner) do update set lease_until = excluded.lease_until, services = excluded.services
)
select clock.now, t.id, t.version, t.held_reason, t.held_since, t.held_by, t.held_detail, t.deadline_at, t.age_from
from clock left join ${prefix}lockstep_transactions t on t.owner = $1::text and t.held_reason is not null
order by t.id`

/** Where nothing is held, one row stands there for the clock, and all of its other columns are null. */
type Beat = { readonly now: number } & (HeldSqlRow | { readonly id: null })

export function postgresLease(sessions: Sessions, prefix: string): PostgresLease {
  const renew = renewStatement(prefix)
  return {
    async heartbeat({ owner, leaseMs, services }) {
      const rows = await sessions.query<Beat>(renew, [owner, leaseMs, [...services]], 'lockstep_heartbeat')
      const held = rows.flatMap((row) => (row.id === null ? [] : [heldRowFrom(row)]))
      return { now: rows[0]?.now ?? 0, held }
    },
    async resign(owner) {
      await sessions.query(`delete from ${prefix}lockstep_instances where owner = $1`, [owner])
    },
  }
}
