import type { DatabaseSync } from 'node:sqlite'
import { inTransaction } from './sqlite-journal.ts'
import type { WorkerCalls } from './worker-messages.ts'

type Retire = WorkerCalls['retire']

/** The row itself stays, so that its primary key keeps protecting the id (law 2). */
const expireSql = `update lockstep_transactions set definition = '', state = '', reason = null, needs = '[]',
  labels = null, traceparent = null, owner = null, next_at = null, deadline_at = null,
  held_reason = null, held_since = null, held_by = null, held_detail = null, expired = 1
where id in (select id from lockstep_transactions
  where expired = 0 and ended_at is not null and ended_at < ?1 order by ended_at, id limit ?2)
returning id`

const forgetSql = `delete from lockstep_transactions where id in (select id from lockstep_transactions
  where expired = 1 and ended_at is not null and ended_at < ?1 order by ended_at, id limit ?2)`

export function sqliteRetire(database: DatabaseSync): (request: Retire[0]) => Retire[1] {
  const expire = database.prepare(expireSql)
  const forget = database.prepare(forgetSql)
  const details = ['lockstep_attempts', 'lockstep_labels'].map((table) =>
    database.prepare(`delete from ${table} where transaction_id = ?`),
  )
  return ({ endedBefore, forgetBefore, limit }) =>
    inTransaction(database, () => {
      const expired = expire.all(endedBefore, limit)
      for (const row of expired) for (const detail of details) detail.run(String(row['id']))
      return { expired: expired.length, forgotten: Number(forget.run(forgetBefore, limit).changes) }
    })
}
