import { isLockstepError, LockstepError, messageOf } from '../errors.ts'
import type {
  Alerts,
  Decision,
  EntryResult,
  Environment,
  Event,
  HeartbeatAnswer,
  History,
  LinkedBody,
  ListFilter,
  Logger,
  Pattern,
  PatternMachine,
  StoredTransaction,
  TargetDirectory,
  Transaction,
  TransactionStore,
  Transport,
} from '../ports/index.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'
import { isObject } from '../protocol/checker.ts'
import type {
  ActionRequest,
  BeginAnswer,
  BeginBody,
  BranchBegin,
  Coordination,
  TransactionBody,
  TransactionListBody,
  WaitOptions,
} from '../protocol/index.ts'
import { checkTransactionId } from '../protocol/names.ts'
import { actOn, decisionCures, released } from './actions.ts'
import { type ReadBegin, readBegin } from './begin-body.ts'
import { Changes, expired, unstorable } from './changes.ts'
import { Dispatcher } from './dispatcher.ts'
import { Driver } from './driver.ts'
import { Intake, type NewRow } from './intake.ts'
import { Journal, storeUnavailable } from './journal.ts'
import { Ownership } from './ownership.ts'
import { Recovery } from './recovery.ts'
import { Reporter } from './reporter.ts'
import { Retention, type RetentionSettings } from './retention.ts'
import type { Changed, Snapshot } from './snapshot.ts'
import { StoreClock } from './store-clock.ts'
import { present, snapshotOf } from './view.ts'
import { isSettled, Waiters } from './waiters.ts'
import { within } from './within.ts'

export interface CoordinatorParts {
  readonly store: TransactionStore
  readonly transport: Transport
  readonly targets: TargetDirectory
  /** Services whose participants this instance can call: it claims no others (law 11). */
  readonly services: readonly string[]
  readonly machines: ReadonlyMap<Pattern, PatternMachine>
  readonly environment: Environment
  readonly logger: Logger
  readonly alerts: Alerts
  /** Active transactions plus waiting journal entries; beyond it a begin is answered `LOCKSTEP_BUSY`. */
  readonly intakeMax: number
  readonly retention: RetentionSettings
  /** How long participants remember what ran (law 10). */
  readonly barrierRetentionMs: number
  /** The disk failed and the coordinator has stopped. The process should say so and end. */
  readonly onFailed?: (error: LockstepError) => void
}

/** A caller waits this long for the store before it is told `unknown`; the entry itself stays and is repeated. */
const answerWithinMs = 5_000
const drainGraceMs = 5_000

/**
 * Drives transactions to their end: the same class inside a service and behind the server.
 *
 * **Guarantees** what the twelve laws say (docs/laws.md): nothing that was answered is lost, each operation takes effect once where
 * the participant uses the barrier, and every transaction ends, or is held where a person sees it.
 * **Does not guarantee** when a transaction ends, nor isolation: others see what the steps before have done.
 */
export class Coordinator implements Coordination {
  readonly #parts: CoordinatorParts
  readonly #instance: string
  readonly #journal: Journal
  readonly #driver: Driver
  readonly #ownership: Ownership
  readonly #recovery: Recovery
  readonly #waiters: Waiters
  readonly #changes: Changes
  readonly #intake: Intake
  readonly #retention: Retention
  readonly #storeClock: StoreClock
  #storeId = ''
  #stopping: Promise<void> | null = null
  #phase: 'new' | 'running' | 'stopping' | 'stopped' | 'failed' = 'new'

  constructor(parts: CoordinatorParts) {
    const { store, transport, environment, logger } = parts
    const { clock, timers, random } = environment
    this.#parts = parts
    // Law 5: a new id at every start. Whatever the former process of this host owned is somebody else's.
    const instance = random.hex(8, 'instance')
    this.#instance = instance
    const storeClock = new StoreClock(clock)
    this.#storeClock = storeClock
    const services = () => parts.services
    const onFailed = (error: LockstepError) => this.#fail(error)
    this.#journal = new Journal({ store, instance, clock, timers, logger, onFailed })
    const onHeld = (held: HeartbeatAnswer['held']) => this.#onHeld(held)
    this.#ownership = new Ownership({ store, environment, storeClock, instance, services, logger, onHeld, onFailed })
    const canCall = (needs: readonly string[]) => needs.every((service) => parts.services.includes(service))
    const reporter = new Reporter(parts.alerts, storeClock)
    this.#driver = new Driver({
      environment,
      storeClock,
      storeId: () => this.#storeId,
      instance,
      journal: this.#journal,
      dispatcher: new Dispatcher({ transport, clock, random, queueMax: Math.max(16, Math.floor(parts.intakeMax / 4)) }),
      machines: parts.machines,
      logger,
      alerts: parts.alerts,
      reporter,
      barrierRetentionMs: parts.barrierRetentionMs,
      atHandMax: Math.max(16, Math.floor(parts.intakeMax / 4)),
      canCall,
      mayCall: () => this.#ownership.mayCall(),
      beginLinked: (from, branch, body) => this.#beginLinked(from, branch, body),
      onStranded: () => this.#recovery.lookForLost(),
      onSettled: (id, snapshot) => this.#waiters.settled(id, snapshot),
    })
    const driver = this.#driver
    this.#waiters = new Waiters({ store, timers, isDrivenHere: (id) => driver.drives(id) })
    const shared = { driver, reporter, journal: this.#journal, storeClock, instance, canCall }
    this.#changes = new Changes({ ...shared, store })
    const intake = new Intake({ ...shared, intakeMax: parts.intakeMax })
    this.#intake = intake
    const freeIntake = () => intake.free
    this.#recovery = new Recovery({ store, environment, driver, instance, services, freeIntake, logger, onFailed })
    this.#retention = new Retention({ store, environment, storeClock, logger, settings: parts.retention })
  }

  /** Opens the store, takes a lease, and begins to claim what is due. Throws when the store cannot be used. */
  async start(): Promise<void> {
    const { clock } = this.#parts.environment
    const sentMs = clock.monotonicMs()
    const { id, now, warnings = [] } = await this.#parts.store.open()
    for (const warning of warnings) this.#parts.logger.warn({ store: this.#parts.store.name }, warning)
    this.#storeId = id
    this.#storeClock.learn(now, sentMs)
    await this.#ownership.start()
    this.#phase = 'running'
    this.#recovery.start()
    this.#retention.start()
  }

  /**
   * Begins a transaction, or answers the one that has this id and this content. Resolves once it is durable; with `wait`, once it is
   * final or held, or the time is up. Fails with `LOCKSTEP_INVALID_REQUEST`, `LOCKSTEP_ID_REUSED`, `LOCKSTEP_BUSY`,
   * `LOCKSTEP_STORE_UNAVAILABLE` (unknown: repeat it as it is).
   */
  async begin(body: BeginBody, options: { readonly traceparent?: string } = {}): Promise<BeginAnswer> {
    this.#mustRun()
    const { machines, targets, environment } = this.#parts
    const read = readBegin(body, { machines, targets, sha256: environment.sha256 })
    this.#intake.refuseWhenFull()
    const row = this.#intake.newRow(read, options.traceparent ?? null)
    const result = await this.#intake.counted(() => this.#answered(this.#intake.insert(row), row.id))
    return await this.#begun(read, row, result)
  }

  /** The durable state, or null when there is none. Throws `LOCKSTEP_EXPIRED` past retention. */
  async get(id: string, options: WaitOptions = {}): Promise<TransactionBody | null> {
    this.#mustRun()
    checkTransactionId(id)
    const row = await this.#answered(this.#changes.read(id), id)
    return row === null ? null : this.#present(await this.#whenSettled(row, options.waitMs ?? 0))
  }

  /**
   * Registers a branch, before its work starts; durable when it resolves. The same branch again is answered alike. Fails with
   * `LOCKSTEP_DECIDED` once the decision is taken (law 8), `LOCKSTEP_ID_REUSED` for other content, `LOCKSTEP_NOT_FOUND`.
   */
  async register(id: string, branch: BranchBegin): Promise<BeginAnswer> {
    this.#mustRun()
    checkTransactionId(id)
    this.#intake.refuseWhenCrowded()
    const plan = (pattern: Pattern): Event => ({ kind: 'register', branch: this.#planBranch(pattern, branch) })
    const changed = await this.#answered(this.#changes.change(id, plan), id)
    if (changed === null) throw notFound(id)
    return { transaction: await this.#present(changed.snapshot), replayed: changed.repeated }
  }

  #planBranch(pattern: Pattern, branch: BranchBegin) {
    if (!isObject(branch)) {
      const message = 'The body must be a JSON object.'
      throw new LockstepError('LOCKSTEP_INVALID_REQUEST', { message, issues: [{ path: '', message }] })
    }
    // What JSON would change or drop on its way is refused here as in a begin.
    canonicalJson(branch)
    return this.#driver.machineOf(pattern).planBranch(branch, this.#parts.targets)
  }

  /**
   * A page of transactions, newest first, as `get` shows them but without their branches. Fails with
   * `LOCKSTEP_STORE_UNAVAILABLE`, and `LOCKSTEP_INVALID_REQUEST` for a cursor that no page has named.
   */
  async list(filter: Partial<ListFilter> = {}): Promise<TransactionListBody> {
    this.#mustRun()
    const page = await this.#answered(this.#parts.store.list({ limit: 50, ...filter }), 'the list')
    const rows = await this.#answered(this.#parts.store.read(page.items.map((row) => row.id)), 'the list')
    const full = new Map(rows.filter((row) => !row.expired).map((row) => [row.id, row]))
    // What retention has reduced between the two reads is left out: it is no longer listed.
    const shown = page.items.flatMap(({ id }) => full.get(id) ?? [])
    return { items: shown.map((row) => this.#presentListed(row)), next: page.next }
  }

  #presentListed(row: StoredTransaction): TransactionListBody['items'][number] {
    const machine = this.#parts.machines.get(row.pattern)
    const { branches: _, ...listed } = present(snapshotOf(row), { store: this.#storeId, machine, older: [] })
    return listed
  }

  /**
   * Takes the decision. The first durable one wins; the same one again is answered alike. Rolling back an id that was never begun
   * leaves a tombstone, so that a late begin is refused. Committing such an id: `LOCKSTEP_NOT_FOUND`.
   */
  async decide(id: string, decision: Decision, options: WaitOptions = {}): Promise<TransactionBody> {
    this.#mustRun()
    checkTransactionId(id)
    this.#intake.refuseWhenCrowded()
    const snapshot = await this.#answered(this.#decided(id, decision), id)
    return this.#present(await this.#whenSettled(snapshot, options.waitMs ?? 0))
  }

  /** The initiator's cancel of a running saga, or the rollback decision of a pattern that has one. */
  rollback(id: string, options: WaitOptions = {}): Promise<TransactionBody> {
    return this.decide(id, 'rollback', options)
  }

  /** An operator's action; one audit row. Fails with `LOCKSTEP_ACTION_NOT_ALLOWED` where the state forbids it. */
  async act(id: string, request: ActionRequest): Promise<TransactionBody> {
    this.#mustRun()
    checkTransactionId(id)
    this.#intake.refuseWhenCrowded()
    const machineOf = (row: StoredTransaction) => this.#driver.machineOf(row.pattern)
    const changed = await this.#answered(actOn(id, request, { changes: this.#changes, machineOf }), id)
    if (changed === null) throw notFound(id)
    this.#recovery.hurry()
    return this.#present(changed.snapshot)
  }

  /** What operators did to a transaction, and its attempts that are too old to be shown with it. */
  history(id: string): Promise<History> {
    this.#mustRun()
    checkTransactionId(id)
    return this.#answered(this.#parts.store.history(id), id)
  }

  get activeCount(): number {
    return this.#driver.activeCount
  }

  get takeovers(): number {
    return this.#recovery.takeovers
  }

  /** Null when requests can be served; otherwise why not. */
  get notReady(): string | null {
    if (this.#phase !== 'running') return this.#phase
    return this.#ownership.mayCall() ? null : 'the store does not answer'
  }

  /** Stops intake, hands back what it drives, makes durable what waits, ends its lease. Called again, it waits for the same end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const failed = this.#phase === 'failed'
    this.#phase = 'stopping'
    this.#retention.stop()
    const { timers } = this.#parts.environment
    await within(this.#recovery.stop(), drainGraceMs, timers)
    if (!failed) await this.#handBack()
    this.#release(
      new LockstepError('LOCKSTEP_STOPPING', { message: 'The coordinator is stopping.', outcome: 'unknown' }),
    )
    await this.#parts.transport.close()
    const closed = this.#parts.store.close()
    await within(
      closed.catch((error) => this.#parts.logger.warn({ error: messageOf(error) }, 'closing the store')),
      drainGraceMs,
      timers,
    )
    this.#phase = 'stopped'
  }

  async #handBack(): Promise<void> {
    const { logger, environment, store } = this.#parts
    try {
      await this.#driver.drain(drainGraceMs)
      await within(this.#journal.flush(), drainGraceMs, environment.timers)
      await within(store.resign(this.#instance), drainGraceMs, environment.timers)
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'not everything was handed back; its lease will end by itself')
    }
  }

  #release(reason: LockstepError): void {
    this.#ownership.stop()
    this.#journal.close(reason)
    this.#driver.abandon()
    this.#waiters.close()
  }

  #fail(error: LockstepError): void {
    this.#phase = 'failed'
    this.#parts.logger.error({ code: error.code, error: error.message }, 'the store failed; nothing more is promised')
    this.#retention.stop()
    void this.#recovery.stop()
    this.#release(error)
    this.#parts.onFailed?.(error)
  }

  async #begun(read: ReadBegin, row: NewRow, result: EntryResult): Promise<BeginAnswer> {
    if (result.kind === 'exists') return this.#replayed(read, result.row)
    if (result.kind === 'invalid') throw unstorable(result.message)
    if (result.kind !== 'applied') throw new LockstepError('LOCKSTEP_BUG', { message: `begin ended as ${result.kind}` })
    const stored: StoredTransaction = { ...row, ...result.row, expired: false }
    const snapshot = await this.#whenSettled(stored, read.waitMs)
    return { transaction: await this.#present(snapshot), replayed: false }
  }

  async #replayed(read: ReadBegin, row: StoredTransaction): Promise<BeginAnswer> {
    if (row.pattern === 'none') {
      if (row.expired) throw expired(row)
      const message = `Transaction ${read.id} was rolled back before it was begun.`
      throw new LockstepError('LOCKSTEP_DECIDED', { message, details: { status: row.status } })
    }
    if (row.contentHash !== read.contentHash) {
      throw new LockstepError('LOCKSTEP_ID_REUSED', { message: `Transaction ${read.id} was begun with other content.` })
    }
    if (row.expired) throw expired(row)
    const snapshot = await this.#whenSettled(row, read.waitMs)
    return { transaction: await this.#present(snapshot), replayed: true }
  }

  async #decided(id: string, decision: Decision): Promise<Snapshot> {
    const machineOf = (row: StoredTransaction) => this.#driver.machineOf(row.pattern)
    const lettingGo = (row: StoredTransaction, now: number) => released(row, machineOf, now)
    const by = { cures: decisionCures, lettingGo }
    const changed: Changed | null = await this.#changes.change(id, { kind: 'decide', decision }, by)
    if (changed !== null) return changed.snapshot
    if (decision === 'commit') throw notFound(id)
    const row = this.#intake.tombstone(id)
    const result = await this.#journal.write({ kind: 'insert', row })
    if (result.kind === 'applied') return snapshotOf({ ...row, ...result.row, expired: false })
    // A begin came in between: it is there now, and is rolled back like any other.
    return this.#decided(id, decision)
  }

  /**
   * A transaction that another one asks for, already decided. Its id is made from the other's, so that asking again finds it. Resolves
   * with the reason when there can be none.
   */
  async #beginLinked(from: Transaction, branch: string, linked: LinkedBody): Promise<string | null> {
    const { machines, targets, environment } = this.#parts
    const id = `linked-${environment.sha256(`${from.id} ${branch}`).slice(0, 40)}`
    try {
      const read = readBegin({ ...linked, id }, { machines, targets, sha256: environment.sha256 })
      const result = await this.#intake.insertDecided(read)
      if (result.kind === 'invalid') return result.message
      if (result.kind !== 'exists' || result.row.contentHash === read.contentHash) return null
      return `the id ${id} belongs to another transaction`
    } catch (error) {
      if (isLockstepError(error) && error.outcome === 'not-applied' && !error.retriable) return error.message
      throw error
    }
  }

  /** `known` is durable. The picture of a row is made only where it is answered: its text has to be parsed for it. */
  async #whenSettled(known: StoredTransaction | Snapshot, waitMs: number): Promise<Snapshot> {
    const picture = () => ('base' in known ? known : snapshotOf(known))
    const { id, endedAt, held } = 'base' in known ? known.transaction : known
    if (waitMs <= 0 || isSettled({ endedAt, held })) return picture()
    const settled = await this.#waiters.wait(id, waitMs)
    if (settled !== null) return settled
    // The store may be closed by now; what is durable for certain is good enough to answer.
    if (this.#phase !== 'running') return picture()
    const row = await this.#changes.read(id)
    return row === null ? picture() : snapshotOf(row)
  }

  async #present(snapshot: Snapshot): Promise<TransactionBody> {
    const { transaction, spilled } = snapshot
    const older = spilled > 0 ? (await this.#parts.store.history(transaction.id)).attempts : []
    return present(snapshot, { store: this.#storeId, machine: this.#parts.machines.get(transaction.pattern), older })
  }

  /** The answer, or `LOCKSTEP_STORE_UNAVAILABLE` (unknown) when the store keeps the caller waiting too long. */
  async #answered<T>(answer: Promise<T>, id: string): Promise<T> {
    let timer: { cancel(): void } | undefined
    const late = new Promise<never>((_, reject) => {
      const message = `The store has not answered for ${answerWithinMs} ms; whether ${id} was changed is not known yet.`
      timer = this.#parts.environment.timers.after(answerWithinMs, () => reject(storeUnavailable(message)))
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      timer?.cancel()
    }
  }

  #onHeld(held: HeartbeatAnswer['held']): void {
    for (const { id, operator, version } of held) {
      const active = this.#driver.find(id)
      if (active === undefined || active.transaction.held !== null || version < active.version) continue
      this.#driver.mark(active, operator, version)
    }
  }

  #mustRun(): void {
    if (this.#phase === 'running') return
    if (this.#phase === 'failed')
      throw new LockstepError('LOCKSTEP_STORE_FAILED', { message: 'The store has failed.', outcome: 'not-applied' })
    const message = this.#phase === 'new' ? 'The coordinator was not started.' : 'The coordinator is stopping.'
    throw new LockstepError('LOCKSTEP_STOPPING', { message })
  }
}

function notFound(id: string): LockstepError {
  return new LockstepError('LOCKSTEP_NOT_FOUND', { message: `There is no transaction ${id}.` })
}
