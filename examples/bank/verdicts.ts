/** What must be true of the banks' books: at every moment, and once every transfer has ended. The same for each pattern. */
import type { Books, Entry, Funds } from './books.ts'
import type { Transfer } from './transfer.ts'

/** How a transfer has ended, by the coordinator's word. */
export interface End {
  readonly status: string
  /** For a message: the receiver has said no, and the sender was told. */
  readonly incomplete: boolean
}

/** All money in both banks: nobody's is lost while it is frozen. */
export function moneyIn(books: readonly Books[]): number {
  return sum(books.flatMap(({ accounts }) => [...accounts.values()].map(({ balance, frozen }) => balance + frozen)))
}

export function frozenIn(books: readonly Books[]): number {
  return sum(books.flatMap(({ accounts }) => [...accounts.values()].map(({ frozen }) => frozen)))
}

/** At every moment: each account is what its ledger makes of it, nothing is confirmed and cancelled, and freezing costs nothing. */
export function brokenNow({ bank, accounts, ledger }: Books, openingBalance: number): string[] {
  const broken: string[] = []
  const booked = fundsBy(ledger, ({ account }) => account)
  for (const [account, funds] of accounts) {
    const { balance, frozen, incoming } = booked.get(account) ?? nothing
    if (!same(funds, { balance: openingBalance + balance, frozen, incoming }))
      broken.push(`${bank}: ${account} has ${shown(funds)}, and its ledger says otherwise`)
  }
  for (const { transfer, operation, balance, frozen } of ledger)
    if ((operation === 'try' || operation === 'cancel') && balance + frozen !== 0)
      broken.push(
        `${bank}: the ${operation} of ${transfer} has changed balance and frozen together by ${balance + frozen}`,
      )
  return broken
}

/** At the end: what is still reserved for nobody. */
export function leftOver(books: readonly Books[]): string[] {
  return books.flatMap(({ bank, accounts }) =>
    [...accounts]
      .filter(([, { frozen, incoming }]) => frozen !== 0 || incoming !== 0)
      .map(([account, funds]) => `${bank}: ${account} still has ${shown(funds)}`),
  )
}

/** Operations that took effect more than once. */
export function doubled(books: readonly Books[]): string[] {
  const seen = new Set<string>()
  return books.flatMap(({ bank, ledger }) =>
    ledger.flatMap(({ transaction, branch, operation }) => {
      const key = `${bank}: ${transaction}/${branch}/${operation}`
      if (seen.has(key)) return [`${key} took effect twice`]
      seen.add(key)
      return []
    }),
  )
}

/** Transfers of which neither all nor nothing stands, or not what the coordinator says; and effects that nobody has asked for. */
export function torn(
  transfers: ReadonlyMap<string, Transfer>,
  ends: ReadonlyMap<string, End>,
  books: readonly Books[],
): string[] {
  const effects = effectsOf(books)
  const strangers = [...effects.keys()].filter((id) => !transfers.has(id))
  return [
    ...[...transfers.values()].flatMap((transfer) => {
      const wrong = wrongWith(transfer, ends.get(transfer.id), effects.get(transfer.id) ?? [])
      return wrong === null ? [] : [`${transfer.id} ${wrong}`]
    }),
    ...strangers.map((id) => `${id} took effect, and nobody has ordered it`),
  ]
}

type Effect = Entry & { readonly bank: string }

function effectsOf(books: readonly Books[]): Map<string, Effect[]> {
  const all = books.flatMap(({ bank, ledger }) => ledger.map((entry) => ({ ...entry, bank })))
  return Map.groupBy(all, ({ transfer }) => transfer)
}

function wrongWith(transfer: Transfer, end: End | undefined, effects: readonly Effect[]): string | null {
  const status = end?.status ?? 'unknown'
  const isMade = status === 'committed' && end?.incomplete === false
  const moved = fundsBy(effects, ({ bank, account }) => `${bank} ${account}`)
  const due = isMade ? movedBy(transfer) : new Map<string, Funds>()
  const accounts = new Set([...moved.keys(), ...due.keys()])
  for (const account of accounts)
    if (!same(moved.get(account) ?? nothing, due.get(account) ?? nothing))
      return `is ${status}, and ${account} has moved by ${shown(moved.get(account) ?? nothing)}`
  return wrongWithOperations(
    transfer,
    status,
    effects.map(({ operation }) => operation),
  )
}

/** What the sums do not show: effects that were taken back, and should never have been there. */
function wrongWithOperations({ pattern }: Transfer, status: string, operations: readonly string[]): string | null {
  if (pattern === 'tcc' && operations.includes('confirm') && operations.includes('cancel'))
    return 'is confirmed in one place and cancelled in another'
  if (pattern !== 'message') return null
  const expected = status === 'committed' ? ['action', 'deliver'] : []
  return operations.toSorted().join() === expected.join() ? null : `is ${status}, and has done ${operations.join(', ')}`
}

function movedBy({ fromBank, from, toBank, to, amount }: Transfer): Map<string, Funds> {
  return new Map([
    [`${fromBank} ${from}`, { ...nothing, balance: -amount }],
    [`${toBank} ${to}`, { ...nothing, balance: amount }],
  ])
}

const nothing: Funds = { balance: 0, frozen: 0, incoming: 0 }

function fundsBy<Each extends Entry>(entries: readonly Each[], key: (entry: Each) => string): Map<string, Funds> {
  const totals = new Map<string, Funds>()
  for (const entry of entries) {
    const { balance, frozen, incoming } = totals.get(key(entry)) ?? nothing
    totals.set(key(entry), {
      balance: balance + entry.balance,
      frozen: frozen + entry.frozen,
      incoming: incoming + entry.incoming,
    })
  }
  return totals
}

function same(one: Funds, other: Funds): boolean {
  return one.balance === other.balance && one.frozen === other.frozen && one.incoming === other.incoming
}

function shown({ balance, frozen, incoming }: Funds): string {
  return `balance ${balance}, frozen ${frozen}, incoming ${incoming}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
