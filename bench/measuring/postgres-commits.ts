/** Durable commits of a database by PostgreSQL's own count. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Server, withClient } from '../setting/stores.ts'
import type { CommitCounter } from './commit-counter.ts'

/** A session tells its counts with its first statement after a second, so that one must come before they are read. */
const reportedAfterMs = 1_100

/** Asked from another database, so that asking counts nothing. */
export async function postgresCommits(
  server: Server,
  databaseUrl: string,
  nudge: () => Promise<unknown>,
): Promise<CommitCounter> {
  const name = new URL(databaseUrl).pathname.slice(1)
  const ask = () =>
    withClient(server.url, async (client) => {
      const { rows } = await client.query('select xact_commit from pg_stat_database where datname = $1', [name])
      return Number(rows[0]?.xact_commit)
    })
  const read = async (told: () => Promise<unknown>): Promise<number> => {
    await pause(reportedAfterMs)
    await told()
    return ask()
  }
  const restMs = 3_000
  const before = await read(nudge)
  const startedMs = performance.now()
  await pause(restMs)
  const perMs = ((await ask()) - before) / (performance.now() - startedMs)
  return { read, atRest: (ms) => perMs * ms }
}
