/** The last word: reads the banks' databases and asks whether the story they tell is the coordinator's. */
import type { TransactionListBody } from 'lockstep'
import { readBooks } from '../bank/bank-database.ts'
import { accounts, type Installation, openingBalance } from './installation.ts'

export interface Check {
  readonly name: string
  readonly held: boolean
  readonly detail: string
}

export async function totalMoney(installation: Installation): Promise<number> {
  const books = await Promise.all(installation.banks.map(({ database }) => readBooks(database)))
  return books.flatMap(({ balances }) => [...balances.values()]).reduce((sum, balance) => sum + balance, 0)
}

export async function audit(installation: Installation, expectedTransfers: number): Promise<Check[]> {
  const statuses = await allStatuses(installation.url)
  const effects = await netEffects(installation)
  const total = await totalMoney(installation)
  const expected = installation.banks.length * accounts.length * openingBalance
  const ended = [...statuses.values()].filter((status) => status === 'committed' || status === 'rolled-back').length
  const torn = [...statuses].filter(([id, status]) => !matches(effects.net.get(id), status))
  const strangers = [...effects.net.keys()].filter((id) => !statuses.has(id))
  return [
    { name: 'no money was lost or made', held: total === expected, detail: `${total} of ${expected}` },
    { name: 'every transfer has ended', held: ended === expectedTransfers, detail: `${ended} of ${expectedTransfers}` },
    {
      name: 'each transfer is all or nothing',
      held: torn.length === 0 && strangers.length === 0,
      detail: listed(
        torn.map(([id]) => id),
        strangers,
      ),
    },
    { name: 'nothing took effect twice', held: effects.doubled.length === 0, detail: listed(effects.doubled, []) },
  ]
}

function listed(torn: readonly string[], strangers: readonly string[]): string {
  const all = [...torn, ...strangers]
  return all.length === 0 ? 'checked in the banks’ own databases' : all.slice(0, 5).join(', ')
}

async function allStatuses(url: string): Promise<Map<string, string>> {
  const statuses = new Map<string, string>()
  let cursor: string | null = ''
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const response = await fetch(`${url}/v1/transactions?limit=500${after}`)
    const page = (await response.json()) as TransactionListBody
    for (const { id, status } of page.items) statuses.set(id, status)
    cursor = page.next
  }
  return statuses
}

interface Effects {
  /** Per transfer: branches whose action stands, that is, ran and was not compensated. */
  readonly net: ReadonlyMap<string, number>
  readonly doubled: readonly string[]
}

async function netEffects(installation: Installation): Promise<Effects> {
  const net = new Map<string, number>()
  const seen = new Set<string>()
  const doubled: string[] = []
  for (const { database } of installation.banks) {
    for (const { transaction, branch, operation } of (await readBooks(database)).movements) {
      const key = `${transaction}/${branch}/${operation}`
      if (seen.has(key)) doubled.push(key)
      seen.add(key)
      net.set(transaction, (net.get(transaction) ?? 0) + (operation === 'action' ? 1 : -1))
    }
  }
  return { net, doubled }
}

const stepsOfATransfer = 2

function matches(standing: number | undefined, status: string): boolean {
  return (standing ?? 0) === (status === 'committed' ? stepsOfATransfer : 0)
}
