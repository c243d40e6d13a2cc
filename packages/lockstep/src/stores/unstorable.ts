import { invariant } from '../errors.ts'
import type { AttemptRow, AuditRow, Entry, Held, OperatorColumns, Progress } from '../ports/index.ts'

type Fields = Readonly<Record<string, unknown>>

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

function partsOf(entry: Entry): readonly Fields[] {
  const common = [...(entry.attempts ?? []).map(attemptFields), ...(entry.audit ? [auditFields(entry.audit)] : [])]
  switch (entry.kind) {
    case 'insert': {
      const { needs, labels, held, ...row } = entry.row
      return [
        { ...row },
        { ...needs },
        labels,
        Object.fromEntries(Object.keys(labels).entries()),
        ...heldFields(held),
        ...common,
      ]
    }
    case 'advance':
      return [
        { id: entry.id, epoch: entry.epoch },
        progressFields(entry.progress),
        ...heldFields(entry.hold ?? null),
        ...common,
      ]
    case 'take':
      return [
        { id: entry.id, epoch: entry.epoch, version: entry.version },
        progressFields(entry.progress),
        ...(entry.operator ? operatorFields(entry.operator) : []),
        ...common,
      ]
    case 'mark':
      return [
        { id: entry.id, version: entry.version, nextAt: entry.nextAt },
        ...operatorFields(entry.operator),
        ...common,
      ]
  }
}

function firstProblem(parts: readonly Fields[]): string | null {
  for (const part of parts) {
    for (const name in part) {
      const problem = problemOf(part[name])
      if (problem !== null) return `${name} ${problem}`
    }
  }
  return null
}

function problemOf(value: unknown): string | null {
  if (typeof value === 'string') {
    if (value.includes('\0')) return 'holds a NUL character, which no store keeps'
    return value.isWellFormed() ? null : 'holds half of a surrogate pair, which no store keeps'
  }
  if (typeof value === 'number') return Number.isSafeInteger(value) ? null : 'is not a safe integer'
  return null
}

const attemptFields = (attempt: AttemptRow): Fields => ({ ...attempt })
const auditFields = (audit: AuditRow): Fields => ({ ...audit })
const progressFields = (progress: Progress): Fields => ({ ...progress })
const heldFields = (held: Held | null): readonly Fields[] => (held === null ? [] : [{ ...held }])

function operatorFields(operator: OperatorColumns): readonly Fields[] {
  return [{ deadlineAt: operator.deadlineAt, ageFrom: operator.ageFrom }, ...heldFields(operator.held)]
}
