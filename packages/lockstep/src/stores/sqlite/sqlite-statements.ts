import { decidedColumns, markColumns, storedColumns } from '../sql-row.ts'

/**
 * The statements of a batch. Parameters 1 to 3 are id, writing instance and batch number; the rest are the values of
 * `entry-rows.ts`, in its order.
 *
 * Invariant: a row that carries the batch's mark is not written again, so that a repeat changes nothing; and an older
 * batch of the same instance never writes over a newer one.
 */
const notYetWritten = '(owner_mark_instance is not ?2 or owner_mark_number < ?3)'
const owned = 'owner_mark_instance = ?2, owner_mark_number = ?3, version = version + 1'

/**
 * Work is null where it has not grown. SQLite writes the pages of a row that change, whether or not a column is named, so
 * a statement that leaves these out would write no less.
 */
const grown = (definition: string, needs: string): string =>
  `definition = coalesce(${definition}, definition), needs = coalesce(${needs}, needs)`

export const insertSql = `insert into lockstep_transactions (
  id, owner_mark_instance, owner_mark_number, pattern, content_hash, definition, needs, labels, created_at, traceparent,
  status, state, reason, updated_at, ended_at, next_at, owner,
  held_reason, held_since, held_by, held_detail, deadline_at, age_from, epoch, version, expired
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1, 0)
on conflict (id) do nothing returning ${decidedColumns}`

export const advanceSql = `update lockstep_transactions set
  status = ?5, state = ?6, reason = ?7, updated_at = ?8, ended_at = ?9, next_at = ?10, owner = ?11,
  held_reason = coalesce(held_reason, ?12),
  held_since = case when held_reason is null then ?13 else held_since end,
  held_by = case when held_reason is null then ?14 else held_by end,
  held_detail = case when held_reason is null then ?15 else held_detail end,
  ${grown('?16', '?17')},
  ${owned}
where id = ?1 and epoch = ?4 and expired = 0 and ${notYetWritten}
returning ${decidedColumns}`

export const takeSql = `update lockstep_transactions set
  status = ?6, state = ?7, reason = ?8, updated_at = ?9, ended_at = ?10, next_at = ?11, owner = ?12,
  held_reason = iif(?13, ?14, held_reason), held_since = iif(?13, ?15, held_since),
  held_by = iif(?13, ?16, held_by), held_detail = iif(?13, ?17, held_detail),
  deadline_at = iif(?13, ?18, deadline_at), age_from = iif(?13, ?19, age_from),
  ${grown('?20', '?21')},
  epoch = epoch + 1, ${owned}
where id = ?1 and epoch = ?4 and version = ?5 and expired = 0 and ${notYetWritten}
returning ${decidedColumns}`

export const markSql = `update lockstep_transactions set
  next_at = case when owner is null then ?5 else next_at end,
  held_reason = ?6, held_since = ?7, held_by = ?8, held_detail = ?9, deadline_at = ?10, age_from = ?11,
  operator_mark_instance = ?2, operator_mark_number = ?3, version = version + 1
where id = ?1 and version = ?4 and expired = 0 and (operator_mark_instance is not ?2 or operator_mark_number <> ?3)
returning ${decidedColumns}`

export const readWithMarksSql = `select ${storedColumns}, ${markColumns} from lockstep_transactions where id = ?`

export const labelSql = 'insert into lockstep_labels (transaction_id, name, value) values (?, ?, ?)'

export const attemptSql = `insert into lockstep_attempts (
  transaction_id, branch, operation, number, started_at, duration_ms, outcome, error
) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`

export const auditSql = `insert into lockstep_audit (
  transaction_id, at, by, action, branch, reason, before, after
) values (?, ?, ?, ?, ?, ?, ?, ?)`
