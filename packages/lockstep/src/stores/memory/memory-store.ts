import type { Clock, History, StoredTransaction, TransactionStore } from '../../ports/index.ts'
import { oneEntryPerId } from '../unstorable.ts'
import { applyEntry } from './apply-entry.ts'
import { claimDue } from './claim-due.ts'
import { listPage } from './list-page.ts'
import { compareText, copyRow, emptyState, type MemoryState, operatorColumnsOf } from './memory-rows.ts'
import { retireEnded } from './retire-ended.ts'

export interface MemoryStoreOptions {
  readonly clock: Pick<Clock, 'now'>
  /** True when a single instance uses the store: whatever another one owns is then free at once. */
  readonly exclusive?: boolean
  /** 8 hex digits; fixed, so that two runs of a simulation are equal. */
  readonly storeId?: string
}

/**
 * Keeps transactions in this object's memory, for tests and simulations. It is the model that the durable stores are
 * compared with.
 *
 * **Guarantees** each call is one atomic step; several coordinators may share one store object; nothing that was
 *   handed in or out is shared with what is stored. Closing it keeps what it holds: it outlives a coordinator.
 * **Does not guarantee** anything beyond the life of the process.
 *
 * @example
 * const store = memoryStore({ clock: { now: () => Date.now() } })
 */
export function memoryStore(options: MemoryStoreOptions): TransactionStore {
  const { clock, exclusive = false, storeId = '00000000' } = options
  const state = emptyState()
  return {
    name: 'memory',
    exclusive,
    open: async () => ({ id: storeId, now: clock.now() }),
    async commit(batch, writer) {
      oneEntryPerId(batch)
      const mark = { instance: writer.instance, number: writer.number }
      return batch.map((entry) => applyEntry(state, entry, mark))
    },
    read: async (ids) => readRows(state, ids),
    history: async (id) => historyOf(state, id),
    list: async (filter) => listPage(state, filter),
    claim: async (request) => claimDue(state, request, clock.now(), exclusive),
    async heartbeat({ owner, leaseMs, services }) {
      const now = clock.now()
      if (!exclusive) state.instances.set(owner, { leaseUntil: now + leaseMs, services: [...services] })
      return { now, held: heldOf(state, owner) }
    },
    async resign(owner) {
      state.instances.delete(owner)
    },
    retire: async (request) => retireEnded(state, request),
    close: async () => {},
  }
}

function readRows(state: MemoryState, ids: readonly string[]): StoredTransaction[] {
  return [...new Set(ids)].flatMap((id) => {
    const stored = state.rows.get(id)
    return stored ? [copyRow(stored.row)] : []
  })
}

function heldOf(state: MemoryState, owner: string) {
  return [...state.rows.values()]
    .filter(({ row }) => row.owner === owner && row.held !== null)
    .map(({ row }) => ({ id: row.id, version: row.version, operator: operatorColumnsOf(row) }))
    .sort((left, right) => compareText(left.id, right.id))
}

/** Attempts by start, audit rows in the order they were written. */
function historyOf(state: MemoryState, id: string): History {
  const attempts = [...(state.attempts.get(id) ?? [])].sort(
    (left, right) =>
      left.startedAt - right.startedAt ||
      compareText(left.branch, right.branch) ||
      compareText(left.operation, right.operation) ||
      left.number - right.number,
  )
  return {
    attempts: attempts.map((row) => ({ ...row })),
    audit: (state.audit.get(id) ?? []).map((row) => ({ ...row })),
  }
}
