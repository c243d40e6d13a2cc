/**
 * What is forgotten of a transaction after every event, so that there are finitely many: how often an operation was tried (`count`,
 * `failures`, `spent`), the numbers of attempts and the attempts themselves, the reason of a rollback, the moments of what has happened. In
 * this scope no rule of a machine reads them: there is no retry limit, and nothing comes to an age. The one thing a number of an attempt is
 * for, to tell a late answer from the one that is waited for, the model does itself: a call that was given up has no answer any more.
 *
 * A wait that still lasts becomes `notYet`, whatever its length: it ends when the search says so.
 */
import type { Transaction } from 'lockstep/ports'

export const notYet = 1_000_000
const whenever = 0

/** Something that only time can end: the back-off of an operation, or the quiet before the reversal of a plain step. */
export interface Wait {
  readonly kind: 'back-off' | 'quiet'
  /** Which branch of the transaction, where it is one of several. */
  readonly position: number | null
}

type Path = readonly (string | number)[]

const countedAs: Readonly<Record<string, number | null>> = {
  count: 0,
  failures: 0,
  spent: 0,
  countedFrom: 0,
  pendingFrom: null,
  number: 1,
}

export function forget(transaction: Transaction): Transaction {
  const endedAt = transaction.endedAt === null ? null : whenever
  const told = { ...transaction, attempts: [], reason: null, alertedFor: null, nextAt: null, endedAt }
  return rewritten(told, [], (value, path) => {
    const key = String(path.at(-1))
    if (path[0] !== 'state') return path[0] === 'held' && key === 'since' ? whenever : value
    if (Object.hasOwn(countedAs, key)) return countedAs[key]
    // No delivery has a delay here, so it is due from the decision on.
    if (key === 'dueAt' && value !== null) return whenever
    const isWait = (key === 'retryAt' || key === 'quietUntil') && value !== null
    return isWait ? notYet : value
  }) as Transaction
}

export function waitsIn(transaction: Transaction): Wait[] {
  const found: Wait[] = []
  rewritten(transaction, [], (value, path) => {
    if (value === notYet) found.push(waitAt(path))
    return value
  })
  return found
}

/** One of the waits is over, or all back-offs are. */
export function withoutWait(transaction: Transaction, which: number | 'back-offs'): Transaction {
  let seen = 0
  return rewritten(transaction, [], (value, path) => {
    if (value !== notYet) return value
    const isMeant = which === 'back-offs' ? waitAt(path).kind === 'back-off' : which === seen
    seen += 1
    return isMeant ? null : value
  }) as Transaction
}

function waitAt(path: Path): Wait {
  const position = path.find((part) => typeof part === 'number') ?? null
  return { kind: path.at(-1) === 'quietUntil' ? 'quiet' : 'back-off', position }
}

/** The same tree with every leaf replaced. */
function rewritten(value: unknown, path: Path, leaf: (value: unknown, path: Path) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item, index) => rewritten(item, [...path, index], leaf))
  if (typeof value !== 'object' || value === null) return leaf(value, path)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rewritten(item, [...path, key], leaf)]))
}
