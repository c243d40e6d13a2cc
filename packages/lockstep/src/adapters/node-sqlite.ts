import { LockstepError } from '../errors.ts'
import type { BarrierDatabase, BarrierKey, BarrierRow, BarrierRows, SqliteHandle } from '../ports/index.ts'
import { BarrierBusy } from '../ports/index.ts'
import type { BarrierTableOptions } from './barrier-table.ts'
import { barrierMissing, barrierRow, barrierTable } from './barrier-table.ts'
import { inTurn } from './handle-queue.ts'

/** What this adapter is tested with; named in the error for another handle. */
export const nodeSqliteSupport = { package: 'node:sqlite', handle: 'DatabaseSync', tested: 'Node 24' } as const

type Statement = ReturnType<SqliteHandle['prepare']>

interface Statements {
  readonly insert: Statement
  readonly find: Statement
  readonly complete: Statement
}

/**
 * The barrier on `DatabaseSync` of node:sqlite.
 *
 * `BEGIN IMMEDIATE` takes the write lock at once, so operations on one file never meet inside. A handle is one connection:
 * its transactions wait for each other here, and while one is open no other code may use the handle.
 */
export function nodeSqliteBarrier(options: BarrierTableOptions = {}): BarrierDatabase {
  const table = barrierTable(undefined)
  const now = options.now ?? Date.now
  const prepared = new WeakMap<SqliteHandle, Statements>()
  return {
    name: 'node:sqlite',
    accepts: `a ${nodeSqliteSupport.handle} of ${nodeSqliteSupport.package} (${nodeSqliteSupport.tested})`,
    recognises: isSqliteHandle,
    transact(handle, run, { lockWaitMs }) {
      const database = handle as SqliteHandle
      return inTurn(database, lockWaitMs, async () => {
        await begin(database, lockWaitMs)
        try {
          const result = await run(database, barrierRows(statementsOf(database, table, prepared), now))
          await whileBusy(lockWaitMs, () => database.exec('COMMIT'))
          return result
        } catch (error) {
          rollback(database)
          throw error
        }
      })
    },
  }
}

async function begin(database: SqliteHandle, lockWaitMs: number): Promise<void> {
  if (inTransaction(database)) throw insideTransaction()
  await whileBusy(lockWaitMs, () => database.exec('BEGIN IMMEDIATE'))
}

/**
 * Tries again while another connection holds the write lock. SQLite's own busy timeout would stop the event loop for as
 * long, and with it the holder, when that is this very process.
 */
async function whileBusy(waitMs: number, work: () => void): Promise<void> {
  let waitedMs = 0
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    try {
      work()
      return
    } catch (error) {
      if (!isBusy(error)) throw error
      if (waitedMs >= waitMs) throw new BarrierBusy('Another connection holds the SQLite write lock.', { cause: error })
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    waitedMs += pauseMs
  }
}

/** SQLite ends a transaction by itself after some errors (disk full, out of memory), and then has none to roll back. */
function rollback(database: SqliteHandle): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    if (inTransaction(database)) throw new LockstepError('LOCKSTEP_BUG', { message: 'SQLite did not roll back.' })
  }
}

function barrierRows(statements: Statements, now: () => number): BarrierRows {
  const values = (...parameters: unknown[]): never[] => parameters as never[]
  return {
    async insert(key, row) {
      const { by, inputHash, output } = row
      return Number(statements.insert.run(...values(...keyOf(key), by, inputHash, output, now())).changes) === 1
    },
    async find(key): Promise<BarrierRow | null> {
      return barrierRow(statements.find.get(...values(...keyOf(key))) as Record<string, unknown> | undefined)
    },
    async complete(key, output) {
      const { changes } = statements.complete.run(...values(output, ...keyOf(key)))
      if (Number(changes) !== 1) throw new LockstepError('LOCKSTEP_BUG', { message: 'The own barrier row is gone.' })
    },
  }
}

const keyCondition = 'store_id = ? AND transaction_id = ? AND branch = ? AND operation = ?'

function statementsOf(database: SqliteHandle, table: string, prepared: WeakMap<SqliteHandle, Statements>): Statements {
  const known = prepared.get(database)
  if (known !== undefined) return known
  try {
    const statements = {
      insert: database.prepare(
        `INSERT INTO ${table} (store_id, transaction_id, branch, operation, by_operation, input_hash, output, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (store_id, transaction_id, branch, operation) DO NOTHING`,
      ),
      find: database.prepare(`SELECT by_operation, input_hash, output FROM ${table} WHERE ${keyCondition}`),
      complete: database.prepare(`UPDATE ${table} SET output = ? WHERE ${keyCondition}`),
    }
    prepared.set(database, statements)
    return statements
  } catch (error) {
    if (/no such table|unknown database/.test(String(error))) throw barrierMissing(table, 'sqlite', error)
    throw error
  }
}

function keyOf(key: BarrierKey): string[] {
  return [key.store, key.transaction, key.branch, key.operation]
}

/** SQLITE_BUSY and SQLITE_LOCKED, with any of their extended codes. */
function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode
  return typeof code === 'number' && ((code & 0xff) === 5 || (code & 0xff) === 6)
}

function inTransaction(database: SqliteHandle): boolean {
  return (database as { isTransaction?: unknown }).isTransaction === true
}

function insideTransaction(): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: 'branch.transact was given a SQLite handle with an open transaction, whose end it would decide.',
    next: 'Give branch.transact a connection of its own, or do the work inside it.',
  })
}

function isSqliteHandle(handle: unknown): boolean {
  const candidate = handle as { exec?: unknown; prepare?: unknown; isTransaction?: unknown } | null
  if (typeof candidate !== 'object' || candidate === null) return false
  return typeof candidate.exec === 'function' && typeof candidate.prepare === 'function' && 'isTransaction' in candidate
}
