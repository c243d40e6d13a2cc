import type pg from 'pg'
import { LockstepError } from '../../errors.ts'
import type { TransactionStore } from '../../ports/index.ts'
import { schemaPrefix } from '../migrations/dialect.ts'
import { sessions } from './connections.ts'
import { openCheck } from './open-check.ts'
import { postgresClaim } from './postgres-claim.ts'
import { postgresJournal } from './postgres-journal.ts'
import { postgresLease } from './postgres-lease.ts'
import { postgresReads } from './postgres-reads.ts'
import { postgresRetire } from './postgres-retire.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/database`. */
  readonly url?: string
  /** Settings of the package pg, beside or instead of `url`, such as `ssl` or a `password` function. */
  readonly connection?: pg.PoolConfig
  /** The PostgreSQL schema that holds the tables; otherwise the search path decides. */
  readonly schema?: string
}

/**
 * Keeps transactions in PostgreSQL, shared by any number of instances.
 *
 * **Guarantees** what `commit` has answered survives as far as the server's `synchronous_commit` promises; all sessions
 *   run READ COMMITTED whatever the server's default; the lease is renewed on a connection of its own. Connections that
 *   break are replaced, so a restart of the server needs none of ours.
 * **Does not guarantee** anything behind a pooler in transaction mode: sessions keep settings and prepared statements.
 * Fails with `LOCKSTEP_STORE_UNAVAILABLE` (no answer; repeat), `LOCKSTEP_STORE_FAILED` (disk),
 *   `LOCKSTEP_SCHEMA_MISMATCH`, `LOCKSTEP_CONFIGURATION` (refused at open).
 *
 * @example
 * const store = postgresStore({ url: 'postgres://lockstep@db.internal/lockstep' })
 */
export function postgresStore(options: PostgresStoreOptions): TransactionStore {
  if (options.url === undefined && options.connection === undefined) {
    throw new LockstepError('LOCKSTEP_CONFIGURATION', {
      message: 'The PostgreSQL store needs a server.',
      next: 'Give it `url`, or `connection` with the settings of the package pg.',
    })
  }
  const where = placeOf(options)
  const prefix = schemaPrefix('postgres', options.schema)
  // A second journal connection lets a repeat go on while the first one still hangs on a lost answer.
  const journal = sessions(options, { max: 2, where, queryTimeoutMs: 15_000 })
  const work = sessions(options, { max: options.connection?.max ?? 4, where, queryTimeoutMs: 15_000 })
  const lease = sessions(options, { max: 1, where, queryTimeoutMs: 3_000, settings: leaseSettings })
  return {
    name: `postgres:${where}`,
    exclusive: false,
    open: () => openCheck(work, prefix, where),
    commit: postgresJournal(journal, prefix),
    ...postgresReads(work, prefix),
    claim: postgresClaim(work, prefix),
    ...postgresLease(lease, prefix),
    retire: postgresRetire(work, prefix),
    async close() {
      await Promise.all([journal.close(), work.close(), lease.close()])
    },
  }
}

/** A lease that a crash loses only lets others try; the epoch decides (law 5). So it need not wait for the disk. */
const leaseSettings = { synchronous_commit: 'off', statement_timeout: '2s', lock_timeout: '1s' }

function placeOf({ url, connection }: PostgresStoreOptions): string {
  if (url !== undefined && URL.canParse(url)) {
    const { host, pathname } = new URL(url)
    return `${host}${pathname}`
  }
  return `${connection?.host ?? 'localhost'}:${connection?.port ?? 5432}/${connection?.database ?? ''}`
}
