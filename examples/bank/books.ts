/** The banks' books, read from their databases without asking any bank: the last word on what took effect. */
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'

export interface Books {
  readonly balances: ReadonlyMap<string, number>
  /** One entry per movement that took effect: `transaction/branch/operation`. */
  readonly movements: readonly { readonly transaction: string; readonly branch: string; readonly operation: string }[]
}

/** Reads the books from the database itself, without asking any bank. */
async function readBooks(url: string): Promise<Books> {
  const [accounts, movements] = url.startsWith('sqlite:')
    ? readSqlite(url.slice('sqlite:'.length))
    : await readPostgres(url)
  return {
    balances: new Map(accounts.map(({ id, balance }) => [String(id), Number(balance)])),
    movements: movements.map((row) => ({
      transaction: String(row['transaction_id']),
      branch: String(row['branch']),
      operation: String(row['operation']),
    })),
  }
}

const booksSql = ['select id, balance from account', 'select transaction_id, branch, operation from ledger'] as const

type Rows = Record<string, unknown>[]

function readSqlite(path: string): [Rows, Rows] {
  const database = new DatabaseSync(path)
  const [accounts, movements] = booksSql.map((sql) => database.prepare(sql).all() as Rows)
  database.close()
  return [accounts ?? [], movements ?? []]
}

async function readPostgres(url: string): Promise<[Rows, Rows]> {
  const client = new pg.Client(url)
  await client.connect()
  const accounts = await client.query(booksSql[0])
  const movements = await client.query(booksSql[1])
  await client.end()
  return [accounts.rows, movements.rows]
}

export interface Effects {
  /** All money in all accounts. */
  readonly total: number
  /** Per transaction: steps that stand, that is, whose action ran and was not compensated. */
  readonly standing: ReadonlyMap<string, number>
  /** Operations that took effect more than once. */
  readonly doubled: readonly string[]
}

export async function readEffects(databases: readonly string[]): Promise<Effects> {
  const standing = new Map<string, number>()
  const seen = new Set<string>()
  const doubled: string[] = []
  let total = 0
  for (const database of databases) {
    const { balances, movements } = await readBooks(database)
    for (const balance of balances.values()) total += balance
    for (const { transaction, branch, operation } of movements) {
      const key = `${transaction}/${branch}/${operation}`
      if (seen.has(key)) doubled.push(key)
      seen.add(key)
      standing.set(transaction, (standing.get(transaction) ?? 0) + (operation === 'action' ? 1 : -1))
    }
  }
  return { total, standing, doubled }
}
