import type { Entry, EntryResult, TransactionStore } from '../ports/index.ts'

/**
 * The known bug L7, kept to show that the simulator catches it: an unanswered COMMIT is settled by a read. The lost COMMIT may
 * land after the read.
 */
export async function settleByReading(
  store: TransactionStore,
  entries: readonly Entry[],
): Promise<readonly EntryResult[]> {
  const ids = entries.map((entry) => (entry.kind === 'insert' ? entry.row.id : entry.id))
  const rows = new Map((await store.read(ids).catch(() => [])).map((row) => [row.id, row]))
  return entries.map((entry, position): EntryResult => {
    const row = rows.get(ids[position] ?? '')
    if (row === undefined) return { kind: 'invalid', message: 'the read did not find it' }
    const written = entry.kind === 'insert' ? entry.row.state : 'progress' in entry ? entry.progress.state : row.state
    return row.state === written ? { kind: 'applied', row } : { kind: 'stale', row }
  })
}
