import { deepEqual } from 'node:assert/strict'
import type { Entry, ListFilter, TransactionStore } from 'lockstep/ports'
import { entryFromPlan } from './entry-from-plan.ts'
import { listAll } from './list-cases.ts'
import { type Command, labelNames, labelValues, owners, services } from './model-commands.ts'
import { awkwardIds } from './payload-cases.ts'
import { dayMs } from './sample-rows.ts'

interface SentBatch {
  readonly batch: readonly Entry[]
  readonly instance: string
  readonly number: number
}

/** One run: the model, the store under test, and what was sent to both. */
export interface Comparison {
  readonly model: TransactionStore
  readonly real: TransactionStore
  readonly now: number
  readonly sent: SentBatch[]
  /** What happened at least once, such as `advance:applied`. */
  readonly reached: Set<string>
}

/** Gives one command to both stores; they must answer the same and hold the same rows afterwards. */
export async function stepBoth(comparison: Comparison, command: Command): Promise<void> {
  await run(comparison, command)
  const [expected, actual] = await Promise.all([comparison.model.read(awkwardIds), comparison.real.read(awkwardIds)])
  deepEqual(actual, expected)
}

export async function compareHistories({ model, real }: Comparison): Promise<void> {
  for (const id of awkwardIds) deepEqual(await real.history(id), await model.history(id))
}

async function both<T>({ model, real }: Comparison, ask: (store: TransactionStore) => Promise<T>): Promise<T> {
  const expected = await ask(model)
  deepEqual(await ask(real), expected)
  return expected
}

async function run(comparison: Comparison, command: Command): Promise<void> {
  switch (command.kind) {
    case 'commit':
      return commit(comparison, command)
    case 'repeat':
      return repeat(comparison, command)
    case 'claim':
      return claim(comparison, command)
    case 'heartbeat':
      return heartbeat(comparison, command)
    case 'resign':
      comparison.reached.add('resign')
      await both(comparison, (store) => store.resign(owners[command.owner] ?? ''))
      return
    case 'list':
      return list(comparison, command)
    case 'retire':
      return retire(comparison, command)
  }
}

async function commit(comparison: Comparison, command: Extract<Command, { kind: 'commit' }>): Promise<void> {
  const stored = new Map((await comparison.model.read(awkwardIds)).map((row) => [row.id, row]))
  const batch = command.entries.map((plan) =>
    entryFromPlan(plan, stored.get(awkwardIds[plan.id] ?? ''), comparison.now),
  )
  const instance = owners[command.writer] ?? ''
  const number = comparison.sent.length + 1
  comparison.sent.push({ batch, instance, number })
  const results = await both(comparison, (store) => store.commit(batch, { instance, number, repeat: false }))
  for (const [index, result] of results.entries()) {
    const entry = batch[index]
    comparison.reached.add(`${entry?.kind}:${result.kind}`)
    if (hasWork(entry)) comparison.reached.add(`${entry?.kind} with work:${result.kind}`)
  }
}

function hasWork(entry: Entry | undefined): boolean {
  return entry !== undefined && 'work' in entry
}

async function repeat(comparison: Comparison, { back }: Extract<Command, { kind: 'repeat' }>): Promise<void> {
  const sent = comparison.sent.at(-1 - back)
  if (sent === undefined) return
  const { batch, instance, number } = sent
  const results = await both(comparison, (store) => store.commit(batch, { instance, number, repeat: true }))
  const sort = back === 0 ? 'repeat' : 'late'
  for (const [index, result] of results.entries()) {
    comparison.reached.add(`${sort}:${result.kind}`)
    if (hasWork(batch[index])) comparison.reached.add(`${sort} with work:${result.kind}`)
  }
}

async function claim(comparison: Comparison, command: Extract<Command, { kind: 'claim' }>): Promise<void> {
  const request = {
    owner: owners[command.owner] ?? '',
    limit: command.limit,
    services: named(command.services),
    missingAfterMs: command.missing ? 5 * dayMs : 1000 * dayMs,
    ...(command.except === null ? {} : { except: command.except.map((index) => awkwardIds[index] ?? '') }),
  }
  const before = new Map((await comparison.model.read(awkwardIds)).map((row) => [row.id, row.owner]))
  const claimed = await both(comparison, (store) => store.claim(request))
  for (const { row, takeover } of claimed) {
    comparison.reached.add(takeover ? 'claim:takeover' : 'claim:free')
    if (before.get(row.id) === request.owner) comparison.reached.add('claim:own')
    if (row.needs.some((need) => !request.services.includes(need))) comparison.reached.add('claim:missing')
  }
}

async function heartbeat(comparison: Comparison, command: Extract<Command, { kind: 'heartbeat' }>): Promise<void> {
  const request = {
    owner: owners[command.owner] ?? '',
    leaseMs: command.live ? dayMs : 0,
    services: named(command.services),
  }
  const held = await both(comparison, async (store) => (await store.heartbeat(request)).held)
  comparison.reached.add(held.length > 0 ? 'heartbeat:held' : 'heartbeat:none')
}

async function list(comparison: Comparison, command: Extract<Command, { kind: 'list' }>): Promise<void> {
  const filter: ListFilter = {
    limit: command.limit,
    ...(command.held === null ? {} : { held: command.held }),
    ...(command.status === null ? {} : { status: command.status === 0 ? 'committing' : 'committed' }),
    ...(command.pattern === null ? {} : { pattern: command.pattern === 0 ? 'saga' : 'tcc' }),
    ...(command.label === null
      ? {}
      : { labels: { [labelNames[command.label[0]] ?? '']: labelValues[command.label[1]] ?? '' } }),
    ...(command.since === null ? {} : { since: command.since }),
    ...(command.until === null ? {} : { until: command.until }),
  }
  const page = await both(comparison, (store) => store.list(filter))
  const all = await both(comparison, (store) => listAll(store, filter))
  comparison.reached.add(page.next === null ? 'list:one-page' : 'list:pages')
  if (command.label !== null && all.length > 0) comparison.reached.add('list:label')
}

async function retire(comparison: Comparison, command: Extract<Command, { kind: 'retire' }>): Promise<void> {
  const { kind: _, ...request } = command
  const counts = await both(comparison, (store) => store.retire(request))
  if (counts.expired > 0) comparison.reached.add('retire:expired')
  if (counts.forgotten > 0) comparison.reached.add('retire:forgotten')
}

function named(indexes: readonly number[]): string[] {
  return indexes.map((index) => services[index] ?? '')
}
