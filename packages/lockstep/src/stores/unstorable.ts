import { invariant } from '../errors.ts'
import type { Entry, OperatorColumns, Work } from '../ports/index.ts'

/**
 * Why no store can hold this entry, or null. The rule is the same everywhere, so that a program which works on one
 * store works on the others: texts carry no NUL (PostgreSQL) and no lone surrogate (it would come back changed), and
 * numbers are safe integers.
 */
export function unstorable(entry: Entry): string | null {
  return firstProblem(partsOf(entry))
}

/** Law 6: a second entry for one id would be judged against a row that the first has not written yet. */
export function oneEntryPerId(batch: readonly Entry[]): void {
  const ids = new Set(batch.map(idOf))
  invariant(ids.size === batch.length, 'A batch holds two entries for one transaction.')
}

export function idOf(entry: Entry): string {
  return entry.kind === 'insert' ? entry.row.id : entry.id
}

/**
 * The objects whose own fields are stored, as they are: this runs for every entry, so nothing is copied. A field that is
 * neither text nor number passes; what it holds is listed by itself.
 */
function partsOf(entry: Entry): readonly object[] {
  const parts: object[] = [entry]
  if (entry.attempts !== undefined) parts.push(...entry.attempts)
  if (entry.audit !== undefined) parts.push(entry.audit)
  switch (entry.kind) {
    case 'insert': {
      const { row } = entry
      pushWork(parts, row)
      parts.push(row.labels, Object.keys(row.labels))
      if (row.held !== null) parts.push(row.held)
      return parts
    }
    case 'advance':
      parts.push(entry.progress)
      if (entry.hold !== undefined) parts.push(entry.hold)
      if (entry.work !== undefined) pushWork(parts, entry.work)
      return parts
    case 'take':
      parts.push(entry.progress)
      if (entry.operator !== undefined) pushOperator(parts, entry.operator)
      if (entry.work !== undefined) pushWork(parts, entry.work)
      return parts
    case 'mark':
      pushOperator(parts, entry.operator)
      return parts
  }
}

function pushWork(parts: object[], work: Partial<Work>): void {
  parts.push(work, work.needs ?? [])
}

function pushOperator(parts: object[], operator: OperatorColumns): void {
  parts.push(operator)
  if (operator.held !== null) parts.push(operator.held)
}

function firstProblem(parts: readonly object[]): string | null {
  for (const part of parts) {
    // Names only where something is wrong: to look every field up by its name would take four times as long.
    if (Object.values(part).every(isStorable)) continue
    for (const [name, value] of Object.entries(part)) {
      const problem = problemOf(value)
      if (problem !== null) return `${name} ${problem}`
    }
  }
  return null
}

function isStorable(value: unknown): boolean {
  return problemOf(value) === null
}

function problemOf(value: unknown): string | null {
  if (typeof value === 'string') {
    if (value.includes('\0')) return 'holds a NUL character, which no store keeps'
    return value.isWellFormed() ? null : 'holds half of a surrogate pair, which no store keeps'
  }
  if (typeof value === 'number') return Number.isSafeInteger(value) ? null : 'is not a safe integer'
  return null
}
