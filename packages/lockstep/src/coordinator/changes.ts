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
  StoredTransaction,
  Transaction,
  TransactionStore,
} from '../ports/index.ts'
import type { Driver } from './driver.ts'
import type { Journal } from './journal.ts'
import type { Snapshot } from './snapshot.ts'
import type { StoreClock } from './store-clock.ts'
import { spilledIn, storableHeld, toProgress, toTransaction, withOperatorColumns } from './stored-form.ts'
import { snapshotOf } from './view.ts'

/** Two instances that race for one row settle within a few rounds: each round somebody has won. */
const roundsMax = 50

export interface ChangesParts {
  readonly store: TransactionStore
  readonly driver: Driver
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

interface Acting {
  readonly operator?: Operator
  /** Throws where the action is not possible on what is, or is not, held. Asked in the very round that changes it. */
  readonly check?: (held: Held | null) => void
  /** What the operator's columns become when the event finds the transaction held; without it, it stays held. */
  readonly lettingGo?: (row: StoredTransaction, now: number) => OperatorColumns
}

export class Changes {
  readonly #parts: ChangesParts

  constructor(parts: ChangesParts) {
    this.#parts = parts
  }

  /** Null when there is no such transaction. */
  async change(id: string, event: Event, by: Acting = {}): Promise<Snapshot | null> {
    const { operator, lettingGo, check } = by
    for (let round = 0; round < roundsMax; round++) {
      const active = this.#parts.driver.find(id)
      if (active !== undefined && active.parkedAt !== null) {
        await active.whenGone()
        continue
      }
      // The operator's columns are changed by a claim only, so what is held is taken anew, from this instance too.
      const letsGo = lettingGo !== undefined && active !== undefined && active.transaction.held !== null
      if (active !== undefined && !letsGo) {
        check?.(active.transaction.held)
        const changed = await this.#parts.driver.apply(active, event, operator && this.#audit(operator))
        if (changed !== null) return changed
        continue
      }
      const row = await this.read(id)
      if (row === null) return null
      if (row.endedAt === null) check?.(row.held)
      const taken = await this.#take(row, event, by)
      if (taken !== null) return taken
    }
    throw tooContended(id)
  }

  /** Hold and resume: the operator's columns alone, whoever drives the transaction. */
  async mark(
    id: string,
    operator: Operator,
    columns: (row: StoredTransaction, now: number) => OperatorColumns,
  ): Promise<Snapshot | null> {
    const { driver, journal, storeClock } = this.#parts
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
      const active = driver.find(id)
      if (active !== undefined) driver.mark(active, changed, result.row.version)
      return snapshotOf({ ...row, ...changed, version: result.row.version, updatedAt: now })
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

  async #take(row: StoredTransaction, event: Event, { operator, lettingGo }: Acting): Promise<Snapshot | null> {
    const { driver, journal, storeClock, instance, canCall } = this.#parts
    if (row.pattern === 'none') return this.#decided(row, event)
    const before = toTransaction(row)
    const claim = { takeover: row.owner !== null }
    const free =
      row.held === null || lettingGo === undefined
        ? before
        : withOperatorColumns(before, lettingGo(row, storeClock.now()))
    const advanced = driver.advance(free, { ...event, claim })
    if (advanced.refusal !== undefined)
      throw new LockstepError(advanced.refusal.code, { message: advanced.refusal.message })
    const { transaction } = advanced
    if (event.kind === 'decide' && transaction.status === before.status) return snapshotOf(row)
    // What this instance cannot call is decided here and driven by whoever can (law 11).
    const drives = transaction.endedAt === null && transaction.held === null && canCall(row.needs)
    const now = storeClock.now()
    const how = { owner: drives ? instance : null, now, spilled: spilledIn(row) }
    const written = toProgress(drives ? transaction : dueNow(transaction, now), how)
    const { held, deadlineAt, ageFrom } = transaction
    const audit = operator === undefined ? undefined : this.#audit(operator)(before, transaction)
    const result = await journal.write({
      kind: 'take',
      id: row.id,
      epoch: row.epoch,
      version: row.version,
      progress: written.progress,
      operator: { held: held === null ? null : storableHeld(held), deadlineAt, ageFrom },
      attempts: written.spill,
      ...(audit === undefined ? {} : { audit }),
    })
    if (result.kind === 'invalid') throw unstorable(result.message)
    // Taken in turn before a repeat was answered: it is no longer ours, and the caller must look again.
    if (result.kind !== 'applied' || result.row.epoch !== row.epoch + 1) return null
    const taken = { ...row, ...written.progress, ...result.row }
    if (drives) driver.adoptAdvanced(taken, { ...advanced, transaction: written.kept })
    else driver.letGo(row.id)
    return snapshotOf(taken)
  }

  /** A tombstone: the rollback of something that was never begun. A second rollback finds it; nothing else is possible. */
  #decided(row: StoredTransaction, event: Event): Snapshot {
    if (event.kind === 'decide' && event.decision === 'rollback') return snapshotOf(row)
    const message = `Transaction ${row.id} was rolled back before it was begun.`
    const code = event.kind === 'decide' ? 'LOCKSTEP_ALREADY_ROLLING_BACK' : 'LOCKSTEP_ACTION_NOT_ALLOWED'
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
