import type { DatabaseSync } from 'node:sqlite'
import type { ClaimRequest } from '../../ports/index.ts'
import { type SqlRow, storedColumns } from '../sql-row.ts'
import { inTransaction } from './sqlite-journal.ts'

/**
 * Input: ?1 now, ?2 limit, then what `which` and `callable` name.
 * Output: due rows, longest overdue first.
 * Invariant: the conditions repeat those of the partial indexes, else SQLite would scan the table.
 */
const due = (which: string, nextAt = 'next_at'): string => `select id, owner, next_at from lockstep_transactions
where ${which} and ended_at is null and held_reason is null and next_at is not null and ${nextAt} <= ?1
order by next_at, id limit ?2`

/** ?3 the services of the claimer as a JSON array, ?4 the time before which a row counts as nobody's. */
const callable = `(next_at <= ?4 or not exists (
  select 1 from json_each(needs) need where need.value not in (select value from json_each(?3))))`

/**
 * Rows of the owners before or after the claimer. The `+` keeps `next_at` out of the search: in a database that was
 * analyzed SQLite would else skip through the claimer's own rows too, which are many, to find the others, which are none.
 */
const lost = (side: '<' | '>'): string => due(`owner is not null and owner ${side} ?5 and ${callable}`, '+next_at')

export const claimSearches = {
  below: lost('<'),
  above: lost('>'),
  own: due('owner is not null and owner = ?3 and id not in (select value from json_each(?4))'),
  free: due(`owner is null and ${callable}`),
}

const takeSql = `update lockstep_transactions set owner = ?2, epoch = epoch + 1 where id = ?1 returning ${storedColumns}`

interface DueRow {
  readonly id: string
  readonly owner: string | null
  readonly next_at: number
}

export type SqliteClaim = (request: ClaimRequest) => readonly { readonly row: SqlRow; readonly takeover: boolean }[]

/** One process owns the file: whatever another instance owned is left by a dead process. */
export function sqliteClaim(database: DatabaseSync, now: () => number): SqliteClaim {
  const find = dueFinder(database)
  const take = database.prepare(takeSql)
  return (request) => {
    const rows = find(request, now())
    // An idle store writes nothing: no transaction where nothing is due.
    if (rows.length === 0) return []
    return inTransaction(database, () =>
      rows.map((row) => ({
        row: take.get(row.id, request.owner) as unknown as SqlRow,
        takeover: row.owner !== null,
      })),
    )
  }
}

function dueFinder(database: DatabaseSync): (request: ClaimRequest, now: number) => DueRow[] {
  const below = database.prepare(claimSearches.below)
  const above = database.prepare(claimSearches.above)
  const own = database.prepare(claimSearches.own)
  const free = database.prepare(claimSearches.free)
  return ({ owner, limit, services, missingAfterMs, except }, now) => {
    const values = [now, limit, JSON.stringify(services), now - missingAfterMs] as const
    const lost = except === undefined ? [] : own.all(now, limit, owner, JSON.stringify(except))
    const left = [...below.all(...values, owner), ...above.all(...values, owner), ...lost] as unknown as DueRow[]
    const rows = left.sort(byUrgency).slice(0, limit)
    if (rows.length === limit) return rows
    return [...rows, ...(free.all(...values) as unknown as DueRow[]).slice(0, limit - rows.length)]
  }
}

function byUrgency(left: DueRow, right: DueRow): number {
  return left.next_at - right.next_at || (left.id < right.id ? -1 : 1)
}
