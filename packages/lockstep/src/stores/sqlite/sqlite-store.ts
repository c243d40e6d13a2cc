import { LockstepError } from '../../errors.ts'
import type { Entry, EntryResult, TransactionStore } from '../../ports/index.ts'
import { pageOf } from '../list-query.ts'
import { storedFrom } from '../sql-row.ts'
import { oneEntryPerId, unstorable } from '../unstorable.ts'
import { entryResult, entryRows } from './entry-rows.ts'
import { type WorkerClient, workerClient } from './worker-client.ts'

export interface SqliteStoreOptions {
  /** The file. It is made, with its schema, where it does not exist; its directory must. */
  readonly path: string
  /** For tests of a full disk: SQLite refuses to grow the file beyond so many pages. */
  readonly maxPageCount?: number
}

/**
 * Keeps transactions in one SQLite file, in a thread of its own so that commits do not stop the event loop.
 *
 * **Guarantees** what `commit` has answered survives `kill -9` and power loss (WAL, `synchronous=FULL`). One process
 *   owns the file for its life, so a restart finds everything free at once; an idle store writes nothing.
 * **Does not guarantee** anything on network file systems, whose locks and fsyncs SQLite cannot trust.
 * Fails with `LOCKSTEP_STORE_LOCKED` (a second process), `LOCKSTEP_SCHEMA_MISMATCH`, `LOCKSTEP_CONFIGURATION` (the file
 *   cannot be used), `LOCKSTEP_STORE_FAILED` (disk; for good).
 *
 * @example
 * const store = sqliteStore({ path: './lockstep.db' })
 */
export function sqliteStore(options: SqliteStoreOptions): TransactionStore {
  const { path, maxPageCount = null } = options
  refuseMemory(path)
  let client: WorkerClient | null = null
  const worker = (): WorkerClient => {
    client ??= workerClient(path)
    return client
  }
  return {
    name: `sqlite:${path}`,
    exclusive: true,
    open: () => worker().call('open', { path, maxPageCount }),
    commit: (batch, writer) => commit(worker(), batch, writer),
    read: async (ids) => (await worker().call('read', ids)).map(storedFrom),
    history: (id) => worker().call('history', id),
    list: async (filter) => pageOf(await worker().call('list', filter), filter.limit),
    async claim(request) {
      const rows = await worker().call('claim', request)
      return rows.map(({ row, takeover }) => ({ row: storedFrom(row), takeover }))
    },
    heartbeat: ({ owner }) => worker().call('heartbeat', owner),
    // Every other instance's work is free already: nothing to end.
    resign: async () => {},
    retire: (request) => worker().call('retire', request),
    async close() {
      const closing = client
      client = null
      await closing?.call('close', null)
    },
  }
}

async function commit(
  client: WorkerClient,
  batch: readonly Entry[],
  writer: { readonly instance: string; readonly number: number },
): Promise<readonly EntryResult[]> {
  oneEntryPerId(batch)
  const problems = batch.map(unstorable)
  const entries = batch.filter((_, index) => problems[index] === null)
  const { instance, number } = writer
  const answers = await client.call('commit', { entries: entries.map(entryRows), writer: { instance, number } })
  const results = entries.map((entry, index) =>
    entryResult(answers[index] ?? { kind: 'missed', row: null }, entry.kind),
  )
  return problems.map((problem) => (problem === null ? next(results) : { kind: 'invalid', message: problem }))
}

function next(results: EntryResult[]): EntryResult {
  return results.shift() ?? { kind: 'stale', row: null }
}

function refuseMemory(path: string): void {
  if (path !== '' && path !== ':memory:') return
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'An SQLite store needs a file: what is only in memory is lost with the process.',
    next: 'Give it a path such as ./lockstep.db, or use memoryStore in tests.',
  })
}
