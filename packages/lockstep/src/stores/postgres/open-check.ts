import { invariant } from '../../errors.ts'
import { migrationTable } from '../migrations/migrations.ts'
import { requireCurrentSchema, schemaState } from '../migrations/schema-state.ts'
import type { Sessions } from './connections.ts'
import { toOpenError } from './to-lockstep-error.ts'

export interface Opened {
  readonly id: string
  readonly now: number
  readonly warnings?: readonly string[]
}

interface ServerState {
  readonly id: string | null
  readonly now: number
  readonly synchronous_commit: string
  readonly fsync: string
}

/** Checks that the server can be used and has our schema. */
export async function openCheck(sessions: Sessions, prefix: string, where: string): Promise<Opened> {
  try {
    requireCurrentSchema(schemaState('postgres', await appliedSteps(sessions, prefix)), where)
    const [server] = await sessions.query<ServerState>(
      `select (select value from ${prefix}lockstep_meta where name = 'store_id') as id,
(extract(epoch from clock_timestamp()) * 1000)::bigint as now,
current_setting('synchronous_commit') as synchronous_commit, current_setting('fsync') as fsync`,
      [],
    )
    invariant(server !== undefined && server.id !== null, `The store ${where} has no id.`)
    const warnings = warningsOf(server)
    return { id: server.id, now: server.now, ...(warnings.length === 0 ? {} : { warnings }) }
  } catch (error) {
    throw toOpenError((error as { cause?: unknown }).cause ?? error, where)
  }
}

async function appliedSteps(sessions: Sessions, prefix: string): Promise<readonly string[]> {
  const [table] = await sessions.query<{ found: boolean }>('select to_regclass($1) is not null as found', [
    `${prefix}${migrationTable}`,
  ])
  if (table?.found !== true) return []
  const rows = await sessions.query<{ name: string }>(`select name from ${prefix}${migrationTable} order by name`, [])
  return rows.map((row) => row.name)
}

function warningsOf(server: ServerState): string[] {
  const warnings: string[] = []
  // remote_apply waits for more than `on` does; every other value answers before the commit is safe.
  if (!['on', 'remote_apply'].includes(server.synchronous_commit)) {
    warnings.push(
      `synchronous_commit is ${server.synchronous_commit}: PostgreSQL answers before a commit is durable, and a crash loses acknowledged transactions. Set it to on.`,
    )
  }
  if (server.fsync !== 'on') {
    warnings.push('fsync is off: a power loss can corrupt the store. Set it to on.')
  }
  return warnings
}
