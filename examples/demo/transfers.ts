/** The demo's initiator: begins transfers over HTTP and repeats, under the same id, what got no answer. */
import type { TransactionBody } from 'lockstep'
import { accounts } from './installation.ts'

export interface Transfer {
  readonly id: string
  readonly body: object
}

export interface Tally {
  begun: number
  committed: number
  rolledBack: number
  held: number
  /** Begins that had to be repeated because no answer came. */
  repeated: number
}

/** Every seventh asks for an account that does not exist, every eleventh for more than there is: both must be refused. */
export function planTransfers(count: number): Transfer[] {
  return Array.from({ length: count }, (_, number) => {
    const [from, to] = number % 2 === 0 ? ['bank-a', 'bank-b'] : ['bank-b', 'bank-a']
    const source = accounts[number % accounts.length]
    const target = number % 7 === 3 ? 'nobody' : accounts[(number * 3 + 1) % accounts.length]
    const amount = number % 11 === 5 ? 1_000_000 : 1 + (number % 20)
    const steps = [
      { name: 'debit', participant: `${from}.debit`, input: { account: source, amount } },
      { name: 'credit', participant: `${to}.credit`, input: { account: target, amount } },
    ]
    return { id: `transfer-${number}`, body: { id: `transfer-${number}`, pattern: 'saga', steps } }
  })
}

export class Initiator {
  readonly tally: Tally = { begun: 0, committed: 0, rolledBack: 0, held: 0, repeated: 0 }
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** Runs all, `atOnce` at a time. Resolves when each is final or held, by the coordinator's own word. */
  async run(transfers: readonly Transfer[], atOnce: number): Promise<void> {
    const queue = transfers[Symbol.iterator]()
    const worker = async (): Promise<void> => {
      for (const transfer of queue) await this.#settle(transfer)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }

  async #settle(transfer: Transfer): Promise<void> {
    for (let first = true; ; first = false) {
      if (first) this.tally.begun += 1
      else this.tally.repeated += 1
      const answer = await this.#begin(transfer)
      if (answer !== null && this.#count(answer)) return
      if (answer === null) await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  /** Null when the coordinator is away: whether it has begun is unknown, so the same begin is sent again. */
  async #begin({ body }: Transfer): Promise<TransactionBody | null> {
    try {
      const response = await fetch(`${this.#url}/v1/transactions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, wait: 10_000 }),
      })
      const answer = (await response.json()) as TransactionBody
      if (response.ok) return answer
      if (response.status === 429 || response.status === 503) return null
      throw new Refused(`the coordinator refused a begin: ${JSON.stringify(answer)}`)
    } catch (error) {
      if (error instanceof Refused) throw error
      return null
    }
  }

  #count({ status, held }: TransactionBody): boolean {
    if (status === 'committed') this.tally.committed += 1
    else if (status === 'rolled-back') this.tally.rolledBack += 1
    else if (held !== null) this.tally.held += 1
    else return false
    return true
  }
}

class Refused extends Error {}
