import type { Entry, Held, OperatorColumns, Progress, Work } from '../../ports/index.ts'
import { idOf } from '../unstorable.ts'
import { type BatchPart, batchColumns, batchParts } from './batch-columns.ts'

type Value = string | number | boolean | null
type Rows = Record<BatchPart, Value[][]>

/** The parameters of the batch statement: the mark, then one array per column. */
export function batchValues(batch: readonly Entry[], mark: readonly [instance: string, number: number]): unknown[] {
  const rows: Rows = { inserts: [], updates: [], labels: [], attempts: [], audits: [] }
  for (const entry of batch) addEntry(rows, entry)
  return [...mark, ...batchParts.flatMap((part) => columnsOf(rows[part], batchColumns[part].length))]
}

function columnsOf(rows: readonly Value[][], width: number): (Value | undefined)[][] {
  return Array.from({ length: width }, (_, column) => rows.map((row) => row[column]))
}

function addEntry(rows: Rows, entry: Entry): void {
  const id = idOf(entry)
  if (entry.kind === 'insert') {
    rows.inserts.push(insertRow(entry.row))
    for (const [name, value] of Object.entries(entry.row.labels)) rows.labels.push([id, name, value])
  } else {
    rows.updates.push(updateRow(entry))
  }
  for (const attempt of entry.attempts ?? []) {
    const { branch, operation, number, startedAt, durationMs, outcome, error } = attempt
    rows.attempts.push([id, branch, operation, number, startedAt, durationMs, outcome, error])
  }
  if (entry.audit) {
    const { at, by, action, branch, reason, before, after } = entry.audit
    rows.audits.push([id, at, by, action, branch, reason, before, after])
  }
}

function insertRow(row: Extract<Entry, { kind: 'insert' }>['row']): Value[] {
  const labels = Object.keys(row.labels).length === 0 ? null : JSON.stringify(row.labels)
  const begun = [row.id, row.pattern, row.contentHash, ...workValues(row), labels, row.createdAt, row.traceparent]
  return [...begun, ...progressValues(row), ...operatorValues(row)]
}

function updateRow(entry: Exclude<Entry, { kind: 'insert' }>): Value[] {
  const { kind, id } = entry
  switch (kind) {
    case 'advance': {
      const held = [...heldValues(entry.hold ?? null), null, null]
      const work = workValues(entry.work ?? null)
      return [kind, id, entry.epoch, null, false, ...work, ...progressValues(entry.progress), ...held]
    }
    case 'take': {
      const operator = entry.operator ? operatorValues(entry.operator) : [null, null, null, null, null, null]
      const sets = entry.operator !== undefined
      const work = workValues(entry.work ?? null)
      return [kind, id, entry.epoch, entry.version, sets, ...work, ...progressValues(entry.progress), ...operator]
    }
    case 'mark': {
      const progress = [null, null, null, null, null, entry.nextAt, null]
      return [kind, id, null, entry.version, true, ...workValues(null), ...progress, ...operatorValues(entry.operator)]
    }
  }
}

/** Null where the work has not grown: the row keeps what it has. */
function workValues(work: Partial<Work> | null): Value[] {
  return [work?.definition ?? null, work?.needs === undefined ? null : arrayLiteral(work.needs)]
}

function progressValues(progress: Progress): Value[] {
  const { status, state, reason, updatedAt, endedAt, nextAt, owner } = progress
  return [status, state, reason, updatedAt, endedAt, nextAt, owner]
}

function operatorValues(operator: OperatorColumns): Value[] {
  return [...heldValues(operator.held), operator.deadlineAt, operator.ageFrom]
}

function heldValues(held: Held | null): Value[] {
  return held === null ? [null, null, null, null] : [held.reason, held.since, held.by, held.detail]
}

/** Arrays inside an array would be flattened by `unnest`, so this one travels as its text. */
function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
}
