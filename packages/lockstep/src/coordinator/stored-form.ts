import type {
  AttemptRow,
  Held,
  Json,
  OperatorColumns,
  Progress,
  RollbackReason,
  StoredTransaction,
  Transaction,
  Work,
} from '../ports/index.ts'

/**
 * A transaction as text and back. The store keeps `state` byte for byte and looks at nothing in it.
 */

interface StoredState {
  readonly state: unknown
  readonly attempts: readonly AttemptRow[]
  readonly alertedFor: number | null
  /** Attempts that were moved out to rows of their own. */
  readonly spilled: number
}

/** Attempts kept inside the transaction's row: a short story costs no further row. */
const attemptsInline = 20

export function initialState(state: unknown): string {
  const text: StoredState = { state, attempts: [], alertedFor: null, spilled: 0 }
  return JSON.stringify(text)
}

/** Both from one reading of the text: it is read for every begin and every claim. */
export function fromRow(row: StoredTransaction): { readonly transaction: Transaction; readonly spilled: number } {
  const stored = JSON.parse(row.state) as StoredState
  return { transaction: transactionOf(row, stored), spilled: stored.spilled }
}

export function toTransaction(row: StoredTransaction): Transaction {
  return transactionOf(row, JSON.parse(row.state) as StoredState)
}

function transactionOf(row: StoredTransaction, stored: StoredState): Transaction {
  return {
    id: row.id,
    pattern: row.pattern,
    status: row.status,
    held: row.held,
    reason: row.reason === null ? null : (JSON.parse(row.reason) as RollbackReason),
    createdAt: row.createdAt,
    deadlineAt: row.deadlineAt,
    ageFrom: row.ageFrom,
    endedAt: row.endedAt,
    nextAt: row.nextAt,
    alertedFor: stored.alertedFor,
    attempts: stored.attempts,
    needs: row.needs,
    definition: JSON.parse(row.definition) as Json,
    state: stored.state,
  }
}

export function spilledIn(row: StoredTransaction): number {
  return (JSON.parse(row.state) as StoredState).spilled
}

export interface Written {
  readonly progress: Progress
  /** Attempts that no longer fit inside. */
  readonly spill: readonly AttemptRow[]
  /** The transaction as it now stands in memory: without what was spilled. */
  readonly kept: Transaction
}

export interface Writing {
  readonly owner: string | null
  readonly now: number
  /** Spilled by earlier writes. */
  readonly spilled: number
}

export function toProgress(transaction: Transaction, { owner, now, spilled }: Writing): Written {
  const surplus = Math.max(0, transaction.attempts.length - attemptsInline)
  const attempts = surplus === 0 ? transaction.attempts : transaction.attempts.slice(surplus)
  const { state, alertedFor, status, reason, endedAt } = transaction
  const text: StoredState = { state, attempts, alertedFor, spilled: spilled + surplus }
  const progress: Progress = {
    status,
    state: JSON.stringify(text),
    reason: reason === null ? null : JSON.stringify(reason),
    updatedAt: now,
    endedAt,
    nextAt: endedAt === null ? dueAt(transaction, owner, now) : null,
    owner: endedAt !== null ? null : owner,
  }
  return {
    progress,
    spill: transaction.attempts.slice(0, surplus).map(storableAttempt),
    kept: { ...transaction, attempts },
  }
}

/** Only what has changed is written again: the inputs may be large. */
export function changedWork({ definition, needs }: Transaction, known: WorkKnown): { readonly work?: Partial<Work> } {
  const isGrown = definition !== known.definition
  if (!isGrown && needs === known.needs) return {}
  return { work: { needs, ...(isGrown ? { definition: JSON.stringify(definition) } : {}) } }
}

/** The work that a row has. A machine leaves alone what it does not change, so that being the same is enough. */
export type WorkKnown = Pick<Transaction, 'definition' | 'needs'>

/**
 * What has an owner is due at once if that owner dies. What is held is due as well, though no claim takes it: the resume may be in the
 * row already, set by another instance, and without a moment nobody would ever take it again.
 */
function dueAt({ held, nextAt }: Transaction, owner: string | null, now: number): number | null {
  if (owner !== null) return now
  return held === null ? nextAt : now
}

export function withOperatorColumns(transaction: Transaction, columns: OperatorColumns): Transaction {
  const { held, deadlineAt, ageFrom } = columns
  return { ...transaction, held, deadlineAt, ageFrom }
}

/** Words of participants may hold what no store keeps, or be cut inside a character. They must never keep a change from being stored. */
function storableText(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}

function storableAttempt(attempt: AttemptRow): AttemptRow {
  return attempt.error === null ? attempt : { ...attempt, error: storableText(attempt.error) }
}

export function storableHeld(held: Held): Held {
  return held.detail === null ? held : { ...held, detail: storableText(held.detail) }
}
