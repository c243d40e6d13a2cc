import type {
  AttemptRow,
  AuditRow,
  Entry,
  EntryResult,
  Held,
  Progress,
  StoredTransaction,
  TransactionStore,
} from 'lockstep/ports'

export type Insert = Extract<Entry, { kind: 'insert' }>
export type Row = Insert['row']

/** A time that no test lives to see, so that nothing is due or ends by chance. */
export const dayMs = 86_400_000

export function begun(id: string, changes: Partial<Row> = {}): Row {
  return {
    id,
    pattern: 'saga',
    contentHash: `hash-of-${id}`,
    definition: '{"steps":["a","b"]}',
    needs: ['bank'],
    labels: {},
    createdAt: 1_700_000_000_000,
    traceparent: null,
    ...progress(),
    held: null,
    deadlineAt: null,
    ageFrom: 1_700_000_000_000,
    ...changes,
  }
}

export function progress(changes: Partial<Progress> = {}): Progress {
  const open = { status: 'committing', state: '{}', reason: null, endedAt: null, owner: 'owner-a' } as const
  return { ...open, updatedAt: 1_700_000_000_001, nextAt: 1_700_000_000_000, ...changes }
}

export const ended = (endedAt: number): Progress =>
  progress({ status: 'committed', endedAt, nextAt: null, owner: null, state: '{"done":true}' })

export const held = (reason: string): Held => ({ reason, since: 1_700_000_000_002, by: 'ann', detail: null })

export const audit = (action: string): AuditRow => ({
  at: 1_700_000_000_003,
  by: 'ann',
  action,
  branch: null,
  reason: 'because',
  before: 'committing',
  after: 'committing',
})

export const attempt: AttemptRow = {
  branch: 'a',
  operation: 'action',
  number: 1,
  startedAt: 5,
  durationMs: 7,
  outcome: 'done',
  error: null,
}

export interface BatchWriter {
  commit(...batch: Entry[]): Promise<readonly EntryResult[]>
  /** Sends the last batch again, as after a lost answer. */
  repeat(): Promise<readonly EntryResult[]>
}

/** Writes as one instance, numbering its batches. */
export function writerOf(store: TransactionStore, instance = 'owner-a'): BatchWriter {
  let number = 0
  let last: readonly Entry[] = []
  return {
    async commit(...batch) {
      number += 1
      last = batch
      return store.commit(batch, { instance, number, repeat: false })
    },
    repeat: () => store.commit(last, { instance, number, repeat: true }),
  }
}

export async function readOne(store: TransactionStore, id: string): Promise<StoredTransaction> {
  const [row] = await store.read([id])
  if (row === undefined) throw new Error(`There is no transaction ${id}.`)
  return row
}

export const kindsOf = (results: readonly EntryResult[]): string[] => results.map((result) => result.kind)

export const insert = (id: string, changes: Partial<Row> = {}): Insert => ({ kind: 'insert', row: begun(id, changes) })
