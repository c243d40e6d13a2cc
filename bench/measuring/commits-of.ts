import { type StoreKind, type Stores, sqlitePath } from '../setting/stores.ts'
import type { CommitCounter } from './commit-counter.ts'
import { postgresCommits } from './postgres-commits.ts'
import { sqliteCommits } from './sqlite-commits.ts'

/** The counter of a store, whoever uses it. */
export async function commitsOf(
  stores: Stores,
  store: { readonly kind: StoreKind; readonly url: string },
  nudge: () => Promise<unknown>,
): Promise<CommitCounter> {
  if (store.kind === 'postgres' && stores.postgres !== null) return postgresCommits(stores.postgres, store.url, nudge)
  const path = sqlitePath(store.url)
  // One process owns the file: its heartbeat reads, and a claim that finds nothing writes nothing.
  return { read: async () => sqliteCommits(path), atRest: () => 0 }
}
