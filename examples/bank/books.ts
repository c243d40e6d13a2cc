/** The banks' books, read from their databases without asking any bank: the last word on what took effect. */
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'

export interface Funds {
  readonly balance: number
  readonly frozen: number
  readonly incoming: number
}

/** One movement that took effect. */
export interface Entry extends Funds {
  readonly transfer: string
  readonly transaction: string
  readonly branch: string
  readonly operation: string
  readonly account: string
}

export interface Books {
  readonly bank: string
  readonly accounts: ReadonlyMap<string, Funds>
  readonly ledger: readonly Entry[]
}

export interface BankAddress {
  readonly name: string
  readonly database: string
}

/** Accounts and ledger as they stood at one moment. */
export async function readBooks({ name, database }: BankAddress): Promise<Books> {
  const [accounts, ledger] = database.startsWith('sqlite:')
    ? readSqlite(database.slice('sqlite:'.length))
    : await readPostgres(database)
  return {
    bank: name,
    accounts: new Map(accounts.map((row) => [String(row['id']), fundsIn(row)])),
    ledger: ledger.map((row) => ({
      transfer: String(row['transfer']),
      transaction: String(row['transaction_id']),
      branch: String(row['branch']),
      operation: String(row['operation']),
      account: String(row['account']),
      ...fundsIn(row),
    })),
  }
}

const queries = ['select * from account', 'select * from ledger'] as const

type Rows = Record<string, unknown>[]

function readSqlite(path: string): [Rows, Rows] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    database.exec('begin')
    const [accounts = [], ledger = []] = queries.map((sql) => database.prepare(sql).all() as Rows)
    return [accounts, ledger]
  } finally {
    database.close()
  }
}

async function readPostgres(url: string): Promise<[Rows, Rows]> {
  const client = new pg.Client(url)
  // The server may be killed while we read.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    const accounts = await client.query(queries[0])
    const ledger = await client.query(queries[1])
    return [accounts.rows, ledger.rows]
  } finally {
    await client.end()
  }
}

function fundsIn(row: Record<string, unknown>): Funds {
  return { balance: Number(row['balance']), frozen: Number(row['frozen']), incoming: Number(row['incoming']) }
}
