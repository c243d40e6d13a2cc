/**
 * One transaction in a test's hands: feeds events to the pure machine of its pattern and keeps what came out. Every argument is frozen
 * first, so that a machine that changed one would fail.
 */
import type {
  Advance,
  BranchPlan,
  Command,
  Event,
  Held,
  Json,
  OperatorAction,
  Outcome,
  PatternMachine,
  TargetDirectory,
  Transaction,
} from '../../src/ports/index.ts'

export const beganAt = 1_000_000_000

/** `bar.…` uses the barrier, `pln.…` does not. */
export const testTargets: TargetDirectory = {
  usesBarrier: (target) => target.startsWith('bar.'),
  serviceOf: (target) => (target.includes('://') ? null : (target.split('.')[0] ?? null)),
  forbids: (target) => (target.startsWith('http://banned') ? 'must lie under a registered service' : null),
  refuses(target, as = 'participant') {
    if (/^https?:\/\/\w/.test(target)) return null
    const is = as === 'check-back' ? /^\w+$/ : /^\w+\.\w/
    return is.test(target) ? null : 'is no target'
  },
}

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>
type CallCommand = Extract<Command, { kind: 'call' }>
type Flight = Pick<OutcomeEvent, 'operation' | 'number'>

export abstract class PatternRun<T extends Transaction> {
  transaction: T
  now = beganAt
  commands: readonly Command[] = []
  refusal: Advance['refusal']
  repeated = false
  jitter = 0.5
  alerts = 0
  /** Calls that are out, by branch: there is never a second one. */
  readonly #out = new Map<string, string>()
  /** The last number of each operation of each branch that left, and whether it came back unsent: then it is used again. */
  readonly #numbers = new Map<string, number>()
  readonly #machine: PatternMachine
  readonly #barrierRetentionMs: number | undefined

  constructor(
    machine: PatternMachine,
    body: Readonly<Record<string, Json>>,
    { barrierRetentionMs }: { barrierRetentionMs?: number } = {},
  ) {
    this.#machine = machine
    this.#barrierRetentionMs = barrierRetentionMs
    const plan = machine.plan(body, testTargets)
    const deadlineAt = plan.deadlineMs === null ? null : beganAt + plan.deadlineMs
    this.transaction = {
      id: 'order-42',
      pattern: machine.pattern,
      status: plan.status,
      held: null,
      reason: null,
      createdAt: beganAt,
      deadlineAt,
      ageFrom: Math.max(beganAt, deadlineAt ?? 0),
      endedAt: null,
      nextAt: beganAt + (plan.restsMs ?? 0),
      alertedFor: null,
      attempts: [],
      needs: plan.needs,
      definition: plan.definition,
      state: plan.state,
    } as unknown as T
  }

  /** The states of its branches, in their order: what `show` puts in brackets. */
  protected abstract states(): readonly string[]
  protected abstract flightOf(branch: string): Flight | null

  feed(event: Event): this {
    const before = deepFreeze(structuredClone(this.transaction))
    if (event.claim?.takeover === true) this.#out.clear()
    if ('number' in event && this.#out.get(event.branch) === callName(event)) this.#land(event)
    const given = deepFreeze(structuredClone(event))
    const advanced = this.#machine.advance(before, given, this.now, this.#barrierRetentionMs) as Advance<T>
    this.transaction = advanced.transaction
    this.commands = advanced.commands
    this.refusal = advanced.refusal
    this.repeated = advanced.repeated === true
    for (const command of advanced.commands) if (command.kind === 'call') this.#leave(command)
    this.alerts += advanced.commands.filter((command) => command.kind === 'alert').length
    return this
  }

  #land(event: Flight & { readonly branch: string; readonly kind: string }): void {
    this.#out.delete(event.branch)
    if (event.kind === 'not-sent') this.#numbers.set(`${event.branch}.${event.operation}`, event.number - 1)
  }

  #leave(call: CallCommand): void {
    const other = this.#out.get(call.branch)
    if (other !== undefined) throw new Error(`${callName(call)} of ${call.branch} leaves while ${other} is out`)
    this.#out.set(call.branch, callName(call))
    const key = `${call.branch}.${call.operation}`
    const last = this.#numbers.get(key) ?? 0
    if (call.number <= last) throw new Error(`${key} leaves as number ${call.number} after number ${last}`)
    this.#numbers.set(key, call.number)
  }

  after(ms: number): this {
    this.now += ms
    return this
  }

  woke(): this {
    return this.feed({ kind: 'woke' })
  }

  /** The answer to the call that is out, or to another one when `of` says so. */
  answer(branch: string, outcome: Outcome, of: Partial<Flight> = {}): this {
    const flight = this.flightOf(branch)
    const { operation = flight?.operation ?? 'action', number = flight?.number ?? 1 } = of
    const timing = { startedAt: this.now, durationMs: 3, jitter: this.jitter }
    return this.feed({ kind: 'outcome', branch, operation, number, outcome, ...timing })
  }

  done(branch: string, output: Json = null): this {
    return this.answer(branch, { kind: 'done', output })
  }

  refused(branch: string, reason: Json = { code: 'no' }): this {
    return this.answer(branch, { kind: 'refused', reason })
  }

  unknown(branch: string, more: Partial<Extract<Outcome, { kind: 'unknown' }>> = {}): this {
    return this.answer(branch, { kind: 'unknown', error: 'no answer', ...more })
  }

  pending(branch: string, retryAfterMs?: number): this {
    return this.answer(branch, { kind: 'pending', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
  }

  notSent(branch: string, { retryInMs = 500, missing = false } = {}): this {
    const { operation = 'action', number = 1 } = this.flightOf(branch) ?? {}
    return this.feed({ kind: 'not-sent', branch, operation, number, retryAt: this.now + retryInMs, missing })
  }

  rollback(): this {
    return this.feed({ kind: 'decide', decision: 'rollback' })
  }

  commit(): this {
    return this.feed({ kind: 'decide', decision: 'commit' })
  }

  register(branch: BranchPlan): this {
    return this.feed({ kind: 'register', branch })
  }

  act(action: OperatorAction, branch: string | null = null): this {
    return this.feed({ kind: 'act', action, branch, reason: 'because' })
  }

  /** The owner died, and another one takes the transaction. */
  takeover(): this {
    return this.feed({ kind: 'woke', claim: { takeover: true } })
  }

  /** It was parked, and somebody takes it. */
  claim(): this {
    return this.feed({ kind: 'woke', claim: { takeover: false } })
  }

  hold(reason = 'operator'): this {
    const held: Held = { reason, since: this.now, by: 'test', detail: null }
    this.transaction = { ...this.transaction, held }
    return this.woke()
  }

  /** As the coordinator does it: the age starts again, at the deadline where that lies ahead. */
  letGo(): this {
    const { held, deadlineAt, ageFrom } = this.transaction
    const restedMs = this.#machine.deadlineRestsWhileHeld && held !== null ? this.now - held.since : 0
    const movedTo = deadlineAt === null ? null : deadlineAt + restedMs
    const from = Math.max(this.now, movedTo ?? this.now, ageFrom + 1)
    this.transaction = { ...this.transaction, held: null, deadlineAt: movedTo, ageFrom: from }
    return this
  }

  resume(): this {
    return this.letGo().woke()
  }

  attempts(): string[] {
    return this.transaction.attempts.map(
      ({ branch, operation, number, outcome, error }) => `${branch}.${operation}#${number} ${error ?? outcome}`,
    )
  }

  calls(): string[] {
    return this.commands.flatMap((command) =>
      command.kind === 'call' ? [`${command.branch}.${command.operation}#${command.number} ${command.needs}`] : [],
    )
  }

  /** `committing [done active] | b.action#1 nothing | next 600000`: all that a table row compares. */
  show(): string {
    const { status, held, nextAt } = this.transaction
    const where = `${status}${held === null ? '' : ` held:${held.reason}`}`
    const what = [`${where} [${this.states().join(' ')}]`, ...this.calls()]
    if (this.refusal !== undefined) what.push(this.refusal.code)
    if (this.repeated) what.push('repeated')
    what.push(`next ${nextAt === null ? '-' : nextAt - this.now}`)
    return what.join(' | ')
  }

  describe() {
    return this.#machine.describe(this.transaction)
  }
}

function callName({ operation, number }: { readonly operation: string; readonly number: number }): string {
  return `${operation}#${number}`
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}
