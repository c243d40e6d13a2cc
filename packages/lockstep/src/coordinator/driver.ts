/**
 * The driver: feeds events to the pure machine of a transaction's pattern, makes what must be durable durable, lets the calls
 * leave that may, and lets go of a transaction that ends, waits or belongs to somebody else. It names no pattern.
 */
import { failpoint } from '#failpoint'
import { LockstepError } from '../errors.ts'
import type {
  Advance,
  Alerts,
  AuditRow,
  Command,
  EntryResult,
  Environment,
  Event,
  LinkedBody,
  Logger,
  OperatorColumns,
  Pattern,
  PatternMachine,
  StoredTransaction,
  Transaction,
} from '../ports/index.ts'
import { Active } from './active.ts'
import { AtHand } from './at-hand.ts'
import { Calls } from './calls.ts'
import type { Dispatcher } from './dispatcher.ts'
import { handBackHeld, lastUnderstood } from './hand-back.ts'
import type { Journal } from './journal.ts'
import { nextEntry } from './next-entry.ts'
import type { Reporter } from './reporter.ts'
import { type Changed, refused, type Snapshot } from './snapshot.ts'
import type { StoreClock } from './store-clock.ts'
import { withOperatorColumns } from './stored-form.ts'
import { WakeQueue } from './wake-queue.ts'
import { within } from './within.ts'

/** A wait longer than this is parked: one write, and then it costs nothing until it is due. */
const parkAfterMs = 1_000

export interface DriverParts {
  readonly environment: Environment
  readonly storeClock: StoreClock
  readonly storeId: () => string
  readonly instance: string
  readonly journal: Journal
  readonly dispatcher: Dispatcher
  readonly machines: ReadonlyMap<Pattern, PatternMachine>
  readonly logger: Logger
  readonly alerts: Alerts
  readonly reporter: Reporter
  readonly barrierRetentionMs: number
  /** Rows that wait for a decision, kept at hand at most. */
  readonly atHandMax: number
  readonly canCall: (needs: readonly string[]) => boolean
  readonly mayCall: () => boolean
  /** Begins a linked transaction; resolves when it is durable, or with the reason why there will be none. */
  readonly beginLinked: (from: Transaction, branch: string, body: LinkedBody) => Promise<string | null>
  /** A row of ours may be left in the store without anybody driving it. */
  readonly onStranded: () => void
  /** Told when a transaction is durably final or held, or has left this instance. */
  readonly onSettled: (id: string, snapshot: Snapshot | null) => void
}

/** An answer from before our own hold, or from before what the heartbeat told, knows nothing of it and must not lift it. */
function newestOperatorColumns(
  active: Active,
  row: OperatorColumns & { version: number },
  change: number,
): OperatorColumns {
  if (row.version < active.version) return active.transaction
  return change < active.heldAt ? { ...row, held: active.transaction.held } : row
}

function insisting(advanced: Advance): Advance {
  const commands = advanced.commands.map((command) =>
    command.kind === 'call' ? { ...command, insists: true } : command,
  )
  return { ...advanced, commands }
}

export class Driver {
  readonly #parts: DriverParts
  readonly #actives = new Map<string, Active>()
  readonly #wakes: WakeQueue
  readonly #calls: Calls
  readonly #atHand: AtHand
  #draining = false

  constructor(parts: DriverParts) {
    this.#parts = parts
    const now = () => parts.storeClock.now()
    this.#wakes = new WakeQueue(parts.environment.timers, now, (id) => this.#woken(id))
    this.#atHand = new AtHand(parts.atHandMax)
    this.#calls = new Calls({
      ...parts,
      mayCall: () => !this.#draining && parts.mayCall(),
      onLanded: (active, event) => this.#feed(active, event),
    })
  }

  /** What is driven here: what only waits for a decision is not. */
  get activeCount(): number {
    return this.#actives.size - this.#atHand.size
  }

  find(id: string): Active | undefined {
    return this.#actives.get(id)
  }

  drives(id: string): boolean {
    const active = this.#actives.get(id)
    return active !== undefined && !this.#atHand.has(active)
  }

  drivenIds(): string[] {
    return [...this.#actives.keys()].filter((id) => this.drives(id))
  }

  machineOf(pattern: Pattern): PatternMachine {
    const machine = this.#parts.machines.get(pattern)
    if (machine !== undefined) return machine
    throw new LockstepError('LOCKSTEP_BUG', { message: `There is no machine for the pattern ${pattern}.` })
  }

  /** Starts to drive a row that this instance has durably begun or claimed. */
  adopt(row: StoredTransaction, event: Event): void {
    if (this.#isOvertaken(row)) return
    const active = this.#enterOrGiveUp(row)
    if (active === null) return
    const takenOver = event.claim?.takeover === true
    // The trace of a takeover is durable before any call leaves: one that kills its owner would else loop for ever unseen.
    if (takenOver) active.takenOverAt = active.change + 1
    this.#guarded(active, () => void this.#accept(active, this.#advance(active, event), { urgent: takenOver }))
  }

  /** What the machine throws is a bug, or a row of another version: the transaction is held, and the others go on. */
  #guarded(active: Active, step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#forget(active)
      const progress = lastUnderstood(active, this.#parts.storeClock.now())
      handBackHeld(active.base, { progress, error }, this.#parts)
    }
  }

  #enterOrGiveUp(row: StoredTransaction): Active | null {
    try {
      return this.#enter(row)
    } catch (error) {
      handBackHeld(row, { progress: row, error }, this.#parts)
      return null
    }
  }

  /** A row without an owner: kept only where it waits for a decision, never driven. */
  keepAtHand(row: StoredTransaction): void {
    if (this.#draining || this.#isOvertaken(row)) return
    const active = this.#enterOrGiveUp(row)
    if (active === null) return
    active.touched = true
    if (this.#isOpen(active)) this.#keep(active)
    else this.#forget(active)
  }

  /** Starts to drive a row whose change was already advanced and made durable together with the claim. */
  adoptAdvanced(row: StoredTransaction, advanced: Advance): void {
    if (this.#isOvertaken(row)) return
    const active = this.#enter(row)
    active.touched = true
    active.transaction = withOperatorColumns(advanced.transaction, row)
    active.durable = active.transaction
    active.written = { definition: active.transaction.definition, needs: active.transaction.needs }
    this.#release(active, advanced.commands)
    this.#restOrWait(active)
  }

  /** Its row was taken under this higher epoch: what the old one still does is refused by its compare. */
  letGo(row: StoredTransaction): void {
    const former = this.#actives.get(row.id)
    if (former !== undefined && !this.#isOvertaken(row)) this.#forget(former)
  }

  /** A claim of ours may overtake the answer to our own begin or change: the higher epoch is the one that counts. */
  #isOvertaken({ id, epoch }: StoredTransaction): boolean {
    return (this.#actives.get(id)?.epoch ?? 0) >= epoch
  }

  #enter(row: StoredTransaction): Active {
    this.letGo(row)
    const active = new Active(row)
    this.#actives.set(row.id, active)
    return active
  }

  /**
   * A decision or an operator's action on a transaction that is driven here. Resolves when it is durable; null when the
   * transaction left meanwhile and the caller must look again. Throws the machine's refusal, once what it rests on is durable.
   */
  async apply(
    active: Active,
    event: Event,
    audit?: (before: Transaction, after: Transaction) => AuditRow,
  ): Promise<Changed | null> {
    active.touched = true
    const before = active.transaction
    const advanced = this.#advance(active, event)
    if (advanced.refusal !== undefined || advanced.repeated === true) {
      const durable = await this.#durable(active)
      if (durable && advanced.refusal !== undefined) throw refused(advanced.refusal)
      return durable ? { snapshot: this.#snapshot(active), repeated: true } : this.#left(active)
    }
    const row = audit?.(before, advanced.transaction)
    const written = this.#accept(active, advanced, { urgent: true, ...(row === undefined ? {} : { audit: row }) })
    return (await written) ? { snapshot: this.#snapshot(active), repeated: false } : this.#left(active)
  }

  #left({ failure }: Active): null {
    if (failure !== null) throw failure
    return null
  }

  /** The operator's columns were changed in the store. */
  mark(active: Active, operator: OperatorColumns, version: number): void {
    active.transaction = withOperatorColumns(active.transaction, operator)
    active.version = Math.max(active.version, version)
    // Told by the instance that has written it.
    active.reportedHold = operator.held?.since ?? active.reportedHold
    if (active.parkedAt === null) this.#feed(active, { kind: 'woke' })
  }

  /** Hands every transaction back: what has no call out is parked at once, the rest when its call has ended. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true
    for (const active of [...this.#actives.values()]) {
      if (this.#atHand.has(active)) this.#forget(active)
      else this.#restOrWait(active)
    }
    const all = Promise.all([...this.#actives.values()].map((active) => active.whenGone()))
    await within(all, graceMs, this.#parts.environment.timers)
  }

  /** Drops everything from memory. The store, and the next owner's claim, know all that counts. */
  abandon(): void {
    for (const active of [...this.#actives.values()]) this.#forget(active)
    this.#wakes.clear()
  }

  #feed(active: Active, event: Event): void {
    this.#guarded(active, () => void this.#accept(active, this.#advance(active, event)))
  }

  #advance(active: Active, event: Event): Advance {
    return this.advance(active.transaction, event)
  }

  /** Asks the machine of the transaction's pattern. */
  advance(transaction: Transaction, event: Event): Advance {
    const { storeClock, barrierRetentionMs } = this.#parts
    const machine = this.machineOf(transaction.pattern)
    const advanced = machine.advance(transaction, event, storeClock.now(), barrierRetentionMs)
    return event.kind === 'act' && event.action === 'retry' ? insisting(advanced) : advanced
  }

  /** Takes over what the machine answered. Resolves true when it is durable, if it is written at all. */
  #accept(active: Active, advanced: Advance, options: { urgent?: boolean; audit?: AuditRow } = {}): Promise<boolean> {
    const before = active.transaction
    const { transaction } = advanced
    active.transaction = transaction
    active.change += 1
    if (transaction.endedAt !== null) active.endedAt ??= active.change
    if (transaction.held !== null && before.held === null) {
      active.pendingHold = transaction.held
      active.heldAt = active.change
    }
    this.#atHand.delete(active)
    this.#release(active, advanced.commands)
    const turned = transaction.status !== before.status || active.pendingHold !== null || active.alerts.length > 0
    const urgent = options.urgent === true || turned || active.blocked.length > 0
    if (this.#isOpen(active)) return this.#leaveOpen(active, { ...options, urgent: true })
    if (this.#shouldPark(active)) return this.#write(active, { ...options, urgent: true, park: true })
    this.#restOrWait(active)
    const changed = urgent || transaction.attempts !== before.attempts
    return changed ? this.#write(active, { ...options, urgent, park: false }) : Promise.resolve(true)
  }

  /** It waits for somebody's decision and has nothing to do before: nobody needs to own it. */
  #isOpen(active: Active): boolean {
    if (active.calls > 0 || this.#draining || active.parkedAt !== null) return false
    return this.rests(active.transaction) && this.#parts.canCall(active.transaction.needs)
  }

  /** True when nothing happens before long unless somebody decides. */
  rests({ status, held, nextAt }: Transaction): boolean {
    if (status !== 'prepared' || held !== null) return false
    return nextAt === null || nextAt > this.#parts.storeClock.now() + parkAfterMs
  }

  #leaveOpen(active: Active, how: { urgent: boolean; audit?: AuditRow }): Promise<boolean> {
    const isWritten = active.durableChange >= active.change && !active.owned
    if (!isWritten) return this.#write(active, { ...how, park: false })
    this.#keep(active)
    return Promise.resolve(true)
  }

  #keep(active: Active): void {
    const surplus = active.touched ? this.#atHand.add(active) : [active]
    for (const one of surplus) this.#forget(one)
  }

  #shouldPark(active: Active): boolean {
    const { endedAt, held, nextAt } = active.transaction
    if (active.calls > 0 || active.parkedAt !== null || active.gone || endedAt !== null) return false
    if (held !== null || this.#draining) return true
    return nextAt === null || nextAt > this.#parts.storeClock.now() + parkAfterMs
  }

  /** Short waits stay here on the one timer; long ones are parked. */
  #restOrWait(active: Active): void {
    if (this.#isOpen(active)) void this.#leaveOpen(active, { urgent: true })
    else if (this.#shouldPark(active)) void this.#write(active, { urgent: true, park: true })
    else this.#wakeInTime(active)
  }

  /**
   * A call that is out must not keep the rest of its transaction from its time, so the next moment is looked for once a second. A wake
   * far ahead would outlive what it is for.
   */
  #wakeInTime(active: Active): void {
    const { nextAt, endedAt } = active.transaction
    if (nextAt === null || endedAt !== null || active.parkedAt !== null || active.gone) return
    const at = Math.min(nextAt, this.#parts.storeClock.now() + parkAfterMs)
    if (active.wakeAt !== null && active.wakeAt <= at) return
    active.wakeAt = at
    this.#wakes.add(active.id, at)
  }

  async #write(active: Active, how: { urgent: boolean; park: boolean; audit?: AuditRow }): Promise<boolean> {
    const { journal, storeClock, instance } = this.#parts
    const now = storeClock.now()
    const { change, transaction } = active
    active.owned = !how.park && !this.#isOpen(active)
    if (how.park) active.parkedAt = change
    const { entry, kept } = nextEntry(active, { owner: active.owned ? instance : null, now, audit: how.audit })
    const ended = transaction.endedAt !== null
    // Not awaited: two changes of one transaction must reach the journal in their order.
    if (ended) void failpoint('coordinator.end.before-durable')
    else if (transaction.status !== active.durable.status) void failpoint('coordinator.decision.before-durable')
    try {
      const result = await (how.urgent || ended ? journal.write(entry) : journal.writeLazily(entry))
      return this.#written(active, result, { change, transaction: kept, updatedAt: now })
    } catch (error) {
      // Only a closed journal rejects: the coordinator is stopping, or its disk failed. Who waits is told by `apply`.
      active.failure = error
      this.#forget(active)
      return false
    }
  }

  #written(
    active: Active,
    result: EntryResult,
    at: { change: number; transaction: Transaction; updatedAt: number },
  ): boolean {
    if (active.gone) return false
    if (result.kind !== 'applied') {
      this.#lose(active, result)
      return false
    }
    const turned = at.transaction.status !== active.durable.status
    active.durableChange = Math.max(active.durableChange, at.change)
    if (at.change >= active.durableChange) active.durable = withOperatorColumns(at.transaction, result.row)
    active.updatedAt = at.updatedAt
    // Durable, but claimed by somebody since: an unanswered batch was repeated.
    if (result.row.epoch !== active.epoch) {
      this.#lose(active, { kind: 'stale', row: null })
      return true
    }
    const heldElsewhere = result.row.held !== null && active.transaction.held === null
    active.transaction = withOperatorColumns(active.transaction, newestOperatorColumns(active, result.row, at.change))
    active.version = Math.max(active.version, result.row.version)
    this.#parts.reporter.report(active)
    if (turned) void failpoint('coordinator.decision.after-durable')
    this.#calls.unblock(active)
    this.#settle(active, at.change)
    if (heldElsewhere && !active.gone) this.#restOrWait(active)
    return true
  }

  /** What is durably final, or handed back, leaves the memory. */
  #settle(active: Active, change: number): void {
    const final = active.endedAt !== null && active.durableChange >= active.endedAt
    const parked = active.parkedAt !== null && change >= active.parkedAt
    if (!final && !parked) {
      // Held while a call is still out: who waits is told now.
      if (active.durable.held !== null) this.#parts.onSettled(active.id, this.#snapshot(active))
      // Written as ours all the same where the estimate of the store's clock was put back meanwhile: then it is handed over first.
      else if (active.durableChange >= active.change && this.#isOpen(active))
        void this.#leaveOpen(active, { urgent: true })
      return
    }
    if (final) void failpoint('coordinator.end.after-durable')
    const tells = final || active.transaction.held !== null
    this.#forget(active)
    this.#parts.onSettled(active.id, tells ? this.#snapshot(active) : null)
  }

  /** Somebody else moved the row: the epoch has decided. */
  #lose(active: Active, result: EntryResult): void {
    const { logger, onSettled } = this.#parts
    if (result.kind === 'invalid') {
      logger.error({ id: active.id, error: result.message }, 'the store cannot hold a change')
      this.#parts.onStranded()
    } else logger.info({ id: active.id, epoch: active.epoch }, 'let go of a transaction that another instance owns')
    this.#forget(active)
    onSettled(active.id, null)
  }

  #forget(active: Active): void {
    if (this.#actives.get(active.id) === active) this.#actives.delete(active.id)
    this.#atHand.delete(active)
    active.leave()
  }

  async #durable(active: Active): Promise<boolean> {
    if (active.durableChange >= active.change) return true
    return this.#write(active, { urgent: true, park: false })
  }

  #release(active: Active, commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.kind === 'alert') active.alerts.push({ command, change: active.change })
      else this.#calls.submit(active, command)
    }
    if (active.alerts.length > 0 && active.durableChange >= active.change) this.#parts.reporter.report(active)
  }

  #woken(id: string): void {
    const active = this.#actives.get(id)
    if (active === undefined) return
    // Also of what nobody drives now: a wake that is over must not pass for one that is still to come.
    active.wakeAt = null
    if (this.#atHand.has(active) || active.parkedAt !== null || active.transaction.endedAt !== null) return
    const { nextAt } = active.transaction
    const due = nextAt !== null && nextAt <= this.#parts.storeClock.now()
    if (due) this.#feed(active, { kind: 'woke' })
    else this.#wakeInTime(active)
  }

  #snapshot(active: Active): Snapshot {
    const { durable: transaction, base, version, updatedAt, spilled } = active
    return { transaction, base, version, updatedAt, spilled }
  }
}
