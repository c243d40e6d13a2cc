import { mutant } from '#mutant'
import type {
  AttemptRow,
  Entry,
  EntryResult,
  OperatorColumns,
  Progress,
  StoredTransaction,
  Work,
} from '../../ports/index.ts'
import { idOf, unstorable } from '../unstorable.ts'
import { copyRow, type MemoryRow, type MemoryState, operatorColumnsOf, type WriteMark } from './memory-rows.ts'

type Insert = Extract<Entry, { kind: 'insert' }>
type Change = Exclude<Entry, Insert>

/** Applies one entry, or says why not. An entry whose mark the row already carries is answered without a change. */
export function applyEntry(state: MemoryState, entry: Entry, mark: WriteMark): EntryResult {
  const problem = unstorable(entry)
  if (problem !== null) return { kind: 'invalid', message: problem }
  const stored = state.rows.get(idOf(entry))
  if (stored !== undefined && isMarkedBy(stored, entry, mark)) return applied(stored.row)
  const next = entry.kind === 'insert' ? inserted(stored, entry, mark) : changed(stored, entry, mark)
  if (next === null) return missed(entry, stored)
  state.rows.set(next.row.id, next)
  recordAttempts(state, next.row.id, entry.attempts ?? [])
  if (entry.audit) state.audit.set(next.row.id, [...(state.audit.get(next.row.id) ?? []), { ...entry.audit }])
  return applied(next.row)
}

function isMarkedBy(stored: MemoryRow, entry: Entry, mark: WriteMark): boolean {
  const left = entry.kind === 'mark' ? stored.operatorMark : stored.ownerMark
  return left?.instance === mark.instance && left.number === mark.number
}

function missed(entry: Entry, stored: MemoryRow | undefined): EntryResult {
  if (entry.kind === 'insert' && stored) return { kind: 'exists', row: copyRow(stored.row) }
  return { kind: 'stale', row: stored ? copyRow(stored.row) : null }
}

function applied(row: StoredTransaction): EntryResult {
  return { kind: 'applied', row: { ...operatorColumnsOf(row), epoch: row.epoch, version: row.version } }
}

function inserted(stored: MemoryRow | undefined, entry: Insert, mark: WriteMark): MemoryRow | null {
  const reopened = stored?.row.expired === true && mutant('L2-id-accepted-after-retention')
  if (stored !== undefined && !reopened) return null
  const row = copyRow({ ...entry.row, epoch: 1, version: 1, expired: false })
  return { row, ownerMark: mark, operatorMark: null }
}

function changed(stored: MemoryRow | undefined, entry: Change, mark: WriteMark): MemoryRow | null {
  if (stored === undefined || !matches(stored, entry, mark)) return null
  const row = stored.row
  if (entry.kind === 'mark') {
    const nextAt = row.owner === null ? entry.nextAt : row.nextAt
    const next = { ...row, ...operatorColumnsOf(entry.operator), nextAt, version: row.version + 1 }
    return { ...stored, row: next, operatorMark: mark }
  }
  const taken = entry.kind === 'take'
  const decided = { ...operatorAfter(row, entry), epoch: row.epoch + (taken ? 1 : 0), version: row.version + 1 }
  const next = { ...row, ...workOf({ ...row, ...entry.work }), ...progressOf(entry.progress), ...decided }
  return { ...stored, row: next, ownerMark: mark }
}

function matches(stored: MemoryRow, entry: Change, mark: WriteMark): boolean {
  const row = stored.row
  if (row.expired) return false
  if (entry.kind !== 'mark' && row.epoch !== entry.epoch && !mutant('M12-write-without-epoch')) return false
  const isOutdated = entry.kind !== 'advance' && row.version !== entry.version
  if (isOutdated && !mutant('L8-decision-forgets-a-branch')) return false
  // A batch that was given up as lost may arrive after its successor: the epoch alone would let the older state win.
  return entry.kind === 'mark' || stored.ownerMark?.instance !== mark.instance || stored.ownerMark.number < mark.number
}

/** A caller may pass a wider object, such as a whole row: only the owner's columns count. */
function progressOf(progress: Progress): Progress {
  const { status, state, reason, updatedAt, endedAt, nextAt, owner } = progress
  return { status, state, reason, updatedAt, endedAt, nextAt, owner }
}

function workOf({ definition, needs }: Work): Work {
  return { definition, needs: [...needs] }
}

function operatorAfter(row: StoredTransaction, entry: Extract<Change, { kind: 'advance' | 'take' }>): OperatorColumns {
  if (entry.kind === 'take') return operatorColumnsOf(entry.operator ?? row)
  return operatorColumnsOf({ ...row, held: row.held ?? entry.hold ?? null })
}

function recordAttempts(state: MemoryState, id: string, attempts: readonly AttemptRow[]): void {
  if (attempts.length === 0) return
  const known = state.attempts.get(id) ?? []
  const keys = new Set(known.map(attemptKey))
  const fresh = attempts.filter((attempt) => !keys.has(attemptKey(attempt)) && keys.add(attemptKey(attempt)))
  state.attempts.set(id, [...known, ...fresh.map((attempt) => ({ ...attempt }))])
}

function attemptKey(attempt: AttemptRow): string {
  return `${attempt.branch}/${attempt.operation}/${attempt.number}`
}
