import { LockstepError, messageOf } from '../../errors.ts'
import type { Entry, EntryResult } from '../../ports/index.ts'
import { type MarkColumns, markColumns, operatorFrom, type SqlRow, storedColumns, storedFrom } from '../sql-row.ts'
import { idOf, oneEntryPerId, unstorable } from '../unstorable.ts'
import { batchStatement } from './batch-statement.ts'
import { batchValues } from './batch-values.ts'
import type { Sessions } from './connections.ts'
import { isDataError } from './to-lockstep-error.ts'

type Query = Sessions['query']
type MarkedRow = SqlRow & MarkColumns

export interface Writer {
  readonly instance: string
  readonly number: number
  readonly repeat: boolean
}

export type PostgresJournal = (batch: readonly Entry[], writer: Writer) => Promise<readonly EntryResult[]>

/**
 * Commits batches. The usual batch is one statement: one round trip, one durable commit; entries whose compare failed
 * are read after it. A repeat settles them inside its own transaction instead: a lost COMMIT may still be on its way,
 * and only a statement that has waited for its locks can tell (law 7).
 */
export function postgresJournal(sessions: Sessions, prefix: string): PostgresJournal {
  const statements = statementsFor(prefix)
  return async (batch, writer) => {
    oneEntryPerId(batch)
    const results = new Map<string, EntryResult>()
    for (const entry of batch) {
      const problem = unstorable(entry)
      if (problem !== null) results.set(idOf(entry), { kind: 'invalid', message: problem })
    }
    // Sorted, so that two instances never wait for each other's rows in a circle.
    const entries = batch.filter((entry) => !results.has(idOf(entry))).sort(byId)
    for (const [id, result] of await commitAll(sessions, statements, entries, writer)) results.set(id, result)
    return batch.map((entry) => results.get(idOf(entry)) ?? { kind: 'stale', row: null })
  }
}

type Statements = ReturnType<typeof statementsFor>
type Results = Map<string, EntryResult>

function statementsFor(prefix: string) {
  const read = `select ${storedColumns}, ${markColumns} from ${prefix}lockstep_transactions where id = any($1::text[])`
  return { batch: batchStatement(prefix), read, lock: `${read} order by id for update` }
}

async function commitAll(
  sessions: Sessions,
  statements: Statements,
  entries: readonly Entry[],
  writer: Writer,
): Promise<Results> {
  if (entries.length === 0) return new Map()
  try {
    if (writer.repeat) return await sessions.transact((query) => apply(query, statements, entries, writer))
    return await apply(sessions.query, statements, entries, writer)
  } catch (error) {
    if (!isDataError(error)) throw error
    return sessions.transact((query) => applyOneByOne(query, statements, entries, writer))
  }
}

async function apply(
  query: Query,
  statements: Statements,
  entries: readonly Entry[],
  writer: Writer,
): Promise<Results> {
  const values = batchValues(entries, [writer.instance, writer.number])
  const rows = await query<SqlRow>(statements.batch, values, 'lockstep_batch')
  const results: Results = new Map(rows.map((row) => [row.id, appliedFrom(row)]))
  const missed = entries.filter((entry) => !results.has(idOf(entry)))
  if (missed.length === 0) return results
  const read = writer.repeat ? statements.lock : statements.read
  const found = await query<MarkedRow>(read, [missed.map(idOf)])
  const stored = new Map(found.map((row) => [row.id, row]))
  for (const entry of missed) results.set(idOf(entry), settleMiss(entry, stored.get(idOf(entry)), writer))
  return results
}

function settleMiss(entry: Entry, row: MarkedRow | undefined, writer: Writer): EntryResult {
  if (row === undefined) {
    if (entry.kind !== 'insert') return { kind: 'stale', row: null }
    // The id was there when the insert met it and has been forgotten since: a repeat will find room.
    throw new LockstepError('LOCKSTEP_STORE_UNAVAILABLE', {
      message: `Transaction ${entry.row.id} was forgotten while it was begun again.`,
    })
  }
  const [instance, number] =
    entry.kind === 'mark'
      ? [row.operator_mark_instance, row.operator_mark_number]
      : [row.owner_mark_instance, row.owner_mark_number]
  if (instance === writer.instance && number === writer.number) return appliedFrom(row)
  return entry.kind === 'insert' ? { kind: 'exists', row: storedFrom(row) } : { kind: 'stale', row: storedFrom(row) }
}

/** One entry's data cannot be stored: a savepoint around each finds it, and the others stand. */
async function applyOneByOne(
  query: Query,
  statements: Statements,
  entries: readonly Entry[],
  writer: Writer,
): Promise<Results> {
  const results: Results = new Map()
  for (const entry of entries) {
    await query('savepoint entry', [])
    try {
      for (const [id, result] of await apply(query, statements, [entry], writer)) results.set(id, result)
      await query('release savepoint entry', [])
    } catch (error) {
      if (!isDataError(error)) throw error
      await query('rollback to savepoint entry', [])
      results.set(idOf(entry), { kind: 'invalid', message: messageOf(error) })
    }
  }
  return results
}

function appliedFrom(row: SqlRow): EntryResult {
  return { kind: 'applied', row: { ...operatorFrom(row), epoch: row.epoch, version: row.version } }
}

function byId(left: Entry, right: Entry): number {
  return idOf(left) < idOf(right) ? -1 : 1
}
