import type { Operation } from 'lockstep/ports'
import type { Judged } from '../effect-log.ts'
import type { SharedDatabase } from '../shared-database.ts'
import type { Watcher } from '../watcher.ts'
import { accounts, type Column, changeOf, openingBalance } from './accounts.ts'

interface Moved {
  readonly direction: 'out' | 'in'
  readonly account: string
  readonly amount: number
}

const excludedBy: Readonly<Partial<Record<Operation, Operation>>> = {
  try: 'cancel',
  confirm: 'cancel',
  cancel: 'confirm',
}

const columns: readonly Column[] = ['available', 'frozen', 'incoming']

/**
 * Reads the whole of a bank after each of its commits, as any reader could: every column is what the effects so far make it, so
 * available and frozen together are conserved at every read. Judges each effect by what is durable at that moment.
 */
export class AccountWatch {
  readonly #expected = new Map<string, number>()
  readonly #watcher: Watcher
  readonly #store: string

  constructor(watcher: Watcher, store: string) {
    this.#watcher = watcher
    this.#store = store
  }

  effect({ transaction, branch, operation, what, database }: Judged): void {
    const moved = what as unknown as Moved
    for (const [column, sign] of Object.entries(changeOf(moved.direction, operation)))
      this.#add(database, `${column}/${moved.account}`, sign * moved.amount)
    const name = `${operation} of ${transaction}/${branch}`
    const key = { store: this.#store, transaction, branch }
    const excluding = excludedBy[operation]
    if (excluding !== undefined && database.writerOf({ ...key, operation: excluding }) === excluding)
      this.#watcher.violate(`law 3: ${name} took effect, although ${excluding} came before it`)
    if (operation !== 'try' && database.writerOf({ ...key, operation: 'try' }) !== 'try')
      this.#watcher.violate(`law 3: ${name} took effect, and no try ever did`)
    const status = this.#watcher.seen.get(transaction)?.status
    const fits = { confirm: ['committing', 'committed'], cancel: ['rolling-back', 'rolled-back'] }[operation as string]
    if (fits !== undefined && !fits.includes(String(status)))
      this.#watcher.violate(`law 1: ${name} took effect while it is durably ${status}`)
  }

  #add(database: SharedDatabase, column: string, delta: number): void {
    const key = `${database.name}/${column}`
    this.#expected.set(key, (this.#expected.get(key) ?? 0) + delta)
  }

  /** What every read of this bank shows. */
  read(database: SharedDatabase): void {
    for (const account of accounts) {
      for (const column of columns) {
        const value = Number(database.read(column).get(account))
        const opened = column === 'available' ? openingBalance : 0
        const expected = opened + (this.#expected.get(`${database.name}/${column}/${account}`) ?? 0)
        if (value !== expected || value < 0)
          this.#watcher.violate(
            `money: ${database.name} ${account} has ${value} ${column}, its effects make ${expected}`,
          )
      }
    }
  }
}
