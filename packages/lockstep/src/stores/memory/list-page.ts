import type { ListFilter, Page, StoredTransaction } from '../../ports/index.ts'
import { cursorAfter, positionOf } from '../page-cursor.ts'
import { compareText, copyRow, type MemoryState } from './memory-rows.ts'

export function listPage(state: MemoryState, filter: ListFilter): Page {
  const after = filter.cursor === undefined ? null : positionOf(filter.cursor)
  const matching = [...state.rows.values()]
    .map(({ row }) => row)
    .filter((row) => isWanted(row, filter) && (after === null || newestFirst(after, row) < 0))
    .sort(newestFirst)
  const items = matching.slice(0, filter.limit)
  const last = items.at(-1)
  return {
    items: items.map((row) => copyRow({ ...row, definition: '', state: '' })),
    next: last && matching.length > items.length ? cursorAfter(last) : null,
  }
}

function newestFirst(left: { createdAt: number; id: string }, right: { createdAt: number; id: string }): number {
  return right.createdAt - left.createdAt || compareText(right.id, left.id)
}

function isWanted(row: StoredTransaction, filter: ListFilter): boolean {
  if (filter.status !== undefined && row.status !== filter.status) return false
  if (filter.pattern !== undefined && row.pattern !== filter.pattern) return false
  if (filter.held !== undefined && (row.held !== null) !== filter.held) return false
  if (filter.since !== undefined && row.createdAt < filter.since) return false
  if (filter.until !== undefined && row.createdAt >= filter.until) return false
  return Object.entries(filter.labels ?? {}).every(([name, value]) => row.labels[name] === value)
}
