/**
 * One saga in a test's hands: feeds events to the pure machine and keeps what came out. Every argument is frozen first, so that a
 * machine that changed one would fail.
 */
import type {
  Advance,
  Command,
  Event,
  Held,
  Json,
  OperatorAction,
  Outcome,
  TargetDirectory,
} from '../../src/ports/index.ts'
import type { Saga, StepState } from '../../src/transactions/saga/definition.ts'
import { sagaPattern } from '../../src/transactions/saga/index.ts'

export const beganAt = 1_000_000_000

/** `bar.…` uses the barrier, `pln.…` does not. */
export const testTargets: TargetDirectory = {
  usesBarrier: (target) => target.startsWith('bar.'),
  serviceOf: (target) => (target.includes('://') ? null : (target.split('.')[0] ?? null)),
  forbids: () => null,
  refuses: (target) => (/^(https?:\/\/\w|\w+\.\w)/.test(target) ? null : 'is no target'),
}

export interface StepSpec {
  readonly name: string
  readonly [key: string]: Json
}

/** `a`, `b` with a barrier; `A`, `B` without: one letter is one step. */
export function steps(
  letters: string,
  more: Readonly<Record<string, Readonly<Record<string, Json>>>> = {},
): StepSpec[] {
  return [...letters].map((name) => ({
    name,
    participant: `${name === name.toLowerCase() ? 'bar' : 'pln'}.${name}`,
    ...more[name],
  }))
}

type OutcomeEvent = Extract<Event, { kind: 'outcome' }>

export class SagaRun {
  saga: Saga
  now = beganAt
  commands: readonly Command[] = []
  refusal: Advance['refusal']
  jitter = 0.5
  alerts = 0
  /** Calls that are out, by branch: there is never a second one. */
  readonly #out = new Map<string, string>()

  constructor(given: readonly StepSpec[], body: Readonly<Record<string, Json>> = {}) {
    const plan = sagaPattern.plan({ input: { amount: 5 }, ...body, steps: given }, testTargets)
    const deadlineAt = plan.deadlineMs === null ? null : beganAt + plan.deadlineMs
    this.saga = {
      id: 'order-42',
      pattern: 'saga',
      status: plan.status,
      held: null,
      reason: null,
      createdAt: beganAt,
      deadlineAt,
      ageFrom: Math.max(beganAt, deadlineAt ?? 0),
      endedAt: null,
      nextAt: beganAt,
      alertedFor: null,
      attempts: [],
      needs: plan.needs,
      definition: plan.definition,
      state: plan.state,
    } as Saga
  }

  feed(event: Event): this {
    const before = deepFreeze(structuredClone(this.saga))
    if (event.claim?.takeover === true) this.#out.clear()
    if ('number' in event && this.#out.get(event.branch) === callName(event)) this.#out.delete(event.branch)
    const advanced = sagaPattern.advance(before, deepFreeze(structuredClone(event)), this.now) as Advance<Saga>
    this.saga = advanced.transaction
    this.commands = advanced.commands
    this.refusal = advanced.refusal
    for (const command of advanced.commands) if (command.kind === 'call') this.#leave(command)
    this.alerts += advanced.commands.filter((command) => command.kind === 'alert').length
    return this
  }

  #leave(call: Extract<Command, { kind: 'call' }>): void {
    const other = this.#out.get(call.branch)
    if (other !== undefined) throw new Error(`${callName(call)} of ${call.branch} leaves while ${other} is out`)
    this.#out.set(call.branch, callName(call))
  }

  after(ms: number): this {
    this.now += ms
    return this
  }

  woke(): this {
    return this.feed({ kind: 'woke' })
  }

  /** The answer to the call that is out, or to another one when `of` says so. */
  answer(branch: string, outcome: Outcome, of: Partial<Pick<OutcomeEvent, 'operation' | 'number'>> = {}): this {
    const flight = this.step(branch).flight
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
    const { operation = 'action', number = 1 } = this.step(branch).flight ?? {}
    return this.feed({ kind: 'not-sent', branch, operation, number, retryAt: this.now + retryInMs, missing })
  }

  cancel(): this {
    return this.feed({ kind: 'decide', decision: 'rollback' })
  }

  commit(): this {
    return this.feed({ kind: 'decide', decision: 'commit' })
  }

  act(action: OperatorAction, branch: string | null = null): this {
    return this.feed({ kind: 'act', action, branch, reason: 'because' })
  }

  /** The owner died, and another one takes the saga. */
  takeover(): this {
    return this.feed({ kind: 'woke', claim: { takeover: true } })
  }

  /** It was parked, and somebody takes it. */
  claim(): this {
    return this.feed({ kind: 'woke', claim: { takeover: false } })
  }

  hold(reason = 'operator'): this {
    const held: Held = { reason, since: this.now, by: 'test', detail: null }
    this.saga = { ...this.saga, held }
    return this.woke()
  }

  resume(): this {
    this.saga = { ...this.saga, held: null, ageFrom: this.now }
    return this.woke()
  }

  step(name: string): StepState {
    const step = this.saga.state.steps[this.saga.definition.steps.findIndex((plan) => plan.name === name)]
    if (step === undefined) throw new Error(`no step ${name}`)
    return step
  }

  calls(): string[] {
    return this.commands.flatMap((command) =>
      command.kind === 'call' ? [`${command.branch}.${command.operation}#${command.number} ${command.needs}`] : [],
    )
  }

  /** `committing [done active] b.action#1 nothing | next 600000`: all that a table row compares. */
  show(): string {
    const { status, held, nextAt, state } = this.saga
    const where = `${status}${held === null ? '' : ` held:${held.reason}`}`
    const what = [`${where} [${state.steps.map((step) => step.state).join(' ')}]`, ...this.calls()]
    if (this.refusal !== undefined) what.push(this.refusal.code)
    what.push(`next ${nextAt === null ? '-' : nextAt - this.now}`)
    return what.join(' | ')
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
