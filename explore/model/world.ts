import type { Event, Outcome } from 'lockstep/ports'
import type { Call, Copies, Copy } from './copy.ts'
import { Interned, type Numbered } from './interned.ts'
import type { Shape } from './machine.ts'

/** The durable row. Its epoch needs no number: a copy is the current one, or its writes fail. */
export interface Row extends Numbered {
  readonly shape: Shape
  /** It names an owner: who claims it takes it over. */
  readonly owned: boolean
}

export type Request = Pick<Call, 'branch' | 'operation'>

/** All that is neither row nor memory of a coordinator: participants, the wire, initiators. */
export interface World<Rest = unknown> extends Numbered {
  /**
   * A bit for each operation of each branch that was sent. What was sent once may be executed at any time, and any number of times:
   * late, duplicated, or not at all. So the requests of different owners need not be told apart.
   */
  readonly sent: number
  /** Where each branch stands at its participant. */
  readonly standings: readonly number[]
  /** Belongs to the scenario. */
  readonly rest: Rest
}

/** Everything at one moment. */
export interface State<Rest = unknown> {
  readonly row: Row
  /** The copy whose epoch is that of the row; null when its owner is dead, or nobody has one. */
  readonly current: Copy | null
  /** One copy of an earlier epoch, whose instance was paused and does not know it yet. */
  readonly stale: Copy | null
  readonly world: World<Rest>
}

/** What may happen next. In texts, `{current}`, `{stale}` and `{next}` stand for owners. */
export interface Move<Rest = unknown> extends State<Rest> {
  readonly text: string
  /** It needs no fault: such moves alone must lead to an end. */
  readonly heals: boolean
  /** The row was claimed: its epoch is one higher. */
  readonly claims?: true
}

export type Emit<Rest = unknown> = (move: Move<Rest>) => void

/** One way in which a request may be executed. */
export interface Execution<Rest = unknown> {
  readonly world: World<Rest>
  readonly outcome: Outcome
  readonly text: string
  readonly heals: boolean
}

export type WorldStep<Rest = unknown> = Omit<Execution<Rest>, 'outcome'>

/** What an initiator asks a coordinator for. */
export interface Wish {
  readonly event: Event
  /** Tells it from the others. */
  readonly name: string
}

/** What the searched transaction is about. */
export interface Scenario<Rest = unknown> {
  /** Every world that it came to. */
  readonly worlds: Worlds<Rest>
  start(): State<Rest>
  /** Stands for an operation of a branch in `World.sent`. */
  bitOf(request: Request): number
  /** The world once this call has left. */
  send(world: World<Rest>, call: Request): World<Rest>
  /** Every way in which a request that is on the wire may be executed now. */
  executions(world: World<Rest>, call: Request): readonly Execution<Rest>[]
  /** Who has sent a call may give up waiting for its answer. */
  mayTimeOut(world: World<Rest>, call: Request): boolean
  /** An owner that is paused between the look at its lease and the call may still make it. */
  mayLeaveLate(call: Request): boolean
  /** The quiet before the reversal of a plain step may be over. */
  mayCalm(world: World<Rest>, position: number): boolean
  /** What initiators have asked the coordinators for, and may come to one at any time. */
  wishes(world: World<Rest>): readonly Wish[]
  /** What participants, the wire and initiators do by themselves, whatever is in the memories of coordinators. */
  steps(row: Row, world: World<Rest>): WorldStep<Rest>[]
  /** What must never be. */
  violation(state: State<Rest>): string | null
  /** Nothing is left to do. */
  isEnd(state: State<Rest>): boolean
}

/** What moves are made with. */
export interface Parts<Rest = unknown> {
  readonly copies: Copies
  readonly rows: Rows
  readonly scenario: Scenario<Rest>
  /** An answer may be overtaken by what else happens to its owner. */
  readonly lateAnswers: boolean
}

export class Rows {
  readonly all: Interned<Row> = new Interned()

  of(shape: Shape, owned: boolean): Row {
    return this.all.of(`${shape.number} ${owned}`, (number) => ({ number, shape, owned }))
  }
}

export class Worlds<Rest> {
  readonly all: Interned<World<Rest>> = new Interned()

  of({ sent, standings, rest }: Omit<World<Rest>, 'number'>): World<Rest> {
    return this.all.of(`${sent} ${standings.join()} ${JSON.stringify(rest)}`, (number) => {
      return { number, sent, standings, rest }
    })
  }
}
