import type { MemoryTransaction } from '../src/adapters/memory-database.ts'
import { memoryDatabase } from '../src/adapters/memory-database.ts'
import type { Account } from './tcc-orders-oracle.ts'
import type { SeatBench } from './tcc-orders-seats.ts'
import { tccOrdersSuite } from './tcc-orders-suite.ts'

const operations = ['action', 'try', 'confirm', 'cancel', 'check', 'compensate'] as const

function memoryBench(): Promise<SeatBench> {
  const handle = memoryDatabase()
  return Promise.resolve({
    handle,
    other: handle,
    lanes: 1,
    async open(accounts, available) {
      const tx = await handle.begin()
      for (const account of accounts) {
        tx.set('account', account, { available, frozen: 0, sold: 0 })
        tx.set('ledger', account, [])
      }
      tx.commit()
    },
    async move(tx, account, { operation, from, to, seats }) {
      const { get, set } = tx as MemoryTransaction
      const before = get('account', account) as Account
      if (before[from] < seats) return false
      set('account', account, { ...before, [from]: before[from] - seats, [to]: before[to] + seats })
      set('ledger', account, [...(get('ledger', account) as string[]), operation])
      return true
    },
    seen: async (account) => ({
      account: handle.read('account').get(account) as Account,
      ledger: handle.read('ledger').get(account) as string[],
    }),
    async rows(account) {
      const rows = handle.read('lockstep_barrier')
      const has = (branch: string, operation: string): boolean =>
        rows.has(['1f2e3d4c', account, branch, operation].join('/'))
      return operations.filter((operation) => has('seat', operation) || has('_local', operation)).length
    },
    close: async () => {},
  })
}

tccOrdersSuite('memory', memoryBench)
