/**
 * A TCC of two branches. An initiator registers the first, tries it, registers the second, tries it, and commits; it throws or dies
 * wherever it likes, and is called with the same id any number of times, also while an earlier call still runs. What it asks of a coordinator
 * may arrive late, or twice, at either instance. A try may be refused, once and not the next time; the deadline passes at any time.
 *
 * Where participants are defective, their confirm or cancel refuses too, and then the transaction may be held for it.
 */
import type { Event } from 'lockstep/ports'
import { mutant, tccPattern } from 'lockstep/testing'
import { Copies, type CopyOptions } from '../model/copy.ts'
import { Machine, turningPointMs } from '../model/machine.ts'
import {
  type Parts,
  type Row,
  Rows,
  type State,
  type Wish,
  type World,
  type WorldStep,
  Worlds,
} from '../model/world.ts'
import { participantWithBarrier } from './participant.ts'
import { Participants } from './participants.ts'

export interface TccOptions {
  /** Calls of the initiator at one time. */
  readonly callers: number
  readonly defective: boolean
  readonly writes: CopyOptions['writes']
  readonly lateAnswers: boolean
}

const names = ['seat', 'room'] as const
type Name = (typeof names)[number]
const operations = ['try', 'confirm', 'cancel'] as const

/** Where one call of the initiator stands. */
type Place = 'idle' | 'registers seat' | 'tries seat' | 'registers room' | 'tries room'

interface Rest {
  /** The calls are alike, so their order does not matter. */
  readonly calls: readonly Place[]
  /** What coordinators were asked for. */
  readonly asked: readonly string[]
}

export async function tcc({ callers, defective, writes, lateAnswers }: TccOptions): Promise<Parts<Rest>> {
  const machine = new Machine(tccPattern)
  const copies = new Copies({ machine, writes })
  const rows = new Rows()
  const worlds = new Worlds<Rest>()
  const participant = await participantWithBarrier({ operations, mayRefuse: defective ? operations : ['try'] })
  const participants = new Participants<Rest>(
    names.map((name) => ({ name, participant, operations })),
    worlds,
  )
  const initiator = new Initiator(participants, worlds)
  const wishes = wishesOf(machine)
  const scenario = {
    worlds,
    start(): State<Rest> {
      const shape = machine.begin({ deadline: turningPointMs })
      const rest = { calls: Array.from({ length: callers }, () => 'idle' as const), asked: [] }
      const world = worlds.of({ ...participants.untouched, rest })
      return { row: rows.of(shape, false), current: copies.atHand(shape), stale: null, world }
    },
    bitOf: participants.bitOf.bind(participants),
    send: participants.send.bind(participants),
    executions: participants.executions.bind(participants),
    wishes: (world) => world.rest.asked.flatMap((word) => wishes.get(word) ?? []),
    steps: (row, world) => [...participants.strays(world), ...initiator.steps(row, world)],
    violation: (state) => participants.fault(state.world) ?? violationOf(state, participants, defective),
    isEnd: ({ row }) => row.shape.transaction.endedAt !== null || row.shape.transaction.held !== null,
    mayTimeOut: () => true,
    mayLeaveLate: () => true,
    mayCalm: () => true,
  } satisfies Parts<Rest>['scenario']
  return { copies, rows, scenario, lateAnswers }
}

function wishesOf(machine: Machine): ReadonlyMap<string, Wish> {
  const registration = (name: string): Event => machine.registration({ name, participant: `bank.${name}` })
  const decision = (word: 'commit' | 'rollback'): Event => ({ kind: 'decide', decision: word })
  return new Map<string, Wish>([
    ...names.map((name) => [name, { event: registration(name), name: `the registration of ${name}` }] as const),
    ['commit', { event: decision('commit'), name: "the initiator's commit" }],
    ['rollback', { event: decision('rollback'), name: "the initiator's rollback" }],
  ])
}

interface Turn {
  readonly row: Row
  readonly world: World<Rest>
  readonly position: number
}

type Steps = WorldStep<Rest>[]

/** `initiate` and `tryBranch`, as far as they meet anybody else. */
class Initiator {
  readonly #participants: Participants<Rest>
  readonly #worlds: Worlds<Rest>

  constructor(participants: Participants<Rest>, worlds: Worlds<Rest>) {
    this.#participants = participants
    this.#worlds = worlds
  }

  steps(row: Row, world: World<Rest>): Steps {
    return world.rest.calls.flatMap((place, position) => {
      const turn = { row, world, position }
      return place === 'idle' ? this.#begins(turn) : [...this.#fails(turn), ...this.#goesOn(turn, place)]
    })
  }

  /** The row is there: the begin answers its durable status. */
  #begins(turn: Turn): Steps {
    if (turn.row.shape.transaction.status !== 'prepared') return []
    return [this.#goes(turn, 'registers seat', { asks: 'seat', text: 'the initiator begins, and registers seat' })]
  }

  /** The user's function throws; a registration is refused, or gets no answer; a try gets none in time. */
  #fails(turn: Turn): Steps {
    return [
      this.#goes(turn, 'idle', { asks: 'rollback', text: 'the initiator throws, and asks for rollback' }),
      this.#goes(turn, 'idle', { text: 'the initiator dies' }),
    ]
  }

  #goesOn(turn: Turn, place: Exclude<Place, 'idle'>): Steps {
    switch (place) {
      case 'registers seat':
        return this.#hearsOfRegistration(turn, 'seat')
      case 'registers room':
        return this.#hearsOfRegistration(turn, 'room')
      case 'tries seat':
        return this.#tries(turn, 'seat')
      case 'tries room':
        return this.#tries(turn, 'room')
    }
  }

  /** A registration is answered once it is durable; then the try leaves. */
  #hearsOfRegistration(turn: Turn, branch: Name): Steps {
    if (!registeredIn(turn.row).includes(branch) && !mutant('T5-try-before-registration')) return []
    const world = this.#participants.send(turn.world, { branch, operation: 'try' })
    return [this.#goes({ ...turn, world }, `tries ${branch}`, { text: `${branch} is registered; its try leaves` })]
  }

  #tries(turn: Turn, branch: Name): Steps {
    const runs = this.#participants.executions(turn.world, { branch, operation: 'try' })
    return runs.flatMap(({ world, outcome, text }) => {
      const heard = { ...turn, world }
      const told = `${text}; the initiator hears it, and`
      const isCaught = outcome.kind === 'refused' && mutant('T3-caught-failure-commits')
      if (outcome.kind === 'refused' && !isCaught)
        return [this.#goes(heard, 'idle', { asks: 'rollback', text: `${told} asks for rollback` })]
      if (outcome.kind !== 'done' && !isCaught) return []
      return branch === 'seat'
        ? [this.#goes(heard, 'registers room', { asks: 'room', text: `${told} registers room` })]
        : [this.#goes(heard, 'idle', { asks: 'commit', text: `${told} asks for commit` })]
    })
  }

  #goes({ world, position }: Turn, place: Place, { asks, text }: { asks?: string; text: string }): WorldStep<Rest> {
    const { calls, asked } = world.rest
    const rest = {
      calls: calls.map((now, at) => (at === position ? place : now)).sort(),
      asked: asks === undefined || asked.includes(asks) ? asked : [...asked, asks].sort(),
    }
    return { world: this.#worlds.of({ ...world, rest }), text, heals: false }
  }
}

function registeredIn({ shape }: Row): readonly string[] {
  const { branches } = shape.transaction.definition as { readonly branches: readonly { readonly name: string }[] }
  return branches.map(({ name }) => name)
}

function violationOf({ row, world }: State<Rest>, participants: Participants<Rest>, defective: boolean): string | null {
  const { status, held } = row.shape.transaction
  const mayBeHeld = held === null || (defective && held.reason === 'phase-two-refused')
  if (!mayBeHeld) return `held without need: ${held.reason}`
  const isCommit = status === 'committing' || status === 'committed'
  const isRollback = status === 'rolling-back' || status === 'rolled-back'
  if (!isCommit && participants.isAnySent(world, 'confirm'))
    return `a confirm was sent while the row was ${status} (law 1)`
  if (!isRollback && participants.isAnySent(world, 'cancel'))
    return `a cancel was sent while the row was ${status} (law 1)`
  for (const name of names) {
    const broken = brokenIn(name, { row, world }, participants)
    if (broken !== null) return broken
  }
  return null
}

function brokenIn(name: Name, { row, world }: Pick<State<Rest>, 'row' | 'world'>, participants: Participants<Rest>) {
  const { status } = row.shape.transaction
  const { ran } = participants.standingOf(world, name)
  const isFrozen = (ran.try ?? 0) > (ran.confirm ?? 0) + (ran.cancel ?? 0)
  const isRegistered = registeredIn(row).includes(name)
  if (participants.isSent(world, name, 'try') && !isRegistered)
    return `${name} was tried before it was registered (law 1)`
  if (status === 'committed' && isRegistered && ran.confirm !== 1) return `committed, and ${name} is not confirmed`
  if (status === 'rolled-back' && ran.confirm === 1) return `rolled back, and ${name} is confirmed`
  return status === 'rolled-back' && isFrozen ? `rolled back, and ${name} is frozen` : null
}
