import type { Command, Held, StoredTransaction, Transaction } from '../ports/index.ts'
import { fromRow, type WorkKnown } from './stored-form.ts'

/** What goes out of this instance and comes back with an event. */
export type Outgoing = Extract<Command, { kind: 'call' | 'begin' }>
export type AlertCommand = Extract<Command, { kind: 'alert' }>

/** A command that waits for something to become durable. */
export interface BlockedCommand {
  readonly command: Outgoing
  /** The change that must be durable first. */
  readonly change: number
}

/**
 * A transaction that this instance drives now. `transaction` runs ahead of the store; `durable…` says how far the store is.
 */
export class Active {
  readonly base: StoredTransaction
  transaction: Transaction
  /** Counts changes in memory. */
  change = 0
  durableChange = 0
  /** What the store has: all that may be shown. */
  durable: Transaction
  version: number
  updatedAt: number
  spilled: number
  /** Calls out, queued, or waiting for durability. */
  calls = 0
  blocked: BlockedCommand[] = []
  /** Told once the change that raised them is durable. */
  alerts: { readonly command: AlertCommand; readonly change: number }[] = []
  /** Whether the row names this instance, as far as we have written. */
  owned: boolean
  /** The work as the row has it, as far as we have written: what changes is written once. */
  written: WorkKnown
  /** Characters of the row's two large texts, as far as we have written. */
  size: number
  /** Somebody from outside has begun or changed it here: more may come soon. What merely came due is not worth a place at hand. */
  touched = false
  /** When it is woken next, or null. */
  wakeAt: number | null = null
  /** The change that handed the row back; null while we drive it. */
  parkedAt: number | null = null
  /** The change that ended it. */
  endedAt: number | null = null
  /** Why the journal took no more of it. */
  failure: unknown = null
  /** The change that records the takeover; no call leaves before it is durable. */
  takenOverAt = 0
  /** The change with which the machine last held it. */
  heldAt = 0
  /** Since when the hold lasts that was last reported. */
  reportedHold: number | null = null
  /** Hold that is in memory and not yet durable. */
  pendingHold: Held | null = null
  /** Somebody else owns it, or the journal is closed: nothing of this object counts any more. */
  gone = false
  #goneWaiters: (() => void)[] = []

  constructor(row: StoredTransaction) {
    const { transaction, spilled } = fromRow(row)
    this.base = row
    this.transaction = transaction
    this.durable = transaction
    this.version = row.version
    this.updatedAt = row.updatedAt
    this.spilled = spilled
    this.owned = row.owner !== null
    this.written = { definition: transaction.definition, needs: transaction.needs }
    this.size = row.definition.length + row.state.length
  }

  get id(): string {
    return this.base.id
  }

  get epoch(): number {
    return this.base.epoch
  }

  leave(): void {
    this.gone = true
    for (const resolve of this.#goneWaiters.splice(0)) resolve()
  }

  whenGone(): Promise<void> {
    return this.gone ? Promise.resolve() : new Promise((resolve) => this.#goneWaiters.push(resolve))
  }
}
