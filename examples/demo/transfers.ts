/** The demo's customers: order transfers over HTTP, and repeat, under the same id, what got no answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionBody } from 'lockstep'
import { look, order } from '../bank/client.ts'
import type { Transfer, TransferPattern } from '../bank/transfer.ts'
import { accounts } from './installation.ts'

export interface Tally {
  begun: number
  committed: number
  /** Of the committed ones: messages that the other bank has refused, so that the first bank was told to pay back. */
  escalated: number
  rolledBack: number
  held: number
  /** Orders that had to be repeated because no answer came. */
  repeated: number
}

/** Every seventh is for an account that does not exist, every eleventh asks for more than there is: both must be refused. */
export function planTransfers(count: number, pattern: TransferPattern): Transfer[] {
  return Array.from({ length: count }, (_, number) => {
    const [fromBank, toBank] = number % 2 === 0 ? ['bank-a', 'bank-b'] : ['bank-b', 'bank-a']
    return {
      id: `transfer-${number}`,
      pattern,
      fromBank,
      from: accounts[number % accounts.length] ?? '',
      toBank,
      to: number % 7 === 3 ? 'nobody' : (accounts[(number * 3 + 1) % accounts.length] ?? ''),
      amount: number % 11 === 5 ? 1_000_000 : 1 + (number % 20),
    }
  })
}

export interface Addresses {
  readonly coordinator: string
  /** By name. */
  readonly banks: ReadonlyMap<string, string>
}

const waitMs = 10_000
const pauseMs = 200

export class Customers {
  readonly tally: Tally = { begun: 0, committed: 0, escalated: 0, rolledBack: 0, held: 0, repeated: 0 }
  readonly #addresses: Addresses

  constructor(addresses: Addresses) {
    this.#addresses = addresses
  }

  /** Orders all, `atOnce` at a time. Resolves when each is final or held, by the coordinator's own word. */
  async order(transfers: readonly Transfer[], atOnce: number): Promise<void> {
    const queue = transfers[Symbol.iterator]()
    const worker = async (): Promise<void> => {
      for (const transfer of queue) await this.#settle(transfer)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }

  async #settle(transfer: Transfer): Promise<void> {
    const { coordinator, banks } = this.#addresses
    const at = { coordinator, bank: banks.get(transfer.fromBank) ?? '' }
    this.tally.begun += 1
    // Without an answer it is unknown whether it has begun, so the same order is sent again.
    while ((await order(transfer, at, waitMs)) === null) {
      this.tally.repeated += 1
      await sleep(pauseMs)
    }
    for (;;) {
      const seen = await look(transfer.id, at, waitMs)
      if (seen !== null && this.#count(seen)) return
      if (seen === null) await sleep(pauseMs)
    }
  }

  #count({ status, held, incomplete }: TransactionBody): boolean {
    if (status === 'committed') {
      this.tally.committed += 1
      if (incomplete) this.tally.escalated += 1
    } else if (status === 'rolled-back') this.tally.rolledBack += 1
    else if (held !== null) this.tally.held += 1
    else return false
    return true
  }
}
