import { migrationSql } from 'lockstep/migrations'
import { postgresStore } from 'lockstep/postgres'
import pg from 'pg'
import type { RunningPostgres } from '../services/postgres.ts'
import type { StoreHarness } from './store-case.ts'

let schemas = 0

/** A collation that sorts `a` before `B`: a store that leaves the order of keys to the database fails there. */
const unfriendlyLocale = "template template0 locale_provider icu icu_locale 'en-US'"

/**
 * A schema of its own per store, in one database whose defaults are unfriendly: its collation, and sessions that start as
 * REPEATABLE READ.
 */
export async function postgresHarness(server: RunningPostgres): Promise<StoreHarness & { readonly url: string }> {
  // Before PostgreSQL 15, or built without ICU: then the server's own collation has to do.
  const url = await server.createDatabase(unfriendlyLocale).catch(() => server.createDatabase())
  const name = new URL(url).pathname.slice(1)
  await runSql(url, `alter database ${name} set default_transaction_isolation to 'repeatable read'`)
  return {
    name: 'postgres',
    url,
    async create() {
      schemas += 1
      const schema = `store_${process.pid}_${schemas}`
      await runSql(url, `create schema ${schema}; ${migrationSql('postgres', { schema })}`)
      const stores = [postgresStore({ url, schema })]
      const [store] = stores as [(typeof stores)[number]]
      await store.open()
      return {
        store,
        async another() {
          const other = postgresStore({ url, schema })
          stores.push(other)
          return other
        },
        async dispose() {
          await Promise.all(stores.map((opened) => opened.close()))
        },
      }
    },
  }
}

export async function runSql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    const result = await client.query(text)
    return result.rows ?? []
  } finally {
    await client.end()
  }
}
