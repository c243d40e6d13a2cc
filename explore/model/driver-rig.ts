/**
 * The real driver, journal and changes over one row, with every choice left to whoever holds the rig: when the store answers, when a call
 * leaves and how it ends, when time passes.
 */
import type { Entry, EntryResult, Event, PatternMachine, StoredTransaction, Transaction } from 'lockstep/ports'
import { silentLogger } from 'lockstep/ports'
import { Changes, Driver, Journal, StoreClock } from 'lockstep/testing'

type DriverParts = ConstructorParameters<typeof Driver>[0]
type ChangesParts = ConstructorParameters<typeof Changes>[0]
type Job = Parameters<DriverParts['dispatcher']['submit']>[0]
type Active = NonNullable<ReturnType<Driver['find']>>
/** What the driver writes, and what takes a row from elsewhere. */
type Writing = Extract<Entry, { kind: 'advance' | 'take' }>

/** A call that the driver has let go. */
export interface OpenCall {
  readonly job: Job
  isSent: boolean
}

export interface DriverRigOptions {
  readonly machine: PatternMachine
  readonly transaction: Transaction
  /** Runs it in this turn of the event loop, but not at once. */
  readonly soon: (fire: () => void) => void
}

export class DriverRig {
  nowMs = 1_000
  /** Counts on with every draw: no two waits end together. */
  draws = 0
  calls: OpenCall[] = []
  /** The commit that the store has not answered. */
  batch: { readonly entry: Writing; readonly settle: (result: EntryResult) => void } | null = null
  row: StoredTransaction
  driver!: Driver
  journal!: Journal
  readonly #options: DriverRigOptions
  #timers: { readonly at: number; readonly fire: () => void }[] = []

  constructor(options: DriverRigOptions) {
    this.#options = options
    this.row = rowOf(options.transaction)
    this.#restart()
  }

  get active(): Active | undefined {
    return this.driver.find(this.row.id)
  }

  /** The initiator's begin was durable just now. */
  begin(): void {
    const rests = this.row.status === 'prepared'
    this.row = { ...this.row, owner: rests ? null : 'i' }
    if (rests) this.driver.keepAtHand(this.row)
    else this.driver.adopt(this.row, { kind: 'woke' })
  }

  /** Another instance claims it, or the same one after a restart. */
  claim(event: Event): void {
    this.#restart()
    this.row = { ...this.row, owner: 'i', epoch: this.row.epoch + 1 }
    this.driver.adopt(this.row, event)
  }

  /** A decision or a registration comes to an instance that does not drive it. */
  take(event: Event): void {
    this.#restart()
    const { driver, journal } = this
    const store = { read: async () => [this.row] } as unknown as ChangesParts['store']
    const reporter = { tell: () => {} } as unknown as ChangesParts['reporter']
    const storeClock = new StoreClock(this.#clock)
    const changes = new Changes({ store, driver, journal, reporter, storeClock, instance: 'i', canCall: () => true })
    // A refusal is the caller's.
    changes.change(this.row.id, event).catch(() => {})
  }

  /** The store answers: what was submitted is durable. */
  land(): Writing {
    const { batch } = this
    if (batch === null) throw new Error('Nothing is on its way.')
    this.batch = null
    const { entry, settle } = batch
    const { row } = this
    const taken = entry.kind === 'take' ? { ...entry.operator, epoch: row.epoch + 1 } : { held: heldAfter(row, entry) }
    this.row = { ...row, ...entry.work, ...entry.progress, ...taken, version: row.version + 1 }
    const { epoch, version, held, deadlineAt, ageFrom } = this.row
    settle({ kind: 'applied', row: { epoch, version, held, deadlineAt, ageFrom } })
    return entry
  }

  /** Time passes, and what was to happen then happens. */
  pass(at: number): void {
    this.nowMs = at
    const due = this.#timers.filter((timer) => timer.at <= at)
    this.#timers = this.#timers.filter((timer) => timer.at > at)
    for (const { fire } of due) fire()
  }

  get #clock() {
    return { now: () => this.nowMs, monotonicMs: () => this.nowMs }
  }

  #restart(): void {
    this.batch = null
    this.#timers = []
    this.calls = []
    this.journal = this.#startJournal()
    const after = (delayMs: number, fire: () => void) => {
      this.#timers.push({ at: this.nowMs + delayMs, fire })
      return { cancel: () => {} }
    }
    const random = { fraction: () => ((this.draws++ % 89) + 1) / 1_000, hex: () => 'i' }
    const { machine } = this.#options
    this.driver = new Driver({
      ...quietParts,
      environment: { clock: this.#clock, timers: { after }, random, sha256: (text) => text },
      storeClock: new StoreClock(this.#clock),
      journal: this.journal,
      dispatcher: { submit: (job: Job) => void this.calls.push({ job, isSent: false }) } as DriverParts['dispatcher'],
      machines: new Map([[machine.pattern, machine]]),
    })
  }

  /** One whose lazy entries do not wait for company: how long they do is left open by the model. */
  #startJournal(): Journal {
    let readings = 0
    const clock = { now: () => 0, monotonicMs: () => (readings += 1_000) }
    const after = (_: number, fire: () => void) => {
      this.#options.soon(fire)
      return { cancel: () => {} }
    }
    const commit = (entries: readonly Entry[]): Promise<readonly EntryResult[]> => {
      const [entry] = entries
      if (entry?.kind !== 'advance' && entry?.kind !== 'take') throw new Error('Nothing else is written here.')
      return new Promise((resolve) => {
        this.batch = { entry, settle: (result) => resolve([result]) }
      })
    }
    const store = { name: 'rig', commit } as unknown as ConstructorParameters<typeof Journal>[0]['store']
    const onFailed = (): void => {}
    return new Journal({ store, instance: 'i', clock, timers: { after }, logger: silentLogger, onFailed })
  }
}

const quietParts = {
  storeId: () => 's',
  instance: 'i',
  logger: silentLogger,
  alerts: { raise: () => {} },
  reporter: { report: tellNobody } as unknown as DriverParts['reporter'],
  barrierRetentionMs: 10 ** 9,
  atHandMax: 16,
  canCall: () => true,
  mayCall: () => true,
  beginLinked: async () => null,
  onStranded: () => {},
  onSettled: () => {},
}

/** What is durable is told, and is then no reason to write any more. */
function tellNobody(active: Active): void {
  active.alerts = active.alerts.filter(({ change }) => change > active.durableChange)
}

export function heldAfter(row: StoredTransaction, entry: Writing): StoredTransaction['held'] {
  if (entry.kind === 'take') return entry.operator === undefined ? row.held : entry.operator.held
  return row.held ?? entry.hold ?? null
}

function rowOf(transaction: Transaction): StoredTransaction {
  const { id, pattern, status, needs, createdAt, deadlineAt, ageFrom, definition, state } = transaction
  return {
    id,
    pattern,
    contentHash: '',
    labels: {},
    createdAt,
    traceparent: null,
    definition: JSON.stringify(definition),
    needs,
    status,
    state: JSON.stringify({ state, attempts: [], alertedFor: null, spilled: 0 }),
    reason: null,
    updatedAt: 0,
    endedAt: null,
    nextAt: null,
    owner: null,
    held: null,
    deadlineAt,
    ageFrom,
    epoch: 1,
    version: 1,
    expired: false,
  }
}
