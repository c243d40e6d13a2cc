/**
 * `copy.ts` and `coordinators.ts` say once more what the driver does. Here the real driver and a copy go the same random ways, and after every
 * step both must have the same transaction in memory, the same write on its way, the same calls out and the same calls kept back.
 */
import fc from 'fast-check'
import type { Event, Json, Outcome, PatternMachine, Transaction } from 'lockstep/ports'
import { canonicalJson } from 'lockstep/protocol'
import { messagePattern, sagaPattern, tccPattern } from 'lockstep/testing'
import { expect, it } from 'vitest'
import { type Call, Copies, type Copy, rests } from './copy.ts'
import { DriverRig, heldAfter, type OpenCall } from './driver-rig.ts'
import { forget, notYet } from './forget.ts'
import { Machine, type Shape } from './machine.ts'

interface Wish {
  readonly name: string
  readonly event: Event
}

interface Way {
  readonly pattern: PatternMachine
  readonly body: Readonly<Record<string, Json>>
  readonly wishes: (machine: Machine) => readonly Wish[]
}

interface Option {
  readonly text: string
  readonly take: () => void
}

const decide = (decision: 'commit' | 'rollback'): Wish => ({ name: decision, event: { kind: 'decide', decision } })
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
      deliveries: ['award', 'mail'].map((name) => ({ name, to: `bank.${name}` })),
    },
    wishes: () => [decide('commit'), decide('rollback')],
  },
}

/** Long enough to be parked, or to rest at hand. */
const longMs = 2_000
/** Well before the deadline: everything here is early. */
const endMs = 8_000

class Walk {
  readonly told: string[] = []
  readonly #machine: Machine
  readonly #copies: Copies
  readonly #wishes: readonly Wish[]
  readonly #rig: DriverRig
  #rowShape: Shape
  #copy: Copy | null

  constructor({ pattern, body, wishes }: Way) {
    this.#machine = new Machine(pattern)
    this.#copies = new Copies({ machine: this.#machine, writes: 'split' })
    this.#wishes = wishes(this.#machine)
    this.#rowShape = this.#machine.begin(body)
    const { transaction } = this.#rowShape
    this.#rig = new DriverRig({ machine: pattern, transaction, soon: queueMicrotask })
    this.#rig.begin()
    const isPrepared = transaction.status === 'prepared'
    this.#copy = isPrepared
      ? this.#copies.atHand(this.#rowShape)
      : this.#copies.adopt(this.#rowShape, { kind: 'woke' }, 'early')
  }

  /** Takes one of the steps that are possible now. False when there is none. */
  async step(choice: number): Promise<boolean> {
    const options = this.#rig.nowMs > endMs ? [] : this.#options()
    const option = options[choice % Math.max(1, options.length)]
    if (option === undefined) return false
    this.told.push(option.text)
    option.take()
    await turn()
    this.#follow()
    await this.#compare()
    return true
  }

  #options(): Option[] {
    const rig = this.#rig
    const options: Option[] = rig.batch === null ? [] : [{ text: 'the write lands', take: () => this.#land() }]
    const { endedAt, held, status } = this.#rowShape.transaction
    if (endedAt === null && held === null) {
      const isDue = status !== 'prepared' || this.#rowShape.waits.length > 0
      if (isDue) options.push({ text: 'a claim', take: () => this.#claim() })
      for (const wish of this.#wishes) options.push({ text: `${wish.name} elsewhere`, take: () => this.#take(wish) })
    }
    const copy = this.#copy
    const { active } = rig
    if (active === undefined || copy === null || copy.leaving) return options
    for (const call of rig.calls) options.push(...this.#optionsOf(call, copy))
    for (const wish of this.#wishes) options.push({ text: wish.name, take: () => this.#apply(wish, copy) })
    const { nextAt } = active.transaction
    const isShort = rig.driver.drives('t') && active.transaction.status !== 'prepared' && nextAt !== null
    if (isShort && nextAt <= rig.nowMs + 1_000)
      options.push({ text: 'a back-off is over', take: () => this.#wake(copy, active.transaction, nextAt) })
    return options
  }

  #optionsOf(open: OpenCall, copy: Copy): Option[] {
    const call = callOf(copy, open)
    const name = nameOf(call)
    const { status, held } = copy.shape.transaction
    const isPrepared = status === 'prepared'
    if (open.isSent) {
      return outcomesOf(call, isPrepared).map((outcome) => ({
        text: `${name} ends ${JSON.stringify(outcome)}`,
        take: () => {
          this.#end(open, this.#copies.land(copy, call, outcome, 'early'))
          open.job.done({ outcome, sentMs: 0, durationMs: 0 })
        },
      }))
    }
    const keepBack = (retryAfterMs: number): Option => ({
      text: `${name} is kept back for ${retryAfterMs} ms`,
      take: () => {
        this.#end(open, this.#copies.keepBack(copy, call, 'early'))
        open.job.notSent({ retryAfterMs, missing: false })
      },
    })
    const kept = isPrepared ? [keepBack(longMs)] : [keepBack(longMs), keepBack(20 + (this.#rig.draws % 50))]
    return held === null ? [{ text: `${name} leaves`, take: () => this.#send(open, copy, call) }, ...kept] : kept
  }

  #send(open: OpenCall, copy: Copy, call: Call): void {
    expect(open.job.mayLeave()).toBe(true)
    open.isSent = true
    this.#copy = this.#copies.leave(copy, call)
  }

  #end(open: OpenCall, copy: Copy): void {
    this.#rig.calls = this.#rig.calls.filter((other) => other !== open)
    this.#copy = copy
  }

  #apply(wish: Wish, copy: Copy): void {
    const { active, driver } = this.#rig
    if (active === undefined) return
    this.#copy = this.#copies.apply(copy, wish, 'early')
    driver.apply(active, wish.event).catch(() => {})
  }

  #wake(copy: Copy, transaction: Transaction, at: number): void {
    const [path, ...more] = pathsOf(transaction, (moment) => moment === at)
    // Two at once are one event for the driver, and two for the model.
    if (path === undefined || more.length > 0) return
    const position = pathsOf(copy.shape.transaction, (moment) => moment === notYet).indexOf(path)
    this.#copy = this.#copies.wake(copy, position) ?? copy
    this.#rig.pass(at)
  }

  /** A copy that hands its row back may have taken two writes to what the driver does in one. */
  #land(): void {
    const handsBack = this.#rig.land().progress.owner === null
    for (let copy = this.#copy; copy?.batch != null; copy = copy.leaving && handsBack ? this.#copy : null) {
      this.#rowShape = copy.batch.shape
      this.#copy = this.#copies.answered(this.#copies.lands(copy))
    }
  }

  #claim(): void {
    const takeover = this.#rig.row.owner !== null
    if (!takeover) this.#rig.nowMs += longMs
    const event = { kind: 'woke', claim: { takeover } } as const
    const due = takeover ? this.#rowShape : this.#machine.over(this.#rowShape, 'back-offs')
    this.#copy = this.#copies.adopt(due, event, 'early')
    this.#rig.claim(event)
  }

  /** As `Coordinators.#take`; the store answers at once. */
  #take({ event }: Wish): void {
    const claim = { takeover: this.#rig.row.owner !== null }
    const step = this.#machine.advance(this.#rowShape, { ...event, claim }, 'early')
    this.#copy = null
    this.#rig.take(event)
    if (step.idle) return
    const { endedAt, held } = step.shape.transaction
    this.#rowShape = step.shape
    this.#copy = endedAt === null && held === null ? this.#copies.adoptAdvanced(step) : null
  }

  /** Parking is the driver's choice, by how long the wait is; the model has both. Nor does it forget a copy at hand. */
  #follow(): void {
    const { active } = this.#rig
    const copy = this.#copy
    if (copy === null || this.#rig.batch?.entry.kind === 'take') return
    if (active !== undefined && active.parkedAt !== null && !copy.leaving) this.#copy = this.#copies.park(copy)
    if (active === undefined && rests(copy) && copy.batch === null) this.#copy = null
  }

  async #compare(): Promise<void> {
    if (this.#rig.batch?.entry.kind === 'take') {
      const { transaction } = this.#rowShape
      expect(this.#written()).toBe(storedText(transaction))
      const isOpen =
        transaction.endedAt !== null || transaction.held !== null || (this.#copy !== null && rests(this.#copy))
      expect(this.#rig.batch.entry.progress.owner === null).toBe(isOpen)
      this.#rig.land()
      await turn()
      this.#follow()
    }
    const { active, calls } = this.#rig
    const copy = this.#copy
    expect(active === undefined).toBe(copy === null)
    if (active === undefined || copy === null) return
    expect(this.#textOf(active.transaction)).toBe(this.#textOf(copy.shape.transaction))
    expect(active.durable.status).toBe(copy.durable)
    const blocked = active.blocked.flatMap(({ command }) => (command.kind === 'call' ? [command] : []))
    const of = (stage: Call['stage']) => namesOf(copy.calls.filter((call) => call.stage === stage))
    expect(namesOf(blocked)).toEqual(of('blocked'))
    expect(namesOf(calls.filter(({ isSent }) => !isSent).map(({ job }) => job.call))).toEqual(of('ready'))
    expect(namesOf(calls.filter(({ isSent }) => isSent).map(({ job }) => job.call))).toEqual(of('sent'))
    await this.#compareWrites(copy)
  }

  async #compareWrites(copy: Copy): Promise<void> {
    const rig = this.#rig
    // What is written although nothing has changed changes nothing.
    while (copy.batch === null && rig.batch !== null) {
      expect(this.#written()).toBe(storedText(copy.written.transaction))
      this.#land()
      await turn()
    }
    const last = copy.leaving ? (copy.waiting ?? copy.batch) : copy.batch
    expect(rig.batch === null).toBe(last === null)
    if (last === null || rig.batch === null || (copy.leaving && rig.journal.size > 0)) return
    expect(this.#written()).toBe(storedText(last.shape.transaction))
    expect(rig.batch.entry.progress.owner !== null).toBe(last.owned)
    // The driver also writes once more what is on its way already, when somebody waits for it.
    if (copy.waiting !== null && !copy.leaving) expect(rig.journal.size).toBeGreaterThan(0)
  }

  /** What is on its way to the store. */
  #written(): string {
    const { batch, row } = this.#rig
    if (batch === null) return 'nothing'
    const { progress, work } = batch.entry
    const { state } = JSON.parse(progress.state) as { readonly state: unknown }
    const { definition, needs } = { ...row, ...work }
    const { status, endedAt } = progress
    const held = heldAfter(row, batch.entry)
    const stored = { status, endedAt, held, state, needs, definition: JSON.parse(definition) as unknown }
    return storedText({ ...this.#rowShape.transaction, ...stored })
  }

  /** Without what only counts, and without waits that are over or that nobody waits for any more. */
  #textOf(transaction: Transaction): string {
    const { status } = transaction
    const seen = JSON.stringify(transaction, (key, value) => {
      if (isMoment(key) && typeof value === 'number' && value <= this.#rig.nowMs) return null
      const isIdle = (key === 'action' && status !== 'committing') || (key === 'check' && status !== 'prepared')
      return isIdle ? withoutRetry(value) : value
    })
    return canonicalJson(forget(JSON.parse(seen) as Transaction))
  }
}

/** A wait may have ended since it was written. */
function storedText(transaction: Transaction): string {
  const timeless = JSON.stringify(transaction, (key, value) => (isMoment(key) ? null : value))
  return canonicalJson(forget(JSON.parse(timeless) as Transaction))
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

type Named = Pick<Call, 'branch' | 'operation'>

function nameOf({ branch, operation }: Named): string {
  return `${branch}/${operation}`
}

function namesOf(calls: readonly Named[]): string[] {
  return calls.map(nameOf).sort()
}

function callOf(copy: Copy, { job }: OpenCall): Call {
  const call = copy.calls.find((one) => nameOf(one) === nameOf(job.call))
  if (call === undefined) throw new Error(`The copy has no ${nameOf(job.call)}.`)
  return call
}

function isMoment(key: string): boolean {
  return key === 'retryAt' || key === 'quietUntil'
}

/** Where a transaction holds a moment to wait for. */
function pathsOf(value: unknown, isMeant: (moment: unknown) => boolean, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => {
    const at = `${path}/${key}`
    return isMoment(key) && isMeant(item) ? [at] : pathsOf(item, isMeant, at)
  })
}

/** Promise chains settle. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function go(way: Way, choices: readonly number[]): Promise<void> {
  const walk = new Walk(way)
  try {
    for (const choice of choices) if (!(await walk.step(choice))) return
  } catch (error) {
    throw new Error(`after: ${walk.told.join('; ')}`, { cause: error })
  }
}

it.each(Object.entries(ways))('a copy of a %s does what the driver does', async (_, way) => {
  const choices = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 40 })
  const property = fc.asyncProperty(choices, (walk) => go(way, walk))
  await fc.assert(property, { numRuns: 300 })
})
