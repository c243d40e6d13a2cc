/**
 * Changes that come from outside: the initiator's decision and the operator's actions. Where the transaction is driven here they go
 * through its memory; else the row is claimed in the statement that changes it (epoch + 1), and driven here from then on.
 */
import { LockstepError } from '../errors.ts'
import type {
  AuditRow,
  Event,
  Held,
  OperatorColumns,
  Pattern,
  StoredTransaction,
  Transaction,
  TransactionStore,
} from '../ports/index.ts'
import type { Driver } from './driver.ts'
import type { Journal } from './journal.ts'
import type { Reporter } from './reporter.ts'
import { type Changed, refused, type Snapshot } from './snapshot.ts'
import type { StoreClock } from './store-clock.ts'
import { changedWork, spilledIn, storableHeld, toProgress, toTransaction, withOperatorColumns } from './stored-form.ts'
import { snapshotOf } from './view.ts'

/** Two instances that race for one row settle within a few rounds: each round somebody has won. */
const roundsMax = 50

export interface ChangesParts {
  readonly store: TransactionStore
  readonly driver: Driver
  readonly reporter: Reporter
  readonly journal: Journal
  readonly storeClock: StoreClock
  readonly instance: string
  readonly canCall: (needs: readonly string[]) => boolean
}

export interface Operator {
  readonly by: string
  readonly action: string
  readonly branch: string | null
  readonly reason: string
}

/** An event, or what makes one for the pattern that the transaction turns out to have. */
export type EventSource = Event | ((pattern: Pattern) => Event)

interface Acting {
  readonly operator?: Operator
  /** Throws where the action is not possible on what is, or is not, held. Asked in the very round that changes it. */
  readonly check?: (held: Held | null) => void
  /** Whether the event ends such a hold; without it none. */
  readonly cures?: (held: Held) => boolean
  /** What the operator's columns become then. */
  readonly lettingGo?: (row: StoredTransaction, now: number) => OperatorColumns
}

export class Changes {
  readonly #parts: ChangesParts

  constructor(parts: ChangesParts) {
    this.#parts = parts
  }

  /** Null when there is no such transaction. */
  async change(id: string, source: EventSource, by: Acting = {}): Promise<Changed | null> {
    const { operator, check } = by
    for (let round = 0; round < roundsMax; round++) {
      const active = this.#parts.driver.find(id)
      if (active !== undefined && active.parkedAt !== null) {
        await active.whenGone()
        continue
      }
      // The operator's columns are changed by a claim only, so what is held is taken anew, from this instance too.
      if (active !== undefined && !letsGo(active.transaction.held, by)) {
        check?.(active.transaction.held)
        const event = eventFor(active.transaction.pattern, source)
        const changed = await this.#parts.driver.apply(active, event, operator && this.#audit(operator))
        if (changed !== null) return changed
        continue
      }
      const row = await this.read(id)
      if (row === null) return null
      if (row.endedAt === null) check?.(row.held)
      const taken = await this.#take(row, source, by)
      if (taken !== null) return taken
    }
    throw tooContended(id)
  }

  /** Hold and resume: the operator's columns alone, whoever drives the transaction. */
  async mark(
    id: string,
    operator: Operator,
    columns: (row: StoredTransaction, now: number) => OperatorColumns,
  ): Promise<Changed | null> {
    const { driver, journal, storeClock, reporter } = this.#parts
    for (let round = 0; round < roundsMax; round++) {
      const row = await this.read(id)
      if (row === null) return null
      const now = storeClock.now()
      const changed = columns(row, now)
      const before = toTransaction(row)
      const audit = this.#audit(operator)(before, withOperatorColumns(before, changed))
      const nextAt = changed.held === null ? now : null
      const result = await journal.write({ kind: 'mark', id, version: row.version, operator: changed, nextAt, audit })
      if (result.kind === 'invalid') throw unstorable(result.message)
      if (result.kind !== 'applied') continue
      reporter.tell(before, withOperatorColumns(before, changed), [])
      const active = driver.find(id)
      if (active !== undefined) driver.mark(active, changed, result.row.version)
      const snapshot = snapshotOf({ ...row, ...changed, version: result.row.version, updatedAt: now })
      return { snapshot, repeated: false }
    }
    throw tooContended(id)
  }

  /** The durable row; null when there is none; throws `LOCKSTEP_EXPIRED` past retention. */
  async read(id: string): Promise<StoredTransaction | null> {
    const [row] = await this.#parts.store.read([id])
    if (row === undefined) return null
    if (row.expired) throw expired(row)
    return row
  }

  async #take(row: StoredTransaction, source: EventSource, by: Acting): Promise<Changed | null> {
    const { driver, journal, storeClock, instance, canCall, reporter } = this.#parts
    if (row.pattern === 'none') return { snapshot: this.#decided(row, source), repeated: true }
    const before = toTransaction(row)
    const now = storeClock.now()
    const claim = { takeover: row.owner !== null }
    const advanced = driver.advance(released(before, row, by, now), { ...eventFor(row.pattern, source), claim })
    if (advanced.refusal !== undefined) throw refused(advanced.refusal)
    if (advanced.repeated === true) return { snapshot: snapshotOf(row), repeated: true }
    const { transaction } = advanced
    // What this instance cannot call is decided here and driven by whoever can (law 11).
    const drives = transaction.endedAt === null && transaction.held === null && canCall(transaction.needs)
    const waits = advanced.commands.length === 0 && driver.rests(transaction)
    const how = { owner: drives && !waits ? instance : null, now, spilled: spilledIn(row) }
    const written = toProgress(drives || waits ? transaction : dueNow(transaction, now), how)
    const work = changedWork(transaction, before)
    const audit = by.operator === undefined ? {} : { audit: this.#audit(by.operator)(before, transaction) }
    const { id, epoch, version } = row
    const { progress, spill: attempts, kept } = written
    const operator = storableOperator(transaction)
    const result = await journal.write({
      kind: 'take',
      id,
      epoch,
      version,
      progress,
      operator,
      attempts,
      ...work,
      ...audit,
    })
    if (result.kind === 'invalid') throw unstorable(result.message)
    // Taken in turn before a repeat was answered: it is no longer ours, and the caller must look again.
    if (result.kind !== 'applied' || result.row.epoch !== epoch + 1) return null
    const taken = { ...row, ...work.work, ...progress, ...result.row }
    if (drives) driver.adoptAdvanced(taken, { ...advanced, transaction: kept })
    else {
      driver.letGo(taken)
      reporter.tell(before, transaction, advanced.commands)
    }
    return { snapshot: snapshotOf(taken), repeated: false }
  }

  /** A tombstone: the rollback of something that was never begun. A second rollback finds it; nothing else is possible. */
  #decided(row: StoredTransaction, source: EventSource): Snapshot {
    const message = `Transaction ${row.id} was rolled back before it was begun.`
    if (typeof source === 'function') throw new LockstepError('LOCKSTEP_DECIDED', { message })
    if (source.kind === 'decide' && source.decision === 'rollback') return snapshotOf(row)
    const code = source.kind === 'decide' ? 'LOCKSTEP_ALREADY_ROLLING_BACK' : 'LOCKSTEP_ACTION_NOT_ALLOWED'
    throw new LockstepError(code, { message })
  }

  #audit({ by, action, branch, reason }: Operator) {
    return (before: Transaction, after: Transaction): AuditRow => {
      return {
        at: this.#parts.storeClock.now(),
        by,
        action,
        branch,
        reason,
        before: stateWord(before),
        after: stateWord(after),
      }
    }
  }
}

function eventFor(pattern: Pattern, source: EventSource): Event {
  return typeof source === 'function' ? source(pattern) : source
}

function letsGo(held: Held | null, { cures }: Acting): boolean {
  return held !== null && cures?.(held) === true
}

/** As the machine is to see it: without the hold that the event ends. */
function released(before: Transaction, row: StoredTransaction, by: Acting, now: number): Transaction {
  if (by.lettingGo === undefined || !letsGo(row.held, by)) return before
  return withOperatorColumns(before, by.lettingGo(row, now))
}

function storableOperator({ held, deadlineAt, ageFrom }: Transaction): OperatorColumns {
  return { held: held === null ? null : storableHeld(held), deadlineAt, ageFrom }
}

function stateWord({ status, held }: Transaction): string {
  return held === null ? status : `${status}, held: ${held.reason}`
}

function dueNow(transaction: Transaction, now: number): Transaction {
  return transaction.endedAt === null && transaction.held === null ? { ...transaction, nextAt: now } : transaction
}

function tooContended(id: string): LockstepError {
  const message = `Transaction ${id} changed hands each time it was tried.`
  return new LockstepError('LOCKSTEP_BUSY', { message, retryAfterMs: 1_000 })
}

export function unstorable(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', { message: `The store cannot hold this content: ${message}` })
}

export function expired(row: StoredTransaction): LockstepError {
  const message = `Transaction ${row.id} ended as ${row.status}; its details are past retention.`
  return new LockstepError('LOCKSTEP_EXPIRED', { message, details: { id: row.id, status: row.status } })
}
