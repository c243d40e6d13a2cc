import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { messageOf } from '../../errors.ts'
import type { MarkColumns, SqlRow } from '../sql-row.ts'
import { isDataError } from './sqlite-errors.ts'
import {
  advanceSql,
  attemptSql,
  auditSql,
  insertSql,
  labelSql,
  markSql,
  readWithMarksSql,
  takeSql,
} from './sqlite-statements.ts'
import type { DecidedRow, DecidedValues, EntryAnswer, EntryRows, Writer } from './worker-messages.ts'

export type SqliteJournal = (entries: readonly EntryRows[], writer: Writer) => readonly EntryAnswer[]

interface Statements {
  readonly write: Readonly<Record<EntryRows['kind'], StatementSync>>
  readonly read: StatementSync
  readonly label: StatementSync
  readonly attempt: StatementSync
  readonly audit: StatementSync
}

/** Commits a batch as one transaction; where an entry's data is to blame, again with a savepoint around each entry. */
export function sqliteJournal(database: DatabaseSync): SqliteJournal {
  const statements = prepare(database)
  return (entries, writer) => {
    try {
      return inTransaction(database, () => entries.map((entry) => apply(statements, entry, writer)))
    } catch (error) {
      if (!isDataError(error)) throw error
      return inTransaction(database, () => entries.map((entry) => applyAlone(database, statements, entry, writer)))
    }
  }
}

export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('begin immediate')
  try {
    const result = work()
    database.exec('commit')
    return result
  } catch (error) {
    // SQLite has rolled back by itself after some errors, a full disk among them.
    if (database.isTransaction) database.exec('rollback')
    throw error
  }
}

function prepare(database: DatabaseSync): Statements {
  return {
    write: {
      insert: answeringArrays(database, insertSql),
      advance: answeringArrays(database, advanceSql),
      take: answeringArrays(database, takeSql),
      mark: answeringArrays(database, markSql),
    },
    read: database.prepare(readWithMarksSql),
    label: database.prepare(labelSql),
    attempt: database.prepare(attemptSql),
    audit: database.prepare(auditSql),
  }
}

function answeringArrays(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  return statement
}

function apply(statements: Statements, entry: EntryRows, writer: Writer): EntryAnswer {
  const written = statements.write[entry.kind].get(entry.id, writer.instance, writer.number, ...entry.values)
  if (written === undefined) return settleMiss(statements, entry, writer)
  for (const label of entry.labels) statements.label.run(...label)
  for (const attempt of entry.attempts) statements.attempt.run(...attempt)
  if (entry.audit) statements.audit.run(...entry.audit)
  return written as unknown as DecidedValues
}

function settleMiss(statements: Statements, entry: EntryRows, writer: Writer): EntryAnswer {
  const row = statements.read.get(entry.id) as unknown as (SqlRow & MarkColumns) | undefined
  if (row === undefined) return { kind: 'missed', row: null }
  const [instance, number] =
    entry.kind === 'mark'
      ? [row.operator_mark_instance, row.operator_mark_number]
      : [row.owner_mark_instance, row.owner_mark_number]
  const isOurs = instance === writer.instance && number === writer.number
  return isOurs ? decidedValues(row) : { kind: 'missed', row }
}

function decidedValues(row: DecidedRow): DecidedValues {
  const { epoch, version, held_reason, held_since, held_by, held_detail, deadline_at, age_from } = row
  return [epoch, version, held_reason, held_since, held_by, held_detail, deadline_at, age_from]
}

function applyAlone(database: DatabaseSync, statements: Statements, entry: EntryRows, writer: Writer): EntryAnswer {
  database.exec('savepoint entry')
  try {
    const answer = apply(statements, entry, writer)
    database.exec('release entry')
    return answer
  } catch (error) {
    if (!isDataError(error)) throw error
    database.exec('rollback to entry; release entry')
    return { kind: 'invalid', message: messageOf(error) }
  }
}
