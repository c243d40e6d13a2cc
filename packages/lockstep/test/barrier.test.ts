import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { MemoryTransaction } from '../src/adapters/memory-database.ts'
import { memoryBarrier, memoryDatabase } from '../src/adapters/memory-database.ts'
import { nodeSqliteBarrier } from '../src/adapters/node-sqlite.ts'
import { barrierSql } from '../src/stores/migrations/barrier-sql.ts'
import type { Bench } from './barrier-suite.ts'
import { barrierSuite, effectTable } from './barrier-suite.ts'

function memoryBench(): Promise<Bench> {
  const handle = memoryDatabase()
  const count = (transaction: string, table: string): string[] =>
    [...handle.read(table).entries()]
      .filter(([key]) => key.includes(`/${transaction}/`))
      .map(([, value]) => String(value))
  let sequence = 0
  return Promise.resolve({
    database: memoryBarrier(),
    handle,
    other: handle,
    async effect(tx, transaction, operation) {
      sequence += 1
      ;(tx as MemoryTransaction).set('effect', `x/${transaction}/${sequence}`, operation)
    },
    effects: async (transaction) => count(transaction, 'effect'),
    rows: async (transaction) => count(transaction, 'lockstep_barrier').length,
    close: async () => {},
  })
}

function sqliteBench(): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-barrier-'))
  const open = (): DatabaseSync => {
    const database = new DatabaseSync(join(directory, 'bank.db'))
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
    return database
  }
  const [handle, other] = [open(), open()]
  handle.exec(barrierSql('sqlite'))
  handle.exec(effectTable)
  return Promise.resolve({
    database: nodeSqliteBarrier(),
    handle,
    other,
    async effect(tx, transaction, operation) {
      ;(tx as DatabaseSync)
        .prepare('insert into effect (transaction_id, operation) values (?, ?)')
        .run(transaction, operation)
    },
    effects: async (transaction) =>
      other
        .prepare('select operation from effect where transaction_id = ? order by id')
        .all(transaction)
        .map((row) => String(row['operation'])),
    rows: async (transaction) =>
      other.prepare('select 1 from lockstep_barrier where transaction_id = ?').all(transaction).length,
    async close() {
      handle.close()
      other.close()
      rmSync(directory, { recursive: true })
    },
  })
}

barrierSuite('memory', memoryBench, { concurrent: false })
barrierSuite('node:sqlite', sqliteBench, { concurrent: true })
