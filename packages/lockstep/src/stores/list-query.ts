import type { ListFilter, Page } from '../ports/index.ts'
import { cursorAfter, positionOf } from './page-cursor.ts'
import { listedColumns, type SqlRow, storedFrom } from './sql-row.ts'

export interface SqlQuery {
  readonly text: string
  readonly values: readonly (string | number)[]
}

/**
 * Input: a filter. Output: one row more than the page holds, newest first; the extra one says that there is a next.
 * Invariant: the cursor is a key, not an offset, so rows that come or go between pages shift nothing.
 */
export function listQuery(filter: ListFilter, prefix: string, placeholder: (position: number) => string): SqlQuery {
  const values: (string | number)[] = []
  const bind = (value: string | number): string => placeholder(values.push(value))
  const conditions = [...columnConditions(filter, bind), ...labelConditions(filter, prefix, bind)]
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
  const text = `select ${listedColumns} from ${prefix}lockstep_transactions t ${where}
order by created_at desc, id desc limit ${bind(filter.limit + 1)}`
  return { text, values }
}

export function pageOf(rows: readonly SqlRow[], limit: number): Page {
  const items = rows.slice(0, limit).map(storedFrom)
  const last = items.at(-1)
  return { items, next: last && rows.length > limit ? cursorAfter(last) : null }
}

type Bind = (value: string | number) => string

function columnConditions(filter: ListFilter, bind: Bind): string[] {
  const conditions: string[] = []
  if (filter.status !== undefined) conditions.push(`status = ${bind(filter.status)}`)
  if (filter.pattern !== undefined) conditions.push(`pattern = ${bind(filter.pattern)}`)
  if (filter.held !== undefined) conditions.push(`held_reason is ${filter.held ? 'not null' : 'null'}`)
  if (filter.since !== undefined) conditions.push(`created_at >= ${bind(filter.since)}`)
  if (filter.until !== undefined) conditions.push(`created_at < ${bind(filter.until)}`)
  if (filter.cursor !== undefined) {
    const after = positionOf(filter.cursor)
    conditions.push(`(created_at, id) < (${bind(after.createdAt)}, ${bind(after.id)})`)
  }
  return conditions
}

function labelConditions(filter: ListFilter, prefix: string, bind: Bind): string[] {
  return Object.entries(filter.labels ?? {}).map(
    ([name, value]) => `exists (select 1 from ${prefix}lockstep_labels l
where l.transaction_id = t.id and l.name = ${bind(name)} and l.value = ${bind(value)})`,
  )
}
