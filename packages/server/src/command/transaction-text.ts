import type { TransactionBody, TransactionListBody } from 'lockstep'
import { printable } from './output.ts'
import { ageOf, textTable } from './text-table.ts'

export function listText({ items, next }: TransactionListBody, nowMs: number): string {
  if (items.length === 0) return 'no transactions'
  const rows = items.map(({ id, pattern, status, held, createdAt, endedAt }) => [
    id,
    pattern,
    status,
    held?.reason ?? '',
    ageOf(createdAt, nowMs),
    endedAt ?? '',
  ])
  const table = textTable(['ID', 'PATTERN', 'STATUS', 'HELD', 'AGE', 'ENDED'], rows)
  return next === null ? table : `${table}\nmore: --cursor '${next}'`
}

/** A transaction in one line: what an action made of it. */
export function lineText({ id, status, held }: TransactionBody): string {
  return printable(held === null ? `${id}: ${status}` : `${id}: ${status}, held: ${held.reason}`)
}

export function transactionText(transaction: TransactionBody, nowMs: number): string {
  return [
    ...headLines(transaction, nowMs).map(printable),
    '',
    branchesText(transaction),
    ...attemptLines(transaction),
  ].join('\n')
}

/** The branches of a saga are steps; one may be called `_local`: the producer of a message, when its check-back was asked. */
function branchWord({ pattern }: TransactionBody): 'step' | 'branch' {
  return pattern === 'saga' ? 'step' : 'branch'
}

function headLines(transaction: TransactionBody, nowMs: number): string[] {
  const { id, pattern, status, held, reason, incomplete, createdAt, endedAt, deadlineAt, labels } = transaction
  const shown = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  const lastError = lastErrorOf(transaction)
  const word = branchWord(transaction)
  return [
    `${id}  ${pattern}  ${status}${incomplete ? `, incomplete: a ${word} was given up` : ''}`,
    `begun     ${createdAt}, ${ageOf(createdAt, nowMs)} ago`,
    ...(endedAt === null ? [] : [`ended     ${endedAt}`]),
    ...(deadlineAt === null ? [] : [`deadline  ${deadlineAt}`]),
    ...(held === null
      ? []
      : [`held      ${held.reason}, by ${held.by}, for ${ageOf(held.since, nowMs)}${detailOf(held.detail)}`]),
    ...(reason === null
      ? []
      : [`reason    ${reason.branch ?? `no ${word}`}: ${JSON.stringify(reason.body).slice(0, 300)}`]),
    ...(lastError === null || endedAt !== null ? [] : [`error     ${lastError}`]),
    ...(shown.length === 0 ? [] : [`labels    ${shown.join(', ')}`]),
  ]
}

function detailOf(detail: string | null): string {
  return detail === null ? '' : `: ${detail}`
}

function lastErrorOf({ branches }: TransactionBody): string | null {
  const failed = branches
    .flatMap(({ name, attempts }) => attempts.map((one) => ({ ...one, name })))
    .filter((one) => one.error !== null)
  const last = failed.sort((left, right) => left.startedAt.localeCompare(right.startedAt)).at(-1)
  return last === undefined ? null : `${last.name} ${last.operation}: ${last.error}`
}

function branchesText(transaction: TransactionBody): string {
  const { branches } = transaction
  if (branches.length === 0) return 'no branches'
  const rows = branches.map(({ name, state, attempts }) => [name, state, String(attempts.length)])
  return textTable([branchWord(transaction).toUpperCase(), 'STATE', 'ATTEMPTS'], rows)
}

function attemptLines(transaction: TransactionBody): string[] {
  const { branches } = transaction
  const rows = branches.flatMap(({ name, attempts }) =>
    attempts.map(({ operation, number, startedAt, durationMs, outcome, error }) => [
      name,
      operation,
      String(number),
      startedAt,
      String(durationMs),
      outcome,
      error ?? '',
    ]),
  )
  if (rows.length === 0) return []
  const head = [branchWord(transaction).toUpperCase(), 'OPERATION', 'ATTEMPT', 'STARTED', 'MS', 'OUTCOME', 'ERROR']
  return ['', textTable(head, rows)]
}
