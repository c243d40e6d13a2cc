import { LockstepError, messageOf } from '../errors.ts'
import type {
  EntryResult,
  Environment,
  HeartbeatAnswer,
  History,
  ListFilter,
  Logger,
  Pattern,
  PatternMachine,
  StoredTransaction,
  TargetDirectory,
  TransactionStore,
  Transport,
} from '../ports/index.ts'
import type { TransactionBody, TransactionListBody } from '../protocol/index.ts'
import { checkTransactionId } from '../protocol/names.ts'
import { type ActionRequest, actOn } from './actions.ts'
import { type BeginBody, type ReadBegin, readBegin } from './begin-body.ts'
import { Changes, expired, unstorable } from './changes.ts'
import { Dispatcher } from './dispatcher.ts'
import { Driver } from './driver.ts'
import { Intake, type NewRow } from './intake.ts'
import { Journal, storeUnavailable } from './journal.ts'
import { Ownership } from './ownership.ts'
import { Recovery } from './recovery.ts'
import { Retention, type RetentionSettings } from './retention.ts'
import type { Snapshot } from './snapshot.ts'
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
  /** Active transactions plus waiting journal entries; beyond it a begin is answered `LOCKSTEP_BUSY`. */
  readonly intakeMax: number
  readonly retention: RetentionSettings
  /** The disk failed and the coordinator has stopped. The process should say so and end. */
  readonly onFailed?: (error: LockstepError) => void
}

/** A transaction, and whether this very call began it. */
export interface BeginAnswer {
  readonly transaction: TransactionBody
  readonly replayed: boolean
}

/** What a pattern's builder makes of an input: the body of a begin without its id. */
export interface Runnable<Input, Output> {
  body(input: Input): { readonly pattern: Pattern; readonly [key: string]: unknown }
  /** Never set; carries the type of the output. */
  readonly outputType?: Output
}

export interface RunOptions {
  readonly id: string
  /** How long to wait for the end, milliseconds or `'10s'`; 60 s at most and by default. */
  readonly wait?: BeginBody['wait']
  readonly deadline?: BeginBody['wait']
  readonly labels?: Readonly<Record<string, string>>
}

export type RunOutcome<Output> =
  /** `incomplete`: an operator has skipped a step, and its output is missing. */
  | { readonly status: 'committed'; readonly output: Output; readonly incomplete: boolean }
  | { readonly status: 'rolled-back'; readonly reason: TransactionBody['reason']; readonly incomplete: boolean }
  | { readonly status: 'held'; readonly reason: string }
  /** The wait ended first. The transaction goes on; `get` tells how it ends. */
  | { readonly status: 'unfinished' }

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
export class Coordinator {
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
    this.#driver = new Driver({
      environment,
      storeClock,
      storeId: () => this.#storeId,
      instance,
      journal: this.#journal,
      dispatcher: new Dispatcher({ transport, clock, random, queueMax: Math.max(16, Math.floor(parts.intakeMax / 4)) }),
      machines: parts.machines,
      logger,
      mayCall: () => this.#ownership.mayCall(),
      onStranded: () => this.#recovery.lookForLost(),
      onSettled: (id, snapshot) => this.#waiters.settled(id, snapshot),
    })
    const driver = this.#driver
    this.#waiters = new Waiters({ store, timers, isDrivenHere: (id) => driver.find(id) !== undefined })
    const canCall = (needs: readonly string[]) => needs.every((service) => parts.services.includes(service))
    const shared = { driver, journal: this.#journal, storeClock, instance, canCall }
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

  /** Begins what a builder describes and waits for its end. */
  async run<Input, Output>(
    runnable: Runnable<Input, Output>,
    input: Input,
    options: RunOptions,
  ): Promise<RunOutcome<Output>> {
    const { id, wait = 60_000, deadline, labels } = options
    const given = { ...(deadline === undefined ? {} : { deadline }), ...(labels === undefined ? {} : { labels }) }
    const body = { ...runnable.body(input), ...given, id, wait } as BeginBody
    const { transaction } = await this.begin(body)
    return outcomeOf<Output>(transaction)
  }

  /** The durable state, or null when there is none. Throws `LOCKSTEP_EXPIRED` past retention. */
  async get(id: string, options: { readonly waitMs?: number } = {}): Promise<TransactionBody | null> {
    this.#mustRun()
    checkTransactionId(id)
    const row = await this.#answered(this.#changes.read(id), id)
    return row === null ? null : this.#present(await this.#whenSettled(row, options.waitMs ?? 0))
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
  async decide(
    id: string,
    decision: 'commit' | 'rollback',
    options: { readonly waitMs?: number } = {},
  ): Promise<TransactionBody> {
    this.#mustRun()
    checkTransactionId(id)
    this.#intake.refuseWhenCrowded()
    const snapshot = await this.#answered(this.#decided(id, decision), id)
    return this.#present(await this.#whenSettled(snapshot, options.waitMs ?? 0))
  }

  /** The initiator's cancel of a running saga, or the rollback decision of a pattern that has one. */
  rollback(id: string, options: { readonly waitMs?: number } = {}): Promise<TransactionBody> {
    return this.decide(id, 'rollback', options)
  }

  /** An operator's action; one audit row. Fails with `LOCKSTEP_ACTION_NOT_ALLOWED` where the state forbids it. */
  async act(id: string, request: ActionRequest): Promise<TransactionBody> {
    this.#mustRun()
    checkTransactionId(id)
    this.#intake.refuseWhenCrowded()
    const machineOf = (row: StoredTransaction) => this.#driver.machineOf(row.pattern)
    const snapshot = await this.#answered(actOn(id, request, { changes: this.#changes, machineOf }), id)
    if (snapshot === null) throw notFound(id)
    this.#recovery.hurry()
    return this.#present(snapshot)
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

  async #decided(id: string, decision: 'commit' | 'rollback'): Promise<Snapshot> {
    const changed = await this.#changes.change(id, { kind: 'decide', decision })
    if (changed !== null) return changed
    if (decision === 'commit') throw notFound(id)
    const row = this.#intake.tombstone(id)
    const result = await this.#journal.write({ kind: 'insert', row })
    if (result.kind === 'applied') return snapshotOf({ ...row, ...result.row, expired: false })
    // A begin came in between: it is there now, and is rolled back like any other.
    return this.#decided(id, decision)
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

function outcomeOf<Output>({ status, output, reason, incomplete, held }: TransactionBody): RunOutcome<Output> {
  if (status === 'committed') return { status, output: output as Output, incomplete }
  if (status === 'rolled-back') return { status, reason, incomplete }
  return held === null ? { status: 'unfinished' } : { status: 'held', reason: held.reason }
}

function notFound(id: string): LockstepError {
  return new LockstepError('LOCKSTEP_NOT_FOUND', { message: `There is no transaction ${id}.` })
}
