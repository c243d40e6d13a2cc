/**
 * `copy.ts` says once more what the driver does. Here the real driver and journal go the same random ways as a copy, and after every step both
 * must have the same transaction in memory, the same writes on their way, the same calls out and the same calls kept back.
 */
import fc from 'fast-check'
import type {
  Entry,
  EntryResult,
  Event,
  Json,
  Outcome,
  PatternMachine,
  StoredTransaction,
  Transaction,
} from 'lockstep/ports'
import { silentLogger } from 'lockstep/ports'
import { canonicalJson } from 'lockstep/protocol'
import { Driver, Journal, messagePattern, StoreClock, sagaPattern, tccPattern } from 'lockstep/testing'
import { expect, it } from 'vitest'
import { type Call, Copies, type Copy, rests } from './copy.ts'
import { forget, notYet } from './forget.ts'
import { Machine, type Shape } from './machine.ts'

type DriverParts = ConstructorParameters<typeof Driver>[0]
type Job = Parameters<DriverParts['dispatcher']['submit']>[0]
type Advance = Extract<Entry, { kind: 'advance' }>

interface Pair {
  readonly job: Job
  isSent: boolean
}

interface Option {
  readonly text: string
  readonly take: () => void
}

interface Way {
  readonly pattern: PatternMachine
  readonly body: Readonly<Record<string, Json>>
  readonly wishes: (machine: Machine) => readonly { readonly name: string; readonly event: Event }[]
}

const decide = (decision: 'commit' | 'rollback') => ({ name: decision, event: { kind: 'decide', decision } as const })
const sagaOf = (second: Readonly<Record<string, Json>>): Way => ({
  pattern: sagaPattern,
  body: {
    deadline: 10_000,
    steps: [
      { name: 'debit', participant: 'bank.debit' },
      { name: 'credit', ...second },
    ],
  },
  wishes: () => [decide('rollback')],
})
const ways: Readonly<Record<string, Way>> = {
  saga: sagaOf({ participant: 'bank.credit' }),
  'saga whose second step gets an output': sagaOf({
    participant: 'bank.credit',
    input: { $output: 'debit', path: '' },
  }),
  'saga of two steps at once': sagaOf({ participant: 'bank.credit', after: [] }),
  tcc: {
    pattern: tccPattern,
    body: { deadline: 10_000 },
    wishes: (machine) => [
      ...['seat', 'room'].map((name) => ({ name, event: machine.registration({ name, participant: `bank.${name}` }) })),
      decide('commit'),
      decide('rollback'),
    ],
  },
  message: {
    pattern: messagePattern,
    body: {
      checkBack: 'bank',
      checkAfter: 10_000,
      deliveries: [
        { name: 'award', to: 'bank.award' },
        { name: 'mail', to: 'bank.mail' },
      ],
    },
    wishes: () => [decide('commit'), decide('rollback')],
  },
}

/** Long enough to be parked, or to rest at hand. */
const longMs = 2_000
/** Well before the deadline: everything here is early. */
const endMs = 8_000

class Rig {
  readonly #machine: Machine
  readonly #copies: Copies
  readonly #way: Way
  readonly #wishes: ReturnType<Way['wishes']>
  #nowMs = 1_000
  #draws = 0
  #timers: { readonly at: number; readonly fire: () => void }[] = []
  #pairs: Pair[] = []
  #batch: { readonly entry: Advance; readonly settle: (result: EntryResult) => void } | null = null
  #row: StoredTransaction
  #rowShape: Shape
  #driver: Driver
  #journal: Journal
  #copy: Copy | null
  readonly #told: string[] = []

  constructor(way: Way) {
    this.#way = way
    this.#machine = new Machine(way.pattern)
    this.#copies = new Copies({ machine: this.#machine, writes: 'split' })
    this.#wishes = way.wishes(this.#machine)
    this.#rowShape = this.#machine.begin(way.body)
    this.#row = rowOf(this.#rowShape.transaction)
    ;[this.#driver, this.#journal] = this.#start()
    if (this.#rowShape.transaction.status === 'prepared') {
      this.#driver.keepAtHand(this.#row)
      this.#copy = this.#copies.atHand(this.#rowShape)
    } else {
      this.#row = { ...this.#row, owner: 'i' }
      this.#driver.adopt(this.#row, { kind: 'woke' })
      this.#copy = this.#copies.adopt(this.#rowShape, { kind: 'woke' }, 'early')
    }
  }

  /** Takes one of the steps that are possible now. False when there is none. */
  async step(choice: number): Promise<boolean> {
    const options = this.#nowMs > endMs ? [] : this.#options()
    const option = options[choice % Math.max(1, options.length)]
    if (option === undefined) return false
    this.#told.push(option.text)
    option.take()
    await turn()
    this.#follow()
    try {
      await this.#compare()
    } catch (error) {
      throw new Error(`after: ${this.#told.join('; ')}`, { cause: error })
    }
    return true
  }

  #options(): Option[] {
    const active = this.#driver.find('t')
    const options: Option[] = []
    if (this.#batch !== null) options.push({ text: 'the write lands', take: () => this.#land() })
    const { endedAt, held, status } = this.#rowShape.transaction
    const isDue = status !== 'prepared' || this.#rowShape.waits.length > 0
    if (endedAt === null && held === null && isDue) options.push({ text: 'a claim', take: () => this.#claim() })
    const copy = this.#copy
    if (active === undefined || copy === null || copy.leaving) return options
    for (const pair of this.#pairs) options.push(...this.#optionsOf(pair, copy))
    for (const wish of this.#wishes) options.push({ text: wish.name, take: () => this.#apply(wish, copy) })
    const { nextAt } = active.transaction
    const isShort =
      this.#driver.drives('t') && status !== 'prepared' && nextAt !== null && nextAt <= this.#nowMs + 1_000
    if (isShort) options.push({ text: 'a back-off is over', take: () => this.#wake(copy, active.transaction, nextAt) })
    return options
  }

  #optionsOf(pair: Pair, copy: Copy): Option[] {
    const call = callOf(copy, pair)
    const name = nameOf(call)
    const isPrepared = copy.shape.transaction.status === 'prepared'
    if (pair.isSent) {
      return outcomesOf(call, isPrepared).map((outcome) => ({
        text: `${name} ends ${JSON.stringify(outcome)}`,
        take: () => {
          this.#end(pair, this.#copies.land(copy, call, outcome, 'early'))
          pair.job.done({ outcome, sentMs: 0, durationMs: 0 })
        },
      }))
    }
    const keepBack = (retryAfterMs: number): Option => ({
      text: `${name} is kept back for ${retryAfterMs} ms`,
      take: () => {
        this.#end(pair, this.#copies.keepBack(copy, call, 'early'))
        pair.job.notSent({ retryAfterMs, missing: false })
      },
    })
    const kept = isPrepared ? [keepBack(longMs)] : [keepBack(longMs), keepBack(20 + (this.#draws % 50))]
    const send = { text: `${name} leaves`, take: () => this.#send(pair, copy, call) }
    return copy.shape.transaction.held === null ? [send, ...kept] : kept
  }

  #send(pair: Pair, copy: Copy, call: Call): void {
    expect(pair.job.mayLeave()).toBe(true)
    pair.isSent = true
    this.#copy = this.#copies.leave(copy, call)
  }

  #end(pair: Pair, copy: Copy): void {
    this.#pairs = this.#pairs.filter((other) => other !== pair)
    this.#copy = copy
  }

  #apply(wish: { readonly name: string; readonly event: Event }, copy: Copy): void {
    const active = this.#driver.find('t')
    if (active === undefined) return
    this.#copy = this.#copies.apply(copy, wish, 'early')
    this.#driver.apply(active, wish.event).catch(() => {})
  }

  #wake(copy: Copy, transaction: Transaction, at: number): void {
    const [path, ...more] = pathsOf(transaction, (value) => value === at)
    // Two at once are one event for the driver, and two for the model.
    if (path === undefined || more.length > 0) return
    const position = pathsOf(copy.shape.transaction, (value) => value === notYet).indexOf(path)
    this.#copy = this.#copies.wake(copy, position) ?? copy
    this.#pass(at)
  }

  #pass(at: number): void {
    this.#nowMs = at
    const due = this.#timers.filter((timer) => timer.at <= at)
    this.#timers = this.#timers.filter((timer) => timer.at > at)
    for (const { fire } of due) fire()
  }

  /** The journal's commit is answered. A copy that hands its row back may have taken two writes to what the driver does in one. */
  #land(): void {
    const { entry, settle } = this.#batch ?? failed('nothing to land')
    this.#batch = null
    const { progress, work, hold } = entry
    const held = this.#row.held ?? hold ?? null
    this.#row = { ...this.#row, ...work, ...progress, held, version: this.#row.version + 1 }
    const { epoch, version, deadlineAt, ageFrom } = this.#row
    const handsBack = progress.owner === null
    for (let copy = this.#copy; copy?.batch != null; copy = copy.leaving && handsBack ? this.#copy : null) {
      this.#rowShape = copy.batch.shape
      this.#copy = this.#copies.answered(this.#copies.lands(copy))
    }
    settle({ kind: 'applied', row: { epoch, version, held, deadlineAt, ageFrom } })
  }

  /** Another instance, or the same after a restart. */
  #claim(): void {
    const takeover = this.#row.owner !== null
    const waits = pathsOf(this.#row, () => false)
    expect(waits).toEqual([])
    if (!takeover) this.#nowMs += longMs
    this.#batch = null
    this.#timers = []
    this.#pairs = []
    ;[this.#driver, this.#journal] = this.#start()
    this.#row = { ...this.#row, owner: 'i', epoch: this.#row.epoch + 1 }
    const event = { kind: 'woke', claim: { takeover } } as const
    const due = takeover ? this.#rowShape : this.#machine.over(this.#rowShape, 'back-offs')
    this.#copy = this.#copies.adopt(due, event, 'early')
    this.#driver.adopt(this.#row, event)
  }

  #start(): [Driver, Journal] {
    const clock = { now: () => this.#nowMs, monotonicMs: () => this.#nowMs }
    const after = (delayMs: number, fire: () => void) => {
      this.#timers.push({ at: this.#nowMs + delayMs, fire })
      return { cancel: () => {} }
    }
    // Different for every draw, so that no two waits end together.
    const random = { fraction: () => ((this.#draws++ % 89) + 1) / 1_000, hex: () => 'i' }
    const environment = { clock, timers: { after }, random, sha256: (text: string) => text }
    const journal = this.#startJournal()
    const parts: Partial<DriverParts> = {
      environment,
      storeClock: new StoreClock(clock),
      storeId: () => 's',
      instance: 'i',
      journal,
      dispatcher: { submit: (job: Job) => void this.#pairs.push({ job, isSent: false }) } as DriverParts['dispatcher'],
      machines: new Map([[this.#way.pattern.pattern, this.#way.pattern]]),
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
    return [new Driver(parts as DriverParts), journal]
  }

  /** One whose lazy entries do not wait: the model leaves it open how long they do. */
  #startJournal(): Journal {
    let readings = 0
    const clock = { now: () => 0, monotonicMs: () => (readings += 1_000) }
    const after = (_: number, fire: () => void) => {
      queueMicrotask(fire)
      return { cancel: () => {} }
    }
    const commit = (entries: readonly Entry[]): Promise<readonly EntryResult[]> => {
      const [entry] = entries
      if (entry?.kind !== 'advance') return failed('the driver writes nothing else')
      return new Promise((resolve) => {
        this.#batch = { entry, settle: (result) => resolve([result]) }
      })
    }
    const store = { name: 'rig', commit } as unknown as ConstructorParameters<typeof Journal>[0]['store']
    const onFailed = (): never => failed('the journal failed')
    return new Journal({ store, instance: 'i', clock, timers: { after }, logger: silentLogger, onFailed })
  }

  /** Parking is the driver's choice, by how long the wait is; the model has both. Nor does it forget a copy at hand. */
  #follow(): void {
    const active = this.#driver.find('t')
    const copy = this.#copy
    if (copy === null) return
    if (active !== undefined && active.parkedAt !== null && !copy.leaving) this.#copy = this.#copies.park(copy)
    if (active === undefined && rests(copy) && copy.batch === null) this.#copy = null
  }

  async #compare(): Promise<void> {
    const active = this.#driver.find('t')
    const copy = this.#copy
    expect(active === undefined).toBe(copy === null)
    if (active === undefined || copy === null) return
    expect(this.#textOf(active.transaction)).toBe(this.#textOf(copy.shape.transaction))
    expect(active.durable.status).toBe(copy.durable)
    const named = (stage: Call['stage']) =>
      copy.calls
        .filter((call) => call.stage === stage)
        .map(nameOf)
        .sort()
    expect(active.blocked.flatMap(({ command }) => (command.kind === 'call' ? [nameOf(command)] : [])).sort()).toEqual(
      named('blocked'),
    )
    const paired = (isSent: boolean) =>
      this.#pairs
        .filter((pair) => pair.isSent === isSent)
        .map(({ job }) => nameOf(job.call))
        .sort()
    expect(paired(false)).toEqual(named('ready'))
    expect(paired(true)).toEqual(named('sent'))
    await this.#compareWrites(copy)
  }

  async #compareWrites(copy: Copy): Promise<void> {
    // What is written although nothing has changed changes nothing.
    while (copy.batch === null && this.#batch !== null) {
      expect(this.#written(this.#batch.entry)).toBe(this.#storedText(copy.written.transaction))
      this.#land()
      await turn()
    }
    const last = copy.leaving ? (copy.waiting ?? copy.batch) : copy.batch
    expect(this.#batch === null).toBe(last === null)
    if (last === null || this.#batch === null || (copy.leaving && this.#journal.size > 0)) return
    expect(this.#written(this.#batch.entry)).toBe(this.#storedText(last.shape.transaction))
    expect(this.#batch.entry.progress.owner !== null).toBe(last.owned)
    // The driver also writes once more what is on its way already, when somebody waits for it.
    if (copy.waiting !== null && !copy.leaving) expect(this.#journal.size).toBeGreaterThan(0)
  }

  #written({ progress, work, hold }: Advance): string {
    const { state } = JSON.parse(progress.state) as { readonly state: unknown }
    const held = this.#row.held ?? hold ?? null
    const { status, endedAt } = progress
    const { definition, needs } = { ...this.#row, ...work }
    const transaction = {
      ...rowTransaction(this.#row),
      status,
      state,
      endedAt,
      held,
      definition: JSON.parse(definition),
      needs,
    }
    return this.#storedText(transaction)
  }

  /** A wait may have ended since it was written. */
  #storedText(transaction: Transaction): string {
    const isMoment = (key: string): boolean => key === 'retryAt' || key === 'quietUntil'
    const timeless = JSON.stringify(transaction, (key, value) => (isMoment(key) ? null : value))
    return canonicalJson(forget(JSON.parse(timeless) as Transaction))
  }

  /** Without what only counts, and without waits that are over or that nobody waits for any more. */
  #textOf(transaction: Transaction): string {
    const isOver = (value: unknown): boolean => typeof value === 'number' && value <= this.#nowMs
    const { status } = transaction
    const seen = JSON.stringify(transaction, (key, value) => {
      if ((key === 'retryAt' || key === 'quietUntil') && isOver(value)) return null
      const isIdle = (key === 'action' && status !== 'committing') || (key === 'check' && status !== 'prepared')
      return isIdle ? withoutRetry(value) : value
    })
    return canonicalJson(forget(JSON.parse(seen) as Transaction))
  }
}

/** What is durable is told, and is no reason to write any more. */
function tellNobody(active: NonNullable<ReturnType<Driver['find']>>): void {
  active.alerts = active.alerts.filter(({ change }) => change > active.durableChange)
}

/** Of tries, or of an errand. */
function withoutRetry(value: { readonly tries?: object }): object {
  return value.tries === undefined
    ? { ...value, retryAt: null }
    : { ...value, tries: { ...value.tries, retryAt: null } }
}

function outcomesOf({ operation }: Call, isLong: boolean): Outcome[] {
  const wait = isLong ? { retryAfterMs: longMs } : {}
  const outputs = operation === 'check' ? [{ decision: 'commit' }, { decision: 'rollback' }] : [null]
  return [
    ...outputs.map((output): Outcome => ({ kind: 'done', output })),
    ...(isLong ? [] : [{ kind: 'refused', reason: { code: 'no' } } as const]),
    { kind: 'unknown', error: 'no answer', code: 'timeout', ...wait },
    { kind: 'unknown', error: 'unreached', unreached: true, ...wait },
    { kind: 'pending', ...wait },
  ]
}

function callOf(copy: Copy, { job }: Pair): Call {
  const call = copy.calls.find((one) => nameOf(one) === nameOf(job.call))
  return call ?? failed(`the copy has no ${nameOf(job.call)}`)
}

function nameOf({ branch, operation }: Pick<Call, 'branch' | 'operation'>): string {
  return `${branch}/${operation}`
}

function failed(what: string): never {
  throw new Error(what)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Where the state of a transaction holds a moment to wait for. */
function pathsOf(value: unknown, isMeant: (moment: unknown) => boolean, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => {
    const isMoment = (key === 'retryAt' || key === 'quietUntil') && isMeant(item)
    return isMoment ? [`${path}/${key}`] : pathsOf(item, isMeant, `${path}/${key}`)
  })
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

function rowTransaction(row: StoredTransaction): Transaction {
  const { id, pattern, held, createdAt, deadlineAt, ageFrom, status, needs } = row
  const waiting = { reason: null, endedAt: null, nextAt: null, alertedFor: null, attempts: [] }
  return { id, pattern, status, held, createdAt, deadlineAt, ageFrom, needs, definition: null, state: null, ...waiting }
}

it.each(Object.keys(ways))('a copy of a %s does what the driver does', async (name) => {
  const way = ways[name] ?? failed(name)
  const choices = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(choices, async (walk) => {
      const rig = new Rig(way)
      for (const choice of walk) if (!(await rig.step(choice))) break
    }),
    { numRuns: 300 },
  )
})
