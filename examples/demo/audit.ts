/** The last word: reads the banks' databases and asks whether the story they tell is the coordinator's. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Books, readBooks } from '../bank/books.ts'
import { isFinal, type Listed, listAll } from '../bank/client.ts'
import type { Transfer, TransferPattern } from '../bank/transfer.ts'
import { doubled, leftOver, moneyIn, torn } from '../bank/verdicts.ts'
import { accounts, type Installation, openingBalance } from './installation.ts'

export interface Check {
  readonly name: string
  readonly held: boolean
  readonly detail: string
}

export function booksOf({ banks }: Installation): Promise<Books[]> {
  return Promise.all(banks.map(readBooks))
}

export async function audit(installation: Installation, transfers: readonly Transfer[]): Promise<Check[]> {
  const seen = await allAtRest(installation.url)
  const ends = new Map(seen.map((one) => [one.id, one]))
  const books = await booksOf(installation)
  const money = moneyIn(books)
  const expected = installation.banks.length * accounts.length * openingBalance
  const ended = transfers.filter(({ id }) => isFinal(ends.get(id)?.status ?? '')).length
  return [
    { name: 'no money was lost or made', held: money === expected, detail: `${money} of ${expected}` },
    {
      name: 'every transfer has ended',
      held: ended === transfers.length,
      detail: `${ended} of ${transfers.length}`,
    },
    checkOf('each transfer is all or nothing', torn(new Map(transfers.map((one) => [one.id, one])), ends, books)),
    checkOf('nothing took effect twice', doubled(books)),
    ...checksOf[transfers[0]?.pattern ?? 'saga'](books, seen),
  ]
}

/** What else a pattern has promised. */
const checksOf: Record<TransferPattern, (books: readonly Books[], seen: readonly Listed[]) => Check[]> = {
  saga: () => [],
  tcc: (books) => [checkOf('nothing is left frozen or announced', leftOver(books))],
  message: (_, seen) => {
    const refused = seen.filter(({ incomplete }) => incomplete).length
    const told = seen.filter(({ labels, status }) => labels['escalation-of'] !== undefined && status === 'committed')
    const detail = `${told.length} of ${refused}`
    return [{ name: 'what the other bank refused is paid back', held: told.length === refused, detail }]
  },
}

function checkOf(name: string, broken: readonly string[]): Check {
  const detail = broken.length === 0 ? 'checked in the banks’ own databases' : broken.slice(0, 5).join('; ')
  return { name, held: broken.length === 0, detail }
}

const restWithinMs = 60_000

/** A transfer may have ended while what it has caused, an escalation, is still on its way. */
async function allAtRest(url: string): Promise<Listed[]> {
  for (const untilMs = Date.now() + restWithinMs; ; ) {
    const seen = await listAll(url)
    if (seen.every(({ status, held }) => isFinal(status) || held !== null) || Date.now() > untilMs) return seen
    await sleep(100)
  }
}
