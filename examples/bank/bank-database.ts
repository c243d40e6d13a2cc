/**
 * A bank's own database: accounts, a ledger with one row per movement, and the barrier table. SQLite or PostgreSQL; the
 * participants do not care which.
 */
import { DatabaseSync } from 'node:sqlite'
import type { Branch, Json } from 'lockstep'
import { barrierSql } from 'lockstep/migrations'
import pg from 'pg'

export interface Movement {
  readonly account: string
  readonly delta: number
}

/** What a movement did; null when the account does not exist. */
export type Moved = { readonly balance: number } | null

export interface BankDatabase {
  /** Runs `work` in one transaction together with the barrier row of this branch. */
  transact(branch: Branch, work: (move: (movement: Movement) => Promise<Moved>) => Promise<Json>): Promise<Json>
  close(): Promise<void>
}

const accountsSql = `
create table if not exists account (id text primary key, balance bigint not null check (balance >= 0));
create table if not exists ledger (transaction_id text not null, branch text not null, operation text not null, account text not null, delta bigint not null);
`

export async function openBank(url: string): Promise<BankDatabase> {
  return url.startsWith('sqlite:') ? openSqlite(url.slice('sqlite:'.length)) : openPostgres(url)
}

/** Creates the tables and opens the accounts, once. */
export async function prepareBank(url: string, accounts: readonly string[], balance: number): Promise<void> {
  const rows = accounts.map((id) => `('${id}', ${balance})`).join(', ')
  const opening = `insert into account values ${rows} on conflict do nothing;`
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
  const add = database.prepare('update account set balance = balance + ? where id = ? returning balance')
  const note = database.prepare('insert into ledger values (?, ?, ?, ?, ?)')
  return {
    transact: (branch, work) =>
      branch.transact(database, () =>
        work(async ({ account, delta }) => {
          const row = add.get(delta, account)
          if (row === undefined) return null
          note.run(branch.transaction, branch.name, branch.operation, account, delta)
          return { balance: Number(row['balance']) }
        }),
      ),
    close: async () => database.close(),
  }
}

function openPostgres(url: string): BankDatabase {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  pool.on('error', () => {})
  return {
    transact: (branch, work) =>
      branch.transact(pool, (tx) =>
        work(async ({ account, delta }) => {
          const { rows } = await tx.query('update account set balance = balance + $1 where id = $2 returning balance', [
            delta,
            account,
          ])
          if (rows[0] === undefined) return null
          const values = [branch.transaction, branch.name, branch.operation, account, delta]
          await tx.query('insert into ledger values ($1, $2, $3, $4, $5)', values)
          return { balance: Number(rows[0]['balance']) }
        }),
      ),
    close: () => pool.end(),
  }
}
