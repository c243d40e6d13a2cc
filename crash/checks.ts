/** After the fire: waits until everything is at rest, then reads the banks' own databases, and the history of what was answered. */
import { readFileSync } from 'node:fs'
import type { TransactionBody, TransactionListBody } from 'lockstep'
import { readEffects } from '../examples/bank/books.ts'
import { type Load, sleep } from './load.ts'
import { accounts, type Installation, openingBalance, type Victim } from './processes.ts'

const restWithinMs = 120_000

/** What is held is looked at by a person: here, resumed. Throws with what is unfinished when it does not come to rest. */
export async function comeToRest({ coordinators }: Installation): Promise<void> {
  const [coordinator] = coordinators
  if (coordinator === undefined) return
  const until = Date.now() + restWithinMs
  for (;;) {
    const open = await unfinished(coordinator).catch(() => null)
    if (open?.length === 0) return
    if (Date.now() > until) throw new Error(`not at rest after ${restWithinMs / 1_000} s: ${describe(open)}`)
    for (const { id, held } of open ?? []) if (held !== null) await resume(coordinator, id)
    await sleep(250)
  }
}

async function unfinished({ url }: Victim): Promise<Omit<TransactionBody, 'branches'>[]> {
  const pages = await Promise.all(
    ['committing', 'rolling-back'].map((status) =>
      getJson<TransactionListBody>(`${url}/v1/transactions?status=${status}&limit=500`),
    ),
  )
  return pages.flatMap((page) => page.items)
}

function describe(open: readonly Omit<TransactionBody, 'branches'>[] | null): string {
  if (open === null) return 'the coordinator does not answer'
  return open
    .slice(0, 5)
    .map(({ id, status, held }) => `${id} ${status}${held === null ? '' : ` held ${held.reason}`}`)
    .join(', ')
}

async function resume({ url }: Victim, id: string): Promise<void> {
  await fetch(`${url}/v1/transactions/${id}/actions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'resume', reason: 'crash suite' }),
  }).catch(() => undefined)
}

async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
  return (await response.json()) as T
}

/** Every violation found; empty when all invariants hold. */
export async function check(installation: Installation, load: Load, historyFile: string): Promise<string[]> {
  const statuses = await statusesOf(installation, load)
  const { total, standing, doubled } = await readEffects(installation.databases)
  const violations = [...load.violations]
  const expected = installation.databases.length * accounts.length * openingBalance
  if (total !== expected) violations.push(`money: ${total} instead of ${expected}`)
  violations.push(...doubled.map((key) => `${key} took effect twice`))
  for (const [id, status] of statuses) {
    const steps = standing.get(id) ?? 0
    if (steps !== (status === 'committed' ? 2 : 0))
      violations.push(`${id} is ${status ?? 'unknown'}, and ${steps} of its 2 steps stand`)
  }
  violations.push(...checkHistory(readHistory(historyFile), statuses))
  for (const id of standing.keys()) if (!statuses.has(id)) violations.push(`${id} took effect and nobody has begun it`)
  return violations
}

interface HistoryLine {
  readonly id: string
  readonly sent?: true
  readonly shown?: string
}

function readHistory(file: string): HistoryLine[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as HistoryLine)
}

/** What was acknowledged is there, what was shown as final is how it ended, and nothing is there that was never sent. */
function checkHistory(history: readonly HistoryLine[], statuses: ReadonlyMap<string, string | undefined>): string[] {
  const violations: string[] = []
  const sent = new Set<string>()
  for (const { id, shown } of history) {
    if (shown === undefined) {
      sent.add(id)
      continue
    }
    const status = statuses.get(id)
    if (!sent.has(id)) violations.push(`${id} was answered before it was sent`)
    if (status === undefined) violations.push(`${id} was acknowledged as ${shown} and is gone`)
    else if (isFinal(shown) && shown !== status) violations.push(`${id} was shown ${shown} and is ${status}`)
  }
  for (const [id, status] of statuses)
    if (status !== undefined && !sent.has(id)) violations.push(`${id} was never sent`)
  return violations
}

function isFinal(status: string): boolean {
  return status === 'committed' || status === 'rolled-back'
}

async function statusesOf({ coordinators }: Installation, load: Load): Promise<Map<string, string | undefined>> {
  const statuses = new Map<string, string | undefined>([...load.stories.keys()].map((id) => [id, undefined]))
  let cursor: string | null = ''
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: TransactionListBody = await getJson(`${coordinators[0]?.url}/v1/transactions?limit=500${after}`)
    for (const { id, status } of page.items) statuses.set(id, status)
    cursor = page.next
  }
  return statuses
}
