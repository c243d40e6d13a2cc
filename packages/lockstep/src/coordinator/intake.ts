import { failpoint } from '#failpoint'
import { LockstepError } from '../errors.ts'
import type { Entry, EntryResult, Event, Plan } from '../ports/index.ts'
import type { ReadBegin } from './begin-body.ts'
import type { Driver } from './driver.ts'
import type { Journal } from './journal.ts'
import type { StoreClock } from './store-clock.ts'
import { initialState, toProgress, toTransaction } from './stored-form.ts'

export type NewRow = Extract<Entry, { kind: 'insert' }>['row']

export interface IntakeParts {
  readonly journal: Journal
  readonly driver: Driver
  readonly storeClock: StoreClock
  readonly instance: string
  readonly canCall: (needs: readonly string[]) => boolean
  readonly intakeMax: number
}

const firstEpoch = 1
const nothingToDo: Plan = {
  definition: null,
  state: null,
  status: 'rolled-back',
  needs: [],
  deadlineMs: null,
  restsMs: null,
}

/** Takes new transactions in, up to a bound, and starts to drive what has become durable. */
export class Intake {
  readonly #parts: IntakeParts
  #beginning = 0

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  /** How many more transactions may become active. What a claim on its way will bring is not counted: one batch may go beyond. */
  get free(): number {
    const { intakeMax, driver, journal } = this.#parts
    return intakeMax - driver.activeCount - journal.size - this.#beginning
  }

  refuseWhenFull(): void {
    if (this.free <= 0) throw this.#busy()
  }

  /** Decisions and actions are taken also when no more may begin, as long as the store keeps up with them. */
  refuseWhenCrowded(): void {
    if (this.#parts.journal.size >= this.#parts.intakeMax) throw this.#busy()
  }

  #busy(): LockstepError {
    const message = `The coordinator has ${this.#parts.intakeMax} transactions at work, its bound.`
    return new LockstepError('LOCKSTEP_BUSY', { message, retryAfterMs: 1_000 })
  }

  /** Counts against the bound until `answer` is there; who waits for the end afterwards costs nothing. */
  async counted<T>(answer: () => Promise<T>): Promise<T> {
    this.#beginning += 1
    try {
      await failpoint('coordinator.begin.before-durable')
      return await answer()
    } finally {
      this.#beginning -= 1
    }
  }

  /** Drives what has become durable, also when its caller was told `unknown` meanwhile. */
  async insert(row: NewRow, event: Event = { kind: 'woke' }): Promise<EntryResult> {
    const result = await this.#parts.journal.write({ kind: 'insert', row })
    await failpoint('coordinator.begin.after-durable')
    // A repeated insert may be answered after somebody has claimed the row: it is begun, and it is not ours.
    if (result.kind !== 'applied' || result.row.epoch !== firstEpoch) return result
    const stored = { ...row, ...result.row, expired: false }
    if (row.owner !== null) this.#parts.driver.adopt(stored, event)
    else this.#parts.driver.keepAtHand(stored)
    return result
  }

  newRow({ id, pattern, contentHash, labels, plan }: Omit<ReadBegin, 'waitMs'>, traceparent: string | null): NewRow {
    const { storeClock, canCall, instance } = this.#parts
    const now = storeClock.now()
    const deadlineAt = plan.deadlineMs === null ? null : now + plan.deadlineMs
    return {
      id,
      pattern,
      contentHash,
      definition: JSON.stringify(plan.definition),
      needs: plan.needs,
      labels,
      createdAt: now,
      traceparent,
      status: plan.status,
      state: initialState(plan.state),
      reason: null,
      updatedAt: now,
      endedAt: null,
      nextAt: now + (plan.restsMs ?? 0),
      // What waits for a decision has no owner, and what this instance cannot call is driven by whoever can (law 11).
      owner: plan.restsMs === null && canCall(plan.needs) ? instance : null,
      held: null,
      deadlineAt,
      ageFrom: Math.max(now, deadlineAt ?? now),
    }
  }

  /** A transaction that is decided with its begin: one row, as the machine leaves it after the decision. */
  insertDecided(read: Omit<ReadBegin, 'waitMs'>): Promise<EntryResult> {
    const { driver, storeClock, instance, canCall } = this.#parts
    const row = this.newRow(read, null)
    const begun = toTransaction({ ...row, epoch: firstEpoch, version: 1, expired: false })
    const { transaction } = driver.advance(begun, { kind: 'decide', decision: 'commit' })
    const now = storeClock.now()
    const owner = canCall(transaction.needs) ? instance : null
    const { progress } = toProgress(transaction, { owner, now, spilled: 0 })
    const decided = { ...row, ...progress, needs: transaction.needs, nextAt: now }
    // No call has left before the row was durable: what the machine has marked as sent is sent with the claim.
    return this.insert(decided, { kind: 'woke', claim: { takeover: false } })
  }

  /** The rollback of an id that was never begun: whoever begins it later is refused. */
  tombstone(id: string): NewRow {
    const row = this.newRow({ id, pattern: 'none', contentHash: '', labels: {}, plan: nothingToDo }, null)
    return { ...row, endedAt: row.createdAt, nextAt: null, owner: null }
  }
}
