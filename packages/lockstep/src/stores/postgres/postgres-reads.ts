import type { AuditRow, History, ListFilter, Page, StoredTransaction } from '../../ports/index.ts'
import { listQuery, pageOf } from '../list-query.ts'
import { type AttemptSqlRow, attemptFrom, auditFrom, type SqlRow, storedColumns, storedFrom } from '../sql-row.ts'
import type { Sessions } from './connections.ts'

export interface PostgresReads {
  read(ids: readonly string[]): Promise<readonly StoredTransaction[]>
  history(id: string): Promise<History>
  list(filter: ListFilter): Promise<Page>
}

export function postgresReads(sessions: Sessions, prefix: string): PostgresReads {
  const byIds = `select ${storedColumns} from ${prefix}lockstep_transactions where id = any($1::text[])`
  const attemptsOf = `select branch, operation, number, started_at, duration_ms, outcome, error
from ${prefix}lockstep_attempts where transaction_id = $1 order by started_at, branch, operation, number`
  const auditOf = `select at, by, action, branch, reason, before, after
from ${prefix}lockstep_audit where transaction_id = $1 order by number`
  return {
    async read(ids) {
      const rows = await sessions.query<SqlRow>(byIds, [[...ids]], 'lockstep_read')
      const stored = new Map(rows.map((row) => [row.id, storedFrom(row)]))
      return [...new Set(ids)].flatMap((id) => stored.get(id) ?? [])
    },
    async history(id) {
      const attempts = await sessions.query<AttemptSqlRow>(attemptsOf, [id])
      const audit = await sessions.query<AuditRow>(auditOf, [id])
      return { attempts: attempts.map(attemptFrom), audit: audit.map(auditFrom) }
    },
    async list(filter) {
      const { text, values } = listQuery(filter, prefix, (position) => `$${position}`)
      return pageOf(await sessions.query<SqlRow>(text, values), filter.limit)
    },
  }
}
