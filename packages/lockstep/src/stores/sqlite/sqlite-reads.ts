import type { DatabaseSync } from 'node:sqlite'
import type { AuditRow, HeartbeatAnswer, History, ListFilter } from '../../ports/index.ts'
import { listQuery } from '../list-query.ts'
import {
  type AttemptSqlRow,
  attemptFrom,
  auditFrom,
  type HeldSqlRow,
  heldRowFrom,
  type SqlRow,
  storedColumns,
} from '../sql-row.ts'

export interface SqliteReads {
  read(ids: readonly string[]): readonly SqlRow[]
  history(id: string): History
  list(filter: ListFilter): readonly SqlRow[]
  heartbeat(owner: string): HeartbeatAnswer
}

export function sqliteReads(database: DatabaseSync, now: () => number): SqliteReads {
  const byId = database.prepare(`select ${storedColumns} from lockstep_transactions where id = ?`)
  const attempts = database.prepare(`select branch, operation, number, started_at, duration_ms, outcome, error
from lockstep_attempts where transaction_id = ? order by started_at, branch, operation, number`)
  const audit = database.prepare(`select at, by, action, branch, reason, before, after
from lockstep_audit where transaction_id = ? order by number`)
  const held =
    database.prepare(`select id, version, held_reason, held_since, held_by, held_detail, deadline_at, age_from
from lockstep_transactions where owner = ? and held_reason is not null order by id`)
  return {
    read: (ids) => [...new Set(ids)].flatMap((id) => (byId.get(id) as unknown as SqlRow | undefined) ?? []),
    history: (id) => ({
      attempts: (attempts.all(id) as unknown as AttemptSqlRow[]).map(attemptFrom),
      audit: (audit.all(id) as unknown as AuditRow[]).map(auditFrom),
    }),
    list(filter) {
      const { text, values } = listQuery(filter, '', () => '?')
      return database.prepare(text).all(...values) as unknown as SqlRow[]
    },
    heartbeat: (owner) => ({
      now: now(),
      held: (held.all(owner) as unknown as HeldSqlRow[]).map(heldRowFrom),
    }),
  }
}
