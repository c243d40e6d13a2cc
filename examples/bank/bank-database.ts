/** A bank's own database, SQLite or PostgreSQL: accounts, a ledger with one row per movement, and the barrier table. */
import { DatabaseSync } from 'node:sqlite'
import type { Branch } from 'lockstep'
import { barrierSql } from 'lockstep/migrations'
import pg from 'pg'

/** Runs one statement, with parameters `$1`, `$2`, … */
export type Sql = (
  text: string,
  parameters: readonly (string | number)[],
) => Promise<readonly Record<string, unknown>[]>

export interface BankDatabase {
  /** What Lockstep's barrier and its check-back work on. */
  readonly handle: DatabaseSync | pg.Pool
  /** Runs `work` in one transaction together with the barrier row of this branch. */
  transact<Result>(branch: Branch, work: (sql: Sql) => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

/** `frozen` has left the balance and not yet the bank; `incoming` is announced and not yet there. */
const accountsSql = `
create table if not exists account (id text primary key, balance bigint not null, frozen bigint not null default 0,
  incoming bigint not null default 0, constraint funds check (balance >= 0), constraint nothing_owed check (frozen >= 0 and incoming >= 0));
create table if not exists ledger (transfer text not null, transaction_id text not null, branch text not null, operation text not null,
  account text not null, balance bigint not null, frozen bigint not null, incoming bigint not null);
`

export async function openBank(url: string): Promise<BankDatabase> {
  return url.startsWith('sqlite:') ? openSqlite(url.slice('sqlite:'.length)) : openPostgres(url)
}

/** Creates the tables and opens the accounts, once. */
export async function prepareBank(url: string, accounts: readonly string[], balance: number): Promise<void> {
  const rows = accounts.map((id) => `('${id}', ${balance})`).join(', ')
  const opening = `insert into account (id, balance) values ${rows} on conflict do nothing;`
  if (url.startsWith('sqlite:')) {
    const database = new DatabaseSync(url.slice('sqlite:'.length))
    database.exec(`pragma journal_mode = wal; ${accountsSql}${barrierSql('sqlite')}${opening}`)
    database.close()
    return
  }
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`${accountsSql}${barrierSql('postgres')}${opening}`)
  await client.end()
}

function openSqlite(path: string): BankDatabase {
  const database = new DatabaseSync(path)
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 2000')
  const sql: Sql = async (text, parameters) => database.prepare(text.replaceAll('$', '?')).all(...parameters)
  return {
    handle: database,
    transact: (branch, work) => branch.transact(database, () => work(sql)),
    close: async () => database.close(),
  }
}

function openPostgres(url: string): BankDatabase {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  pool.on('error', () => {})
  return {
    handle: pool,
    transact: (branch, work) =>
      branch.transact(pool, (tx) => work(async (text, parameters) => (await tx.query(text, [...parameters])).rows)),
    close: () => pool.end(),
  }
}
