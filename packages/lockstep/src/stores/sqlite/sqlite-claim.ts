import type { DatabaseSync } from 'node:sqlite'
import type { ClaimRequest } from '../../ports/index.ts'
import { type SqlRow, storedColumns } from '../sql-row.ts'
import { inTransaction } from './sqlite-journal.ts'

/**
 * Input: ?1 now, ?2 services as a JSON array, ?3 the time before which a row counts as nobody's, ?4 limit, ?5 claimer.
 * Output: due rows that this process can call, longest overdue first.
 * Invariant: the conditions repeat those of the partial indexes, else SQLite would scan the table.
 */
const due = (ownership: string): string => `select id, owner, next_at from lockstep_transactions
where ${ownership} and ended_at is null and held_reason is null and next_at is not null and next_at <= ?1
  and (next_at <= ?3 or not exists (
    select 1 from json_each(needs) need where need.value not in (select value from json_each(?2))))
order by next_at, id limit ?4`

const takeSql = `update lockstep_transactions set owner = ?2, epoch = epoch + 1 where id = ?1 returning ${storedColumns}`

interface DueRow {
  readonly id: string
  readonly owner: string | null
  readonly next_at: number
}

export type SqliteClaim = (request: ClaimRequest) => readonly { readonly row: SqlRow; readonly takeover: boolean }[]

/** One process owns the file: whatever another instance owned is left by a dead process. */
export function sqliteClaim(database: DatabaseSync, now: () => number): SqliteClaim {
  const below = database.prepare(due('owner is not null and owner < ?5'))
  const above = database.prepare(due('owner is not null and owner > ?5'))
  const free = database.prepare(due('owner is null'))
  const take = database.prepare(takeSql)
  return ({ owner, limit, services, missingAfterMs }) => {
    const time = now()
    const values = [time, JSON.stringify(services), time - missingAfterMs, limit]
    const left = [...below.all(...values, owner), ...above.all(...values, owner)] as unknown as DueRow[]
    const rows = left.sort(byUrgency).slice(0, limit)
    if (rows.length < limit) rows.push(...(free.all(...values) as unknown as DueRow[]).slice(0, limit - rows.length))
    // An idle store writes nothing: no transaction where nothing is due.
    if (rows.length === 0) return []
    return inTransaction(database, () =>
      rows.map((row) => ({ row: take.get(row.id, owner) as unknown as SqlRow, takeover: row.owner !== null })),
    )
  }
}

function byUrgency(left: DueRow, right: DueRow): number {
  return left.next_at - right.next_at || (left.id < right.id ? -1 : 1)
}
