import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { barrierSql } from '../src/stores/migrations/barrier-sql.ts'
import type { Account } from './tcc-orders-oracle.ts'
import { openBranchSuite } from './tcc-orders-races.ts'
import type { SeatBench } from './tcc-orders-seats.ts'
import { tccOrdersSuite } from './tcc-orders-suite.ts'

const tables = `create table account (id text primary key, available integer, frozen integer, sold integer);
create table ledger (number integer primary key, account text not null, operation text not null);
create index ledger_account on ledger (account);`

function sqliteBench(): Promise<SeatBench> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-tcc-orders-'))
  const connect = (): DatabaseSync => {
    const database = new DatabaseSync(join(directory, 'seats.db'))
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
    return database
  }
  const [handle, other] = [connect(), connect()]
  handle.exec(barrierSql('sqlite') + tables)
  const read = {
    account: other.prepare('select available, frozen, sold from account where id = ?'),
    ledger: other.prepare('select operation from ledger where account = ? order by number'),
    rows: other.prepare('select count(*) as rows from lockstep_barrier where transaction_id = ?'),
  }
  return Promise.resolve({
    handle,
    other,
    lanes: 1,
    async open(accounts, available) {
      const insert = handle.prepare('insert into account values (?, ?, 0, 0)')
      handle.exec('BEGIN IMMEDIATE')
      for (const account of accounts) insert.run(account, available)
      handle.exec('COMMIT')
    },
    async move(tx, account, { operation, from, to, seats }) {
      const database = tx as DatabaseSync
      const moved = database
        .prepare(`update account set ${from} = ${from} - ?, ${to} = ${to} + ? where id = ? and ${from} >= ?`)
        .run(seats, seats, account, seats)
      if (Number(moved.changes) === 0) return false
      database.prepare('insert into ledger (account, operation) values (?, ?)').run(account, operation)
      return true
    },
    seen: async (account) => ({
      account: { ...read.account.get(account) } as unknown as Account,
      ledger: read.ledger.all(account).map((row) => String(row['operation'])),
    }),
    rows: async (account) => Number(read.rows.get(account)?.['rows']),
    async close() {
      handle.close()
      other.close()
      rmSync(directory, { recursive: true })
    },
  })
}

tccOrdersSuite('node:sqlite', sqliteBench)
openBranchSuite('node:sqlite', sqliteBench)
