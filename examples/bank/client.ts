/** A bank's customer. Each call is one attempt: null means that nothing is known, and that the same is to be asked again. */
import type { TransactionBody, TransactionListBody } from 'lockstep'
import { sagaBody } from './saga.ts'
import type { Transfer } from './transfer.ts'

export interface Addresses {
  readonly coordinator: string
  /** The bank that the money leaves. */
  readonly bank: string
}

/** What is known of a transfer: its status, and where the bank has given one, the code of the reason. */
export interface Known {
  readonly status: string
  readonly code?: string
}

const answerWithinMs = 20_000

/** Orders a transfer. A saga goes to the coordinator, whatever the bank initiates goes to the bank. */
export async function order(transfer: Transfer, { coordinator, bank }: Addresses, waitMs = 0): Promise<Known | null> {
  if (transfer.pattern !== 'saga') return readKnown(await ask(`${bank}/transfers`, transfer))
  const answer = await ask(`${coordinator}/v1/transactions`, { ...sagaBody(transfer), wait: waitMs })
  // Somebody has rolled it back before it was begun.
  return answer?.status === 409 ? look(transfer.id, { coordinator }) : readKnown(answer)
}

/** How the transfer stands, by the coordinator's own word. */
export async function look(id: string, { coordinator }: Pick<Addresses, 'coordinator'>, waitMs = 0) {
  return readKnown<TransactionBody>(await ask(`${coordinator}/v1/transactions/${id}?wait=${waitMs}`))
}

/** A transaction in a list: all but its branches. */
export type Listed = TransactionListBody['items'][number]

/** Everything that the coordinator knows, or what has this status. Unlike the others it throws when there is no answer. */
export async function listAll(coordinator: string, status?: string): Promise<Listed[]> {
  const found: Listed[] = []
  const query = new URLSearchParams({ limit: '500', ...(status === undefined ? {} : { status }) })
  for (;;) {
    const page = readKnown<TransactionListBody>(await ask(`${coordinator}/v1/transactions?${query}`))
    if (page === null) throw new Error(`${coordinator} does not answer`)
    found.push(...page.items)
    if (page.next === null) return found
    query.set('cursor', page.next)
  }
}

export function isFinal(status: string): boolean {
  return status === 'committed' || status === 'rolled-back'
}

interface Answer {
  readonly url: string
  readonly status: number
  readonly text: string
}

/** Null where no whole answer comes, or one that says "again". */
async function ask(url: string, body?: object): Promise<Answer | null> {
  const headers = { 'content-type': 'application/json' }
  const what = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) }
  try {
    const response = await fetch(url, { ...what, signal: AbortSignal.timeout(answerWithinMs) })
    const { status } = response
    return status === 429 || status === 503 ? null : { url, status, text: await response.text() }
  } catch {
    return null
  }
}

function readKnown<Body = Known>(answer: Answer | null): Body | null {
  if (answer === null) return null
  if (answer.status >= 300) throw new Error(`${answer.url} was answered ${answer.status}: ${answer.text}`)
  return JSON.parse(answer.text) as Body
}
