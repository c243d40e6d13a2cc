/** The two rows of a happy saga of two steps, as the coordinator writes them. */
import { randomUUID } from 'node:crypto'
import type { Entry } from 'lockstep/ports'

export type Insert = Extract<Entry, { kind: 'insert' }>
export type Advance = Extract<Entry, { kind: 'advance' }>

const at = 1_790_000_000_000
const untried = { count: 0, spent: 0, retryAt: null, pendingFrom: null }
const names = ['debit', 'credit'] as const

const definition = JSON.stringify({
  input: null,
  steps: names.map((name, position) => ({
    name,
    action: `http://127.0.0.1:4701/${name}`,
    compensate: `http://127.0.0.1:4701/${name}/undo`,
    barrier: true,
    input: { account: `account-${position}`, amount: 25 },
    after: position === 0 ? [] : [position - 1],
    references: [],
    timeoutMs: 10_000,
    retryLimit: null,
  })),
})

function state(ended: boolean): string {
  const step = ended
    ? { state: 'done', output: {}, sent: true, action: { ...untried, count: 1 } }
    : { state: 'waiting', output: null, sent: false, action: untried }
  const steps = names.map(() => ({ ...step, doubtful: false, flight: null, compensate: untried, quietUntil: null }))
  const attempt = { operation: 'action', number: 1, startedAt: at, durationMs: 1, outcome: 'done', error: null }
  const attempts = ended ? names.map((branch) => ({ branch, ...attempt })) : []
  return JSON.stringify({ state: { steps }, attempts, alertedFor: null, spilled: 0 })
}

const begun = state(false)
const done = state(true)

/** Random ids, as an initiator's are: neither side may profit from an order that it would not meet. */
export function sampleInserts(count: number): Insert[] {
  return Array.from({ length: count }, () => ({ kind: 'insert', row: sampleRow(randomUUID()) }))
}

export function endOf({ row }: Insert): Advance {
  const progress = { status: 'committed', state: done, reason: null, updatedAt: at + 5, endedAt: at + 5 } as const
  return { kind: 'advance', id: row.id, epoch: 1, progress: { ...progress, nextAt: null, owner: null } }
}

function sampleRow(id: string): Insert['row'] {
  return {
    id,
    pattern: 'saga',
    contentHash: 'c'.repeat(64),
    definition,
    needs: ['bank'],
    labels: {},
    createdAt: at,
    traceparent: null,
    status: 'committing',
    state: begun,
    reason: null,
    updatedAt: at,
    endedAt: null,
    nextAt: at,
    owner: 'bench',
    held: null,
    deadlineAt: null,
    ageFrom: at,
  }
}

/** Bytes of text in the row: what the two sides write per row, besides numbers and indexes. */
export const sampleBytes = { insert: definition.length + begun.length + 64 + 36, end: done.length }
