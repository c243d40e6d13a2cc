/** The last word: reads the banks' databases and asks whether the story they tell is the coordinator's. */
import type { TransactionListBody } from 'lockstep'
import { readEffects } from '../bank/books.ts'
import { accounts, type Installation, openingBalance } from './installation.ts'

export interface Check {
  readonly name: string
  readonly held: boolean
  readonly detail: string
}

export async function totalMoney({ banks }: Installation): Promise<number> {
  return (await readEffects(banks.map(({ database }) => database))).total
}

export async function audit(installation: Installation, expectedTransfers: number): Promise<Check[]> {
  const statuses = await allStatuses(installation.url)
  const { total, standing, doubled } = await readEffects(installation.banks.map(({ database }) => database))
  const expected = installation.banks.length * accounts.length * openingBalance
  const ended = [...statuses.values()].filter((status) => status === 'committed' || status === 'rolled-back').length
  const torn = [...statuses].filter(([id, status]) => !matches(standing.get(id), status))
  const strangers = [...standing.keys()].filter((id) => !statuses.has(id))
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
    { name: 'nothing took effect twice', held: doubled.length === 0, detail: listed(doubled, []) },
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

const stepsOfATransfer = 2

function matches(steps: number | undefined, status: string): boolean {
  return (steps ?? 0) === (status === 'committed' ? stepsOfATransfer : 0)
}
