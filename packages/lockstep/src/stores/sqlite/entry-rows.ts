import type {
  AttemptRow,
  AuditRow,
  Entry,
  EntryResult,
  Held,
  OperatorColumns,
  Progress,
  Work,
} from '../../ports/index.ts'
import { storedFrom } from '../sql-row.ts'
import { idOf } from '../unstorable.ts'
import type { DecidedValues, EntryAnswer, EntryRows, SqlValue } from './worker-messages.ts'

/** Turns an entry into the arrays that the worker binds; `sqlite-statements.ts` has the same order. */
export function entryRows(entry: Entry): EntryRows {
  const id = idOf(entry)
  return {
    kind: entry.kind,
    id,
    values: valuesOf(entry),
    labels: entry.kind === 'insert' ? Object.entries(entry.row.labels).map(([name, value]) => [id, name, value]) : [],
    attempts: (entry.attempts ?? []).map((attempt) => attemptValues(id, attempt)),
    audit: entry.audit ? auditValues(id, entry.audit) : null,
  }
}

export function entryResult(answer: EntryAnswer, kind: Entry['kind']): EntryResult {
  if (isApplied(answer)) {
    const [epoch, version, reason, since, by, detail, deadlineAt, ageFrom] = answer
    const held = reason === null ? null : { reason, since: since ?? 0, by: by ?? '', detail }
    return { kind: 'applied', row: { held, deadlineAt, ageFrom, epoch, version } }
  }
  if (answer.kind === 'invalid') return answer
  const row = answer.row === null ? null : storedFrom(answer.row)
  return kind === 'insert' && row !== null ? { kind: 'exists', row } : { kind: 'stale', row }
}

function isApplied(answer: EntryAnswer): answer is DecidedValues {
  return Array.isArray(answer)
}

function valuesOf(entry: Entry): SqlValue[] {
  switch (entry.kind) {
    case 'insert':
      return insertValues(entry)
    case 'advance':
      return [
        entry.epoch,
        ...progressValues(entry.progress),
        ...heldValues(entry.hold ?? null),
        ...workValues(entry.work ?? null),
      ]
    case 'take':
      return [
        entry.epoch,
        entry.version,
        ...progressValues(entry.progress),
        entry.operator ? 1 : 0,
        ...operatorValues(entry.operator ?? null),
        ...workValues(entry.work ?? null),
      ]
    case 'mark':
      return [entry.version, entry.nextAt, ...operatorValues(entry.operator)]
  }
}

function insertValues({ row }: Extract<Entry, { kind: 'insert' }>): SqlValue[] {
  const labels = Object.keys(row.labels).length === 0 ? null : JSON.stringify(row.labels)
  const begun = [row.pattern, row.contentHash, ...workValues(row), labels, row.createdAt, row.traceparent]
  return [...begun, ...progressValues(row), ...operatorValues(row)]
}

function workValues(work: Partial<Work> | null): SqlValue[] {
  return [work?.definition ?? null, work?.needs === undefined ? null : JSON.stringify(work.needs)]
}

function progressValues(progress: Progress): SqlValue[] {
  const { status, state, reason, updatedAt, endedAt, nextAt, owner } = progress
  return [status, state, reason, updatedAt, endedAt, nextAt, owner]
}

function operatorValues(operator: OperatorColumns | null): SqlValue[] {
  return [...heldValues(operator?.held ?? null), operator?.deadlineAt ?? null, operator?.ageFrom ?? null]
}

function heldValues(held: Held | null): SqlValue[] {
  return held === null ? [null, null, null, null] : [held.reason, held.since, held.by, held.detail]
}

function attemptValues(id: string, attempt: AttemptRow): SqlValue[] {
  const { branch, operation, number, startedAt, durationMs, outcome, error } = attempt
  return [id, branch, operation, number, startedAt, durationMs, outcome, error]
}

function auditValues(id: string, audit: AuditRow): SqlValue[] {
  const { at, by, action, branch, reason, before, after } = audit
  return [id, at, by, action, branch, reason, before, after]
}
