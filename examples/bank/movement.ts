import { type Branch, refuse } from 'lockstep'
import type { BankDatabase, Sql } from './bank-database.ts'

/** What changes on one account, together with what `frozen` and `incoming` change. */
export interface Movement {
  readonly account: string
  readonly balance?: number
  readonly frozen?: number
  readonly incoming?: number
  /** The transfer that it is for; the branch's own transaction unless given. */
  readonly transfer?: string
}

/** What every operation of a bank comes down to: one movement on one account, with its row in the ledger, or a refusal. */
export function move(database: BankDatabase, branch: Branch, movement: Movement): Promise<{ balance: number }> {
  const { account, balance = 0, frozen = 0, incoming = 0, transfer = branch.transaction } = movement
  return database.transact(branch, async (sql) => {
    const left = await change(sql, [balance, frozen, incoming, account])
    await sql('insert into ledger values ($1, $2, $3, $4, $5, $6, $7, $8)', [
      transfer,
      branch.transaction,
      branch.name,
      branch.operation,
      account,
      balance,
      frozen,
      incoming,
    ])
    return { balance: left }
  })
}

/** The database itself keeps balances from going below zero; its refusal is the bank's. */
async function change(sql: Sql, [balance, frozen, incoming, account]: [number, number, number, string]) {
  const update =
    'update account set balance = balance + $1, frozen = frozen + $2, incoming = incoming + $3 where id = $4 returning balance'
  const [row] = await sql(update, [balance, frozen, incoming, account]).catch((error: Error) => {
    if (error.message.includes('funds')) refuse({ code: 'insufficient-funds', account })
    throw error
  })
  if (row === undefined) refuse({ code: 'no-such-account', account })
  return Number(row['balance'])
}
