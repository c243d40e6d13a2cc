import type { StoredTransaction } from '../../ports/index.ts'
import { compareText, type MemoryState } from './memory-rows.ts'

export interface RetireRequest {
  readonly endedBefore: number
  readonly forgetBefore: number
  readonly limit: number
}

/** Thins ended rows, then forgets thin ones, oldest first. A row can pass both in one call. Audit rows stay. */
export function retireEnded(state: MemoryState, request: RetireRequest): { expired: number; forgotten: number } {
  const expiring = endedBefore(state, request.endedBefore, false).slice(0, request.limit)
  for (const row of expiring) {
    const stored = state.rows.get(row.id)
    if (stored) state.rows.set(row.id, { ...stored, row: thin(row) })
    state.attempts.delete(row.id)
  }
  const forgetting = endedBefore(state, request.forgetBefore, true).slice(0, request.limit)
  for (const row of forgetting) state.rows.delete(row.id)
  return { expired: expiring.length, forgotten: forgetting.length }
}

function endedBefore(state: MemoryState, before: number, expired: boolean): StoredTransaction[] {
  return [...state.rows.values()]
    .map(({ row }) => row)
    .filter((row) => row.endedAt !== null && row.endedAt < before && row.expired === expired)
    .sort((left, right) => (left.endedAt ?? 0) - (right.endedAt ?? 0) || compareText(left.id, right.id))
}

/** Id, hash and end status stay (law 2), and the columns that lists sort and filter by. */
function thin(row: StoredTransaction): StoredTransaction {
  const emptied = { definition: '', state: '', reason: null, needs: [], labels: {}, traceparent: null }
  return { ...row, ...emptied, owner: null, nextAt: null, held: null, deadlineAt: null, expired: true }
}
