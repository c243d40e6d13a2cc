import { mutant } from '#mutant'
import type { BarrierKey, BarrierRow, BarrierRows, Json, Operation, Outcome } from '../ports/index.ts'
import { Verdict } from '../ports/index.ts'
import { canonicalJson } from '../protocol/index.ts'

/**
 * The barrier: each operation takes effect at most once, and never after its reversal (law 3).
 *
 * An operation inserts its own row and the rows of the operations it excludes, in the user's own database transaction,
 * before the business, always in alphabetical order, so that two operations take locks in the same order.
 *
 *   own row inserted              run the business, store its output, commit: done.
 *   own row found, by itself      done with the stored output; the business does not run. Other input: `id-reused`.
 *                                 A forward operation whose reverse has its row: `closed`, although it ran.
 *   own row found, by another     that operation excluded this one: `closed`.
 *
 * A reverse operation whose forward row it could insert itself comes before the forward operation ever ran: the row stays as
 * a tombstone that makes a late forward operation find itself excluded, and the business is skipped.
 *
 * A forward operation plants nothing. It looks for its reverse only when its own row is already there: a reverse commits
 * its row together with the forward row, so an insert that succeeds proves that no reverse has committed. The look is a
 * plain read; a locking one deadlocked try against cancel on MariaDB.
 *
 * A crash before the commit leaves nothing; after it everything, output included. Whatever is thrown in here (a verdict
 * or a failure) rolls back every row.
 */
interface Rule {
  /** Rows planted beside the own one. */
  readonly excludes: readonly Operation[]
  /** A forward operation is closed once this one has a row of its own. */
  readonly reversedBy?: Operation
  /** The business runs only when this operation ran before. */
  readonly reverses?: Operation
  /** Without this operation's row the answer is `try-missing`. */
  readonly needs?: Operation
}

const rules: Readonly<Record<Operation, Rule>> = {
  action: { excludes: [], reversedBy: 'compensate' },
  compensate: { excludes: ['action'], reverses: 'action' },
  try: { excludes: [], reversedBy: 'cancel' },
  confirm: { excludes: ['cancel'], needs: 'try' },
  cancel: { excludes: ['confirm', 'try'], reverses: 'try' },
  // XA: the second phase. A rollback shuts out the action; a commit comes only after it.
  commit: { excludes: [] },
  rollback: { excludes: ['action'], reverses: 'action' },
  deliver: { excludes: [] },
  // The check-back shuts out the local transaction that it did not find.
  check: { excludes: ['action'], reverses: 'action' },
}

export interface BarrierCall {
  readonly store: string
  readonly transaction: string
  readonly branch: string
  readonly operation: Operation
  readonly inputHash: string
  /** For work outside the database that may have lost its row: the reverse runs although no forward row is found. */
  readonly runEmpty?: boolean
}

/** What the business is told: the forward operation's stored output, or undefined when it never ran. */
export type Business = (forwardOutput: Json | undefined) => Promise<unknown>

/** Answers the output of the operation, now or as stored; every other end is thrown as a `Verdict`. */
export async function passBarrier(call: BarrierCall, rows: BarrierRows, business: Business): Promise<Json> {
  const rule = rules[call.operation]
  if (call.operation === 'check' && mutant('M08-check-without-tombstone')) {
    if ((await rows.find(keyOf(call, 'action'))) === null) return { decision: 'rollback' }
  }
  const inserted = await plant(call, rule, rows)
  if (!inserted.has(call.operation)) return repeat(call, rule, rows)
  const forward = await forwardRow(call, rule, rows, inserted)
  if (call.operation === 'check') return complete(call, rows, { decision: forward === null ? 'rollback' : 'commit' })
  if (rule.reverses !== undefined && forward === null && call.runEmpty !== true) return complete(call, rows, null)
  return complete(call, rows, await business(forward === null ? undefined : parsed(forward)))
}

async function plant(call: BarrierCall, rule: Rule, rows: BarrierRows): Promise<Set<Operation>> {
  const row: BarrierRow = { by: call.operation, inputHash: call.inputHash, output: null }
  const inserted = new Set<Operation>()
  for (const operation of [call.operation, ...rule.excludes].sort()) {
    const key = keyOf(call, operation)
    if (operation !== call.operation && mutant('M02-no-tombstone')) {
      if ((await rows.find(key)) === null) inserted.add(operation)
    } else if (await rows.insert(key, row)) inserted.add(operation)
  }
  return inserted
}

/** The own row was there before: answer what it says, and run nothing. */
async function repeat(call: BarrierCall, rule: Rule, rows: BarrierRows): Promise<Json> {
  const own = await rows.find(keyOf(call, call.operation))
  // Only retention deletes rows, and only between our insert and our read: the repeat will find the key free.
  if (own === null) throw new Verdict({ kind: 'pending' })
  if (own.by !== call.operation) throw refused('closed')
  if (rule.reversedBy !== undefined && !mutant('L3-forward-after-reverse-done')) {
    const reverse = await rows.find(keyOf(call, rule.reversedBy))
    if (reverse?.by === rule.reversedBy) throw refused('closed')
  }
  // A decision once given stands, whatever body the question comes with.
  if (call.operation !== 'check' && own.inputHash !== call.inputHash) throw refused('id-reused')
  return parsed(own)
}

/** The row of the forward operation that this one reverses or needs, or null when that never ran. */
async function forwardRow(
  call: BarrierCall,
  rule: Rule,
  rows: BarrierRows,
  inserted: ReadonlySet<Operation>,
): Promise<BarrierRow | null> {
  const operation = rule.reverses ?? rule.needs
  if (operation === undefined || inserted.has(operation)) return null
  const row = await rows.find(keyOf(call, operation))
  if (row?.by !== operation) {
    if (rule.needs !== undefined && !mutant('T4-confirm-without-try')) throw tryMissing()
    return null
  }
  // The check-back carries the transaction's input, which need not be what the local transaction was given.
  if (call.operation !== 'check' && row.inputHash !== call.inputHash) throw refused('id-reused')
  return row
}

async function complete(call: BarrierCall, rows: BarrierRows, output: unknown): Promise<Json> {
  const text = canonicalJson(output ?? null)
  await rows.complete(keyOf(call, call.operation), text)
  return JSON.parse(text) as Json
}

function keyOf(call: BarrierCall, operation: Operation): BarrierKey {
  return { store: call.store, transaction: call.transaction, branch: call.branch, operation }
}

function parsed(row: BarrierRow): Json {
  return row.output === null ? null : (JSON.parse(row.output) as Json)
}

function refused(code: 'closed' | 'id-reused'): Verdict {
  return new Verdict({ kind: 'refused', reason: { code } })
}

function tryMissing(): Verdict {
  const error = 'Confirm found no try of this branch in the participant database.'
  return new Verdict({ kind: 'unknown', code: 'try-missing', error } satisfies Outcome)
}
