import type { AttemptRow, AuditRow, OperatorColumns, StoredTransaction } from '../../ports/index.ts'

/** Which batch wrote last. Batches of one instance are numbered upwards. */
export interface WriteMark {
  readonly instance: string
  readonly number: number
}

/**
 * One transaction in memory. Owners and operators leave separate marks: an operator's write between an owner's batch
 * and its repeat must not hide that the batch was applied.
 */
export interface MemoryRow {
  readonly row: StoredTransaction
  readonly ownerMark: WriteMark | null
  readonly operatorMark: WriteMark | null
}

export interface Instance {
  readonly leaseUntil: number
  readonly services: readonly string[]
}

export interface MemoryState {
  readonly rows: Map<string, MemoryRow>
  readonly attempts: Map<string, AttemptRow[]>
  readonly audit: Map<string, AuditRow[]>
  readonly instances: Map<string, Instance>
}

export function emptyState(): MemoryState {
  return { rows: new Map(), attempts: new Map(), audit: new Map(), instances: new Map() }
}

/** What is stored is never shared with a caller, in either direction. */
export function copyRow(row: StoredTransaction): StoredTransaction {
  return { ...row, needs: [...row.needs], labels: { ...row.labels }, held: row.held && { ...row.held } }
}

export function operatorColumnsOf(row: OperatorColumns): OperatorColumns {
  return { held: row.held && { ...row.held }, deadlineAt: row.deadlineAt, ageFrom: row.ageFrom }
}

/** Ids compare as bytes in every store; they are ASCII, where UTF-16 order is byte order. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
