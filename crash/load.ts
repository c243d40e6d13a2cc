/**
 * Initiators under fire. Each transfer is written into the history before it is sent, and each answer when it comes; what got no
 * answer is sent again under the same id, to whichever coordinator is there.
 */
import { appendFileSync } from 'node:fs'
import type { RandomStream } from '@lockstep/testkit'
import type { TransactionBody } from 'lockstep'
import { accounts, type Victim } from './processes.ts'

export interface Story {
  readonly id: string
  /** The last status an answer has shown; null while none has come. */
  shown: string | null
}

export interface LoadParts {
  readonly coordinators: readonly Victim[]
  readonly random: RandomStream
  readonly historyFile: string
}

const initiators = 8
const answerWithinMs = 20_000

export class Load {
  readonly stories = new Map<string, Story>()
  readonly violations: string[] = []
  readonly #parts: LoadParts
  #stopped = false
  #working: Promise<unknown> = Promise.resolve()

  constructor(parts: LoadParts) {
    this.#parts = parts
  }

  /** `round` keeps the ids of one round apart from those of the next. */
  start(round: number): void {
    this.#stopped = false
    this.#working = Promise.all(Array.from({ length: initiators }, (_, at) => this.#initiate(`r${round}-${at}`)))
  }

  /** Resolves when every initiator has its last answer. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#working
  }

  async #initiate(prefix: string): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      const id = `${prefix}-${number}`
      const story: Story = { id, shown: null }
      this.stories.set(id, story)
      this.#note({ id, sent: true })
      await this.#settle(story, this.#body(id))
      if (this.#parts.random.chance('cancel', 0.05)) await this.#cancel(story)
      await sleep(this.#parts.random.integer('think', 0, 60))
    }
  }

  #body(id: string): object {
    const { random } = this.#parts
    const [from, to] = random.chance('direction', 0.5) ? ['bank-a', 'bank-b'] : ['bank-b', 'bank-a']
    const amount = random.chance('too much', 0.1) ? 1_000_000 : random.integer('amount', 1, 100)
    const account = random.chance('nobody', 0.1) ? 'nobody' : random.pick('to', accounts)
    const steps = [
      { name: 'debit', participant: `${from}.debit`, input: { account: random.pick('from', accounts), amount } },
      { name: 'credit', participant: `${to}.credit`, input: { account, amount } },
    ]
    return { id, pattern: 'saga', steps, timeout: undefined, wait: random.pick('wait', [0, 5_000]) }
  }

  /** Until the coordinator has durably taken it; not until it ends. */
  async #settle(story: Story, body: object): Promise<void> {
    for (;;) {
      const answer = await this.#post('/v1/transactions', body)
      if (answer !== null) return this.#show(story, answer)
      await sleep(100)
    }
  }

  async #cancel(story: Story): Promise<void> {
    const answer = await this.#post(`/v1/transactions/${story.id}/rollback`, {})
    if (answer !== null) this.#show(story, answer)
  }

  #show(story: Story, { status }: TransactionBody): void {
    this.#note({ id: story.id, shown: status })
    const isFinal = story.shown === 'committed' || story.shown === 'rolled-back'
    if (isFinal && status !== story.shown) this.violations.push(`${story.id} was shown ${story.shown}, then ${status}`)
    story.shown = status
  }

  /** Null when nothing is known: no answer, or one that says "again". A refused cancel tells nothing new either. */
  async #post(path: string, body: object): Promise<TransactionBody | null> {
    const coordinator = this.#parts.random.pick('coordinator', this.#parts.coordinators)
    try {
      const response = await fetch(coordinator.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(answerWithinMs),
      })
      const answer = await response.json()
      if (response.ok) return answer as TransactionBody
      const known = response.status === 429 || response.status === 503 || response.status === 409
      if (!known) this.violations.push(`${path} was answered ${response.status}: ${JSON.stringify(answer)}`)
      return null
    } catch {
      return null
    }
  }

  #note(line: object): void {
    appendFileSync(this.#parts.historyFile, `${JSON.stringify(line)}\n`)
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
