/** The only file of the server that names concrete stores. */
import { randomBytes } from 'node:crypto'
import type { TransactionStore } from 'lockstep'
import { memoryStore } from 'lockstep/memory'
import { storeTarget } from 'lockstep/migrations'
import { postgresStore } from 'lockstep/postgres'
import { sqliteStore } from 'lockstep/sqlite'

/** Keeps nothing past the process: for a first look and for tests. */
export const memoryUrl = 'memory:'

/** The store of a URL, not yet opened. Fails with `LOCKSTEP_CONFIGURATION` where the URL names none. */
export function openStore(url: string): TransactionStore {
  if (url === memoryUrl) {
    // Participants remember calls by the store's id, and this store begins anew with every process.
    const storeId = randomBytes(4).toString('hex')
    return memoryStore({ clock: { now: () => Date.now() }, exclusive: true, storeId })
  }
  const target = storeTarget(url)
  return target.dialect === 'sqlite' ? sqliteStore({ path: target.path }) : postgresStore({ url: target.url })
}
