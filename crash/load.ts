/**
 * Customers under fire. Each transfer is written into the history before it is ordered, and each answer when it comes; what got no
 * answer is ordered again under the same id: a saga at whichever coordinator is there, the rest at the bank that the money leaves.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RandomStream } from '@lockstep/testkit'
import { look, order } from '../examples/bank/client.ts'
import type { Transfer, TransferPattern } from '../examples/bank/transfer.ts'
import type { History } from './history.ts'
import { accounts, type Installation } from './processes.ts'

export interface LoadParts {
  readonly installation: Installation
  readonly patterns: readonly TransferPattern[]
  readonly random: RandomStream
  readonly history: History
}

const customers = 8
const settledWithinMs = 120_000

export class Load {
  readonly transfers = new Map<string, Transfer>()
  readonly violations: string[] = []
  /** How often each answer was given: a run that never meets the rare ones shows less. */
  readonly answers = new Map<string, number>()
  readonly #parts: LoadParts
  #stopped = false
  #abandoned = false
  #working: Promise<unknown> = Promise.resolve()

  constructor(parts: LoadParts) {
    this.#parts = parts
  }

  /** `round` keeps the ids of one round apart from those of the next. */
  start(round: number): void {
    this.#stopped = false
    this.#working = Promise.all(Array.from({ length: customers }, (_, at) => this.#work(`r${round}-${at}`)))
  }

  /** Resolves when every customer has its last answer. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#working
  }

  /** The installation is gone: nobody waits for an answer any more. */
  abandon(): void {
    this.#stopped = true
    this.#abandoned = true
  }

  async #work(prefix: string): Promise<void> {
    const { random } = this.#parts
    for (let number = 0; !this.#stopped; number++) {
      const transfer = this.#draw(`${prefix}-${number}`)
      this.transfers.set(transfer.id, transfer)
      this.#parts.history.note({ id: transfer.id, sent: transfer.pattern })
      await Promise.all([this.#settle(transfer), this.#perhapsCancel(transfer)])
      await sleep(random.integer('think', 0, 60))
    }
  }

  #draw(id: string): Transfer {
    const { random, patterns } = this.#parts
    const [fromBank, toBank] = random.chance('direction', 0.5) ? ['bank-a', 'bank-b'] : ['bank-b', 'bank-a']
    return {
      id,
      pattern: random.pick('pattern', patterns),
      fromBank,
      from: random.pick('from', accounts),
      toBank,
      to: random.chance('nobody', 0.1) ? 'nobody' : random.pick('to', accounts),
      amount: random.chance('too much', 0.1) ? 1_000_000 : random.integer('amount', 1, 100),
    }
  }

  /** Until somebody has durably taken it, not until it ends. */
  async #settle(transfer: Transfer): Promise<void> {
    const { id, pattern, fromBank } = transfer
    const { random, installation } = this.#parts
    const bank = installation.banks.find(({ name }) => name === fromBank)?.url ?? ''
    const waitMs = random.pick('wait', [0, 5_000])
    const untilMs = Date.now() + settledWithinMs
    for (;;) {
      const coordinator = this.#coordinator()
      const known = await this.#noting(() => order(transfer, { coordinator, bank }, waitMs))
      if (known !== null) {
        this.#show(id, { ...known, by: pattern === 'saga' ? 'a coordinator' : fromBank })
        break
      }
      this.#count('nothing, so asked again')
      if (this.#abandoned) return
      if (Date.now() > untilMs) return void this.violations.push(`${id} is not settled after ${settledWithinMs} ms`)
      await sleep(100)
    }
    if (pattern === 'saga') return
    const seen = await this.#noting(() => look(id, { coordinator: this.#coordinator() }, waitMs))
    if (seen !== null) this.#show(id, { status: seen.status, by: 'a coordinator' })
  }

  /** Now and then somebody wants it rolled back while it is on its way. Whether that is refused tells nothing new. */
  async #perhapsCancel({ id }: Transfer): Promise<void> {
    const { random } = this.#parts
    if (!random.chance('cancel', 0.05)) return
    await sleep(random.integer('cancel after', 0, 100))
    const url = `${this.#coordinator()}/v1/transactions/${id}/rollback`
    const response = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(20_000) }).catch(() => null)
    const answer = (await response?.json().catch(() => null)) as { status: string } | null | undefined
    if (response === null || !answer) return
    if (response.ok) this.#show(id, { status: answer.status, by: 'a coordinator' })
    else if (![409, 429, 503].includes(response.status))
      this.violations.push(`${url} was answered ${response.status}: ${JSON.stringify(answer)}`)
  }

  #coordinator(): string {
    const { random, installation } = this.#parts
    return random.pick('coordinator', installation.coordinators).url
  }

  #show(id: string, { status, code, by }: { status: string; code?: string; by: string }): void {
    this.#parts.history.note({ id, shown: status, by })
    if (by.startsWith('bank')) this.#count(code ?? status)
  }

  #count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1)
  }

  /** An answer that nobody may give is a violation, and no reason to stop. */
  async #noting<Answer>(attempt: () => Promise<Answer | null>): Promise<Answer | null> {
    try {
      return await attempt()
    } catch (error) {
      this.violations.push(error instanceof Error ? error.message : String(error))
      return null
    }
  }
}
