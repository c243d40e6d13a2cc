import { mutant } from '#mutant'
import { LockstepError } from '../errors.ts'
import type { PgClientHandle, SqliteHandle } from '../ports/index.ts'
import { checkResource, type Fence, staleToken, tokenOf } from './fence.ts'

export interface SqlFenceOptions {
  /** What is fenced; the locked name unless given. */
  readonly resource?: string
  /** The schema that holds `lockstep_fence`; what the connection's search path finds unless given. */
  readonly schema?: string
}

/** For the migrations of the database that holds the resource; `lockstep migrate fence` prints it. */
export function fenceTableSql(schema?: string): string {
  return `create table if not exists ${tableName(schema)} (resource text primary key, token bigint not null)`
}

/**
 * Claims the resource for this token, inside the caller's own transaction and before it reads anything: an older holder can then no more
 * write between our read and our write, and a newer one makes this fail.
 *
 * **Guarantees** that of all transactions that have claimed the resource and committed, none has an older token than one before it. The
 * claim holds a row lock until the transaction ends.
 * Fails with `LOCKSTEP_STALE_TOKEN`: roll back. `LOCKSTEP_CONFIGURATION` when there is no table.
 *
 * @example
 * await client.query('begin')
 * await claimFence(client, lease)
 * const { rows } = await client.query('select stock from items where sku = $1', [sku])
 */
export async function claimFence(tx: PgClientHandle, fence: Fence, options: SqlFenceOptions = {}): Promise<void> {
  const resource = checkResource(options.resource ?? fence.name)
  const token = tokenOf(fence)
  if (mutant('C1-no-claim')) return
  const { rows } = await tx
    .query(claimSql(tableName(options.schema), ['$1', '$2']), [resource, String(token)])
    .catch(noTable)
  if (rows.length === 0) throw staleToken(resource, token)
}

/** As `claimFence`, on a `DatabaseSync` of node:sqlite, inside the caller's own transaction. */
export function claimFenceSync(db: SqliteHandle, fence: Fence, options: Pick<SqlFenceOptions, 'resource'> = {}): void {
  const resource = checkResource(options.resource ?? fence.name)
  const token = tokenOf(fence)
  const statement = prepareClaim(db)
  if (statement.get(resource as never, token as never) === undefined) throw staleToken(resource, token)
}

function prepareClaim(db: SqliteHandle): ReturnType<SqliteHandle['prepare']> {
  try {
    return db.prepare(claimSql(tableName(undefined), ['?', '?']))
  } catch (error) {
    return noTable(error)
  }
}

/**
 * For a table that carries its own fence: `UPDATE items SET …, fence = $t WHERE sku = $1 AND fence <= $t`. Throws
 * `LOCKSTEP_STALE_TOKEN` when no row was changed, so the row must exist.
 */
export function requireFenced(changed: { readonly rowCount: number | null }, fence: Fence): void {
  const token = tokenOf(fence)
  if (!((changed.rowCount ?? 0) > 0)) throw staleToken(fence.name, token)
}

function claimSql(table: string, [resource, token]: readonly [string, string]): string {
  return `insert into ${table} as claimed (resource, token) values (${resource}, ${token})
on conflict (resource) do update set token = excluded.token where claimed.token <= excluded.token returning 1 as claimed`
}

function tableName(schema: string | undefined): string {
  if (schema === undefined) return 'lockstep_fence'
  if (/^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(schema)) return `"${schema}".lockstep_fence`
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `The schema of the fence table must be letters, digits, "_" and "$", at most 63, but is ${JSON.stringify(schema)}.`,
  })
}

function noTable(error: unknown): never {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code !== '42P01' && !String(message).includes('no such table')) throw error
  throw new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'The database of the fenced resource has no table lockstep_fence.',
    next: 'Create it with the SQL that `lockstep migrate fence` prints.',
    cause: error,
  })
}
