/**
 * The same rows without Lockstep: so many transactions at once, each of their writes one durable commit for all of them, by prepared
 * statements, nothing compared and nothing answered. What the store alone would allow at this many in flight.
 */
import { randomUUID } from 'node:crypto'
import { rawPostgres } from '../journal/raw-postgres.ts'
import { type RawStore, rawSqlite } from '../journal/raw-sqlite.ts'
import { type StoreKind, type Stores, sqlitePath } from '../setting/stores.ts'
import type { RecordedEntries } from './recorded-entries.ts'

export interface RawTransactions {
  /** Transactions per second. */
  measure(inFlight: number, seconds: number): Promise<number>
  close(): Promise<void> | void
}

export async function rawTransactions(
  stores: Stores,
  kind: StoreKind,
  entries: RecordedEntries,
): Promise<RawTransactions> {
  const url = await stores.create(kind)
  const store = kind === 'sqlite' ? rawSqlite(sqlitePath(url)) : await rawPostgres(url)
  return {
    measure: (inFlight, seconds) => measure(store, entries, { inFlight, seconds }),
    close: () => store.close(),
  }
}

async function measure(
  store: RawStore,
  { insert, advances }: RecordedEntries,
  { inFlight, seconds }: { readonly inFlight: number; readonly seconds: number },
): Promise<number> {
  const startedMs = performance.now()
  let ended = 0
  while (performance.now() - startedMs < seconds * 1_000) {
    const ids = Array.from({ length: inFlight }, () => randomUUID())
    await store.insert(ids.map((id) => ({ ...insert, row: { ...insert.row, id } })))
    for (const advance of advances) await store.advance(ids.map((id) => ({ ...advance, id })))
    ended += inFlight
  }
  return (ended / (performance.now() - startedMs)) * 1_000
}
