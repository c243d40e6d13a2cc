/**
 * The real `advance` of a pattern, asked once for every different transaction and event.
 *
 * Time is two moments: `early` lies before the deadline of a saga or TCC and before the first check-back of a message, `late` behind it.
 * While the decision is open, any event may come at either, in any order, as if the clocks of the instances differed: that only adds
 * schedules. Neither reaches an age, a limit or the end of the barrier's memory: those are for the simulator.
 */
import type { Command, Event, Json, PatternMachine, TargetDirectory, Transaction } from 'lockstep/ports'
import { canonicalJson } from 'lockstep/protocol'
import { forget, type Wait, waitsIn, withoutWait } from './forget.ts'
import { Interned, type Numbered } from './interned.ts'
import { spokenTransaction } from './spoken.ts'

export type CallCommand = Extract<Command, { kind: 'call' }>
export type Moment = 'early' | 'late'

const begunAt = 0
const moments = { early: 1_000, late: 20_000 } as const satisfies Record<Moment, number>
/** Of the deadline and of the first check-back. */
export const turningPointMs = 10_000

/** A transaction without all that only counts. */
export interface Shape extends Numbered {
  readonly transaction: Transaction
  readonly waits: readonly Wait[]
  /** For a trace: `rolling-back [debit done, credit active]`. */
  readonly spoken: string
}

/** What the machine has answered. */
export interface Step {
  readonly shape: Shape
  readonly calls: readonly CallCommand[]
  /** An attempt may have been noted: the driver writes it. */
  readonly attempted: boolean
  /** A person is to be told, once it is durable. */
  readonly alerts: boolean
  /** Refused, or asked for what was so already. */
  readonly idle: boolean
}

/** A target is plain where its name says so. */
const targets: TargetDirectory = {
  usesBarrier: (target) => !target.startsWith('plain.'),
  serviceOf: () => 'bank',
  refuses: () => null,
  forbids: () => null,
}

export class Machine {
  readonly #pattern: PatternMachine
  readonly #shapes = new Interned<Shape>()
  readonly #steps = new Map<string, Step>()

  constructor(pattern: PatternMachine) {
    this.#pattern = pattern
  }

  /** As `begin` lays it out. */
  begin(body: Readonly<Record<string, Json>>): Shape {
    const { definition, state, status, needs, deadlineMs } = this.#pattern.plan(body, targets)
    const deadlineAt = deadlineMs === null ? null : begunAt + deadlineMs
    return this.#shape({
      id: 't',
      pattern: this.#pattern.pattern,
      status,
      held: null,
      reason: null,
      createdAt: begunAt,
      deadlineAt,
      ageFrom: deadlineAt ?? begunAt,
      endedAt: null,
      nextAt: null,
      alertedFor: null,
      attempts: [],
      needs,
      definition,
      state,
    })
  }

  registration(body: Readonly<Record<string, Json>>): Event {
    return { kind: 'register', branch: this.#pattern.planBranch(body, targets) }
  }

  advance(shape: Shape, event: Event, moment: Moment): Step {
    const key = `${shape.number} ${moment} ${JSON.stringify(event)}`
    const known = this.#steps.get(key)
    if (known !== undefined) return known
    const step = this.#stepOf(shape, event, moment)
    // The search takes it for granted that time moves nothing once the decision is taken.
    if (!isUndecided(shape) && this.#stepOf(shape, event, 'late').shape !== step.shape)
      throw new Error(`What follows from ${event.kind} while it is ${shape.spoken} depends on the time.`)
    this.#steps.set(key, step)
    return step
  }

  #stepOf(shape: Shape, event: Event, moment: Moment): Step {
    const answer = this.#pattern.advance(shape.transaction, event, moments[moment])
    return {
      shape: this.#shape(answer.transaction),
      calls: answer.commands.flatMap((command) => (command.kind === 'call' ? [command] : [])),
      attempted: answer.transaction.attempts !== shape.transaction.attempts,
      alerts: answer.commands.some(({ kind }) => kind === 'alert'),
      idle: answer.refusal !== undefined || answer.repeated === true,
    }
  }

  /** One of its waits is over, or all back-offs are. */
  over(shape: Shape, which: number | 'back-offs'): Shape {
    return shape.waits.length === 0 ? shape : this.#shape(withoutWait(shape.transaction, which))
  }

  #shape(transaction: Transaction): Shape {
    const kept = forget(transaction)
    return this.#shapes.of(canonicalJson(kept), (number) => {
      return { number, transaction: kept, waits: waitsIn(kept), spoken: spokenTransaction(kept) }
    })
  }
}

const bothMoments: readonly Moment[] = ['early', 'late']
/** Once it is decided nothing depends on the time any more. */
const onlyEarly: readonly Moment[] = ['early']

export function momentsFor(shape: Shape): readonly Moment[] {
  return isUndecided(shape) ? bothMoments : onlyEarly
}

/** The deadline or the check-back may still come. */
export function isUndecided({ transaction }: Shape): boolean {
  const { status, pattern, endedAt } = transaction
  return endedAt === null && (status === 'prepared' || (pattern === 'saga' && status === 'committing'))
}
