import type {
  AttemptRow,
  AuditRow,
  HeartbeatAnswer,
  Held,
  Operation,
  OperatorColumns,
  Pattern,
  Status,
  StoredTransaction,
} from '../ports/index.ts'

/** A row of `lockstep_transactions` as both SQL stores read it: integers as numbers, `needs` as text or an array. */
export interface SqlRow {
  readonly id: string
  readonly pattern: string
  readonly content_hash: string
  readonly definition: string
  readonly needs: string | readonly string[]
  readonly labels: string | null
  readonly created_at: number
  readonly traceparent: string | null
  readonly status: string
  readonly state: string
  readonly reason: string | null
  readonly updated_at: number
  readonly ended_at: number | null
  readonly next_at: number | null
  readonly owner: string | null
  readonly held_reason: string | null
  readonly held_since: number | null
  readonly held_by: string | null
  readonly held_detail: string | null
  readonly deadline_at: number | null
  readonly age_from: number
  readonly epoch: number
  readonly version: number
  readonly expired: boolean | number
}

export interface MarkColumns {
  readonly owner_mark_instance: string | null
  readonly owner_mark_number: number | null
  readonly operator_mark_instance: string | null
  readonly operator_mark_number: number | null
}

export type OperatorSqlColumns = Pick<
  SqlRow,
  'held_reason' | 'held_since' | 'held_by' | 'held_detail' | 'deadline_at' | 'age_from'
>

export const storedColumns = [
  'id, pattern, content_hash, definition, needs, labels, created_at, traceparent, status, state, reason',
  'updated_at, ended_at, next_at, owner, held_reason, held_since, held_by, held_detail, deadline_at, age_from',
  'epoch, version, expired',
].join(', ')

/** The same columns for lists, which answer `definition` and `state` as empty text. */
export const listedColumns = storedColumns.replace('definition,', "'' as definition,").replace('state,', "'' as state,")

export const markColumns = 'owner_mark_instance, owner_mark_number, operator_mark_instance, operator_mark_number'

export const decidedColumns = 'epoch, version, held_reason, held_since, held_by, held_detail, deadline_at, age_from'

export function storedFrom(row: SqlRow): StoredTransaction {
  return {
    id: row.id,
    pattern: row.pattern as Pattern,
    contentHash: row.content_hash,
    definition: row.definition,
    needs: typeof row.needs === 'string' ? (JSON.parse(row.needs) as string[]) : row.needs,
    labels: row.labels === null ? {} : (JSON.parse(row.labels) as Record<string, string>),
    createdAt: row.created_at,
    traceparent: row.traceparent,
    status: row.status as Status,
    state: row.state,
    reason: row.reason,
    updatedAt: row.updated_at,
    endedAt: row.ended_at,
    nextAt: row.next_at,
    owner: row.owner,
    ...operatorFrom(row),
    epoch: row.epoch,
    version: row.version,
    expired: Boolean(row.expired),
  }
}

export function operatorFrom(row: OperatorSqlColumns): OperatorColumns {
  return { held: heldFrom(row), deadlineAt: row.deadline_at, ageFrom: row.age_from }
}

export type HeldSqlRow = OperatorSqlColumns & Pick<SqlRow, 'id' | 'version'>

/** What a heartbeat says of a row that somebody holds. */
export function heldRowFrom(row: HeldSqlRow): HeartbeatAnswer['held'][number] {
  return { id: row.id, version: row.version, operator: operatorFrom(row) }
}

function heldFrom(row: OperatorSqlColumns): Held | null {
  if (row.held_reason === null) return null
  return { reason: row.held_reason, since: row.held_since ?? 0, by: row.held_by ?? '', detail: row.held_detail }
}

export interface AttemptSqlRow {
  readonly branch: string
  readonly operation: string
  readonly number: number
  readonly started_at: number
  readonly duration_ms: number
  readonly outcome: string
  readonly error: string | null
}

export function attemptFrom(row: AttemptSqlRow): AttemptRow {
  const { started_at: startedAt, duration_ms: durationMs, branch, number, outcome, error } = row
  return { branch, operation: row.operation as Operation, number, startedAt, durationMs, outcome, error }
}

export function auditFrom(row: AuditRow): AuditRow {
  const { at, by, action, branch, reason, before, after } = row
  return { at, by, action, branch, reason, before, after }
}
