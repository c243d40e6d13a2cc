import type { AttemptRow, Description, PatternMachine, StoredTransaction, Transaction } from '../ports/index.ts'
import type { AttemptBody, BranchBody, TransactionBody } from '../protocol/index.ts'
import type { Snapshot } from './snapshot.ts'
import { fromRow } from './stored-form.ts'

/** Turns what is durable into what is answered (protocol.md section 3). */

const nothing: Description = { branches: [], output: null, incomplete: false }

export function snapshotOf(row: StoredTransaction): Snapshot {
  const { version, updatedAt } = row
  return { ...fromRow(row), base: row, version, updatedAt }
}

export function present(
  snapshot: Snapshot,
  by: { store: string; machine: PatternMachine | undefined; older: readonly AttemptRow[] },
): TransactionBody {
  const { transaction } = snapshot
  const described = by.machine?.describe(transaction) ?? nothing
  const attempts = attemptsByBranch([...by.older, ...transaction.attempts])
  const branches: BranchBody[] = described.branches.map((branch) => ({
    ...branch,
    attempts: attempts.get(branch.name) ?? [],
  }))
  const { base, version, updatedAt } = snapshot
  return { ...head(transaction, { base, version, updatedAt, store: by.store }), ...pick(described), branches }
}

function pick({ output, incomplete }: Description) {
  return { output, incomplete }
}

type Head = Pick<Transaction, 'id' | 'pattern' | 'status' | 'held' | 'reason' | 'deadlineAt' | 'createdAt' | 'endedAt'>

function head(transaction: Head, by: { base: StoredTransaction; version: number; updatedAt: number; store: string }) {
  const { id, pattern, status, held, reason, deadlineAt, createdAt, endedAt } = transaction
  return {
    id,
    store: by.store,
    pattern,
    status,
    held: held === null ? null : { ...held, since: iso(held.since) },
    reason,
    labels: by.base.labels,
    deadlineAt: deadlineAt === null ? null : iso(deadlineAt),
    createdAt: iso(createdAt),
    updatedAt: iso(by.updatedAt),
    endedAt: endedAt === null ? null : iso(endedAt),
    version: by.version,
  }
}

function attemptsByBranch(attempts: readonly AttemptRow[]): Map<string, AttemptBody[]> {
  const found = new Map<string, AttemptBody[]>()
  for (const { branch, operation, number, startedAt, durationMs, outcome, error } of attempts) {
    const body = {
      operation,
      number,
      startedAt: iso(startedAt),
      durationMs,
      outcome: outcome as AttemptBody['outcome'],
      error,
    }
    const list = found.get(branch)
    if (list === undefined) found.set(branch, [body])
    else list.push(body)
  }
  return found
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}

const dayMs = 86_400_000

/** ISO 8601 in UTC. Written out because the domain has no `Date`: time comes in as numbers, and only goes out as text. */
export function iso(at: number): string {
  const days = Math.floor(at / dayMs)
  const ms = at - days * dayMs
  const { year, month, day } = civil(days)
  const time = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1_000) % 60].map((part) =>
    pad(part, 2),
  )
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${time.join(':')}.${pad(ms % 1_000, 3)}Z`
}

/** Days since 1970 to the Gregorian calendar, after Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function civil(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}
