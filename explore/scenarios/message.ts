/**
 * A reliable message. Its producer is called with one id any number of times, also at once: each call begins, runs its local transaction, and
 * asks for commit; after whatever throws it asks its own check first. The local transaction commits, aborts, or loses its COMMIT, which may
 * then still land; its process dies anywhere. The coordinator's check-back comes at any time, late or twice. While a local transaction is
 * open, whoever else wants its row waits until the lock wait is over. A receiver may refuse, and then the message may be held for it.
 */
import { messagePattern, mutant } from 'lockstep/testing'
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

export interface MessageOptions {
  /** Calls of the producer at one time. */
  readonly callers: number
  readonly receivers: 1 | 2
  readonly writes: CopyOptions['writes']
  readonly lateAnswers: boolean
}

type Decision = 'commit' | 'rollback'

/** Where one call of `send` stands. */
type Place = 'idle' | 'begun' | 'open' | 'threw' | 'ran'

interface Rest {
  /** The calls are alike, so their order does not matter. */
  readonly calls: readonly Place[]
  /** A local transaction whose client is gone: the database has not ended it yet. */
  readonly adrift: boolean
  /** What coordinators were asked for. */
  readonly asked: readonly Decision[]
}

const local = '_local'
const wishes: Readonly<Record<Decision, Wish>> = {
  commit: { event: { kind: 'decide', decision: 'commit' }, name: "the producer's commit" },
  rollback: { event: { kind: 'decide', decision: 'rollback' }, name: "the producer's rollback" },
}

export async function message({ callers, receivers, writes, lateAnswers }: MessageOptions): Promise<Parts<Rest>> {
  const machine = new Machine(messagePattern)
  const copies = new Copies({ machine, writes })
  const rows = new Rows()
  const worlds = new Worlds<Rest>()
  const names = ['award', 'mail'].slice(0, receivers)
  const producer = await participantWithBarrier({ operations: ['action', 'check'], mayRefuse: [] })
  const receiver = await participantWithBarrier({ operations: ['deliver'], mayRefuse: ['deliver'] })
  const participants = new Participants<Rest>(
    [
      { name: local, participant: producer, operations: ['check'] },
      ...names.map((name) => ({ name, participant: receiver, operations: ['deliver'] as const })),
    ],
    worlds,
  )
  const sending = new Sending(participants, worlds)
  const scenario = {
    worlds,
    start(): State<Rest> {
      const deliveries = names.map((name) => ({ name, to: `bank.${name}` }))
      const shape = machine.begin({ checkBack: 'bank', checkAfter: turningPointMs, deliveries })
      const rest = { calls: Array.from({ length: callers }, () => 'idle' as const), adrift: false, asked: [] }
      const world = worlds.of({ ...participants.untouched, rest })
      return { row: rows.of(shape, false), current: copies.atHand(shape), stale: null, world }
    },
    bitOf: participants.bitOf.bind(participants),
    send: participants.send.bind(participants),
    executions(world, call) {
      if (call.operation !== 'check') return participants.executions(world, call)
      const answered = isOpen(world.rest) ? [{ ...lockedOut, world }] : participants.executions(world, call)
      return [...answered, { ...wrongAnswer, world }]
    },
    wishes: (world) => world.rest.asked.map((decision) => wishes[decision]),
    steps: (row, world) => [
      ...participants.strays(world, ({ branch }) => branch !== local || !isOpen(world.rest)),
      ...sending.steps(row, world),
    ],
    violation: (state) => participants.fault(state.world) ?? violationOf(state, participants, names),
    isEnd: ({ row }) => row.shape.transaction.endedAt !== null || row.shape.transaction.held !== null,
    mayTimeOut: () => true,
    mayLeaveLate: () => true,
    mayCalm: () => true,
  } satisfies Parts<Rest>['scenario']
  return { copies, rows, scenario, lateAnswers }
}

/** The check waits for the row of the open local transaction, and gives up (`BarrierBusy`). */
const lockedOut = { outcome: { kind: 'pending' }, text: '_local: check finds it open', heals: true } as const

/** A server that is no producer says 200. */
const wrongAnswer = {
  outcome: { kind: 'done', output: null },
  text: '_local: check is answered without a decision',
  heals: false,
} as const

function isOpen({ calls, adrift }: Rest): boolean {
  return adrift || calls.includes('open')
}

interface Turn {
  readonly world: World<Rest>
  readonly position: number
}

interface Going {
  readonly text: string
  readonly adrift?: boolean
  readonly asks?: Decision
}

type Steps = WorldStep<Rest>[]

/** `send`, as far as it meets anybody else. */
class Sending {
  readonly #participants: Participants<Rest>
  readonly #worlds: Worlds<Rest>

  constructor(participants: Participants<Rest>, worlds: Worlds<Rest>) {
    this.#participants = participants
    this.#worlds = worlds
  }

  steps(row: Row, world: World<Rest>): Steps {
    const { calls, adrift } = world.rest
    const steps = calls.flatMap((place, position) => {
      const turn = { world, position }
      if (place === 'idle') return this.#begins(row, turn)
      const dies = this.#goes(turn, 'idle', { text: 'the producer dies', adrift: adrift || place === 'open' })
      return [dies, ...this.#goesOn(turn, place)]
    })
    return adrift ? [...steps, ...this.#settles(world)] : steps
  }

  /** The row is there: the begin answers its durable status. */
  #begins({ shape }: Row, turn: Turn): Steps {
    if (shape.transaction.status !== 'prepared') return []
    const hasty = mutant('P6-commit-before-local') ? { asks: 'commit' as const } : {}
    return [this.#goes(turn, 'begun', { text: 'the producer begins, and is answered prepared', ...hasty })]
  }

  #goesOn(turn: Turn, place: Exclude<Place, 'idle'>): Steps {
    switch (place) {
      case 'begun':
        return this.#runs(turn)
      case 'open':
        return this.#closes(turn)
      case 'threw':
        return this.#asksItself(turn)
      case 'ran':
        return [this.#goes(turn, 'idle', { text: 'the producer asks for commit', asks: 'commit' })]
    }
  }

  #runs(turn: Turn): Steps {
    const { world } = turn
    const throws = this.#goes(turn, 'threw', { text: 'the producer throws before its local transaction' })
    if (isOpen(world.rest))
      return [throws, this.#goes(turn, 'threw', { text: 'a local transaction waits for the open one, and gives up' })]
    const runs = this.#participants.answers(world, local, 'action').map(({ outcome, to, text }) => {
      if (outcome.kind === 'refused') return this.#goes(turn, 'threw', { text: `_local: ${text}` })
      if (to === world.standings[0]) return this.#goes(turn, 'ran', { text: `_local: ${text}, as before` })
      return this.#goes(turn, 'open', { text: 'a local transaction opens' })
    })
    return [throws, ...runs]
  }

  #closes(turn: Turn): Steps {
    return [
      this.#goes({ ...turn, world: this.#committed(turn.world) }, 'ran', { text: 'the local transaction commits' }),
      this.#goes(turn, 'threw', { text: 'the local transaction aborts' }),
      this.#goes(turn, 'threw', { text: 'the COMMIT of the local transaction gets no answer', adrift: true }),
    ]
  }

  #settles(world: World<Rest>): Steps {
    const rest = { ...world.rest, adrift: false }
    const text = 'the database ends the local transaction: '
    return [
      { world: this.#worlds.of({ ...world, rest }), text: `${text}aborted`, heals: true },
      { world: this.#worlds.of({ ...this.#committed(world), rest }), text: `${text}committed`, heals: true },
    ]
  }

  /** Its own check. Without an answer the coordinator is to ask, which a rollback means where there is a check-back. */
  #asksItself(turn: Turn): Steps {
    const { world } = turn
    const unanswered = 'its own check has no answer; the producer asks for rollback'
    const steps = [this.#goes(turn, 'idle', { text: unanswered, asks: 'rollback' })]
    if (isOpen(world.rest) || mutant('P1-rollback-on-own-belief')) return steps
    for (const { outcome, to, text } of this.#participants.answers(world, local, 'check')) {
      if (outcome.kind !== 'done') continue
      const { decision } = outcome.output as { readonly decision: Decision }
      const told = { text: `its own ${text}; the producer asks for ${decision}`, asks: decision }
      steps.push(this.#goes({ ...turn, world: this.#participants.at(world, local, to) }, 'idle', told))
    }
    return steps
  }

  /** Nobody could change the row while it was open, so the barrier says now what it said then. */
  #committed(world: World<Rest>): World<Rest> {
    const [answer] = this.#participants.answers(world, local, 'action')
    return answer === undefined ? world : this.#participants.at(world, local, answer.to)
  }

  #goes({ world, position }: Turn, place: Place, { text, asks, adrift }: Going): WorldStep<Rest> {
    const { calls, asked, adrift: was } = world.rest
    const rest: Rest = {
      calls: calls.map((now, at) => (at === position ? place : now)).sort(),
      adrift: adrift ?? was,
      asked: asks === undefined || asked.includes(asks) ? asked : [...asked, asks].sort(),
    }
    // Whether it goes on is up to it, but it does not leave its local transaction open for ever.
    const heals = calls[position] === 'open'
    return { world: this.#worlds.of({ ...world, rest }), text, heals }
  }
}

function violationOf(
  { row, world }: State<Rest>,
  participants: Participants<Rest>,
  receivers: readonly string[],
): string | null {
  const { status, held } = row.shape.transaction
  if (held !== null && held.reason !== 'delivery-refused') return `held without need: ${held.reason}`
  const isRun = participants.standingOf(world, local).ran.action === 1
  const isDelivered = (name: string): boolean => participants.standingOf(world, name).ran.deliver === 1
  const isCommit = status === 'committing' || status === 'committed'
  const isRollback = status === 'rolling-back' || status === 'rolled-back'
  if (!isCommit && participants.isAnySent(world, 'deliver'))
    return `a delivery was sent while the row was ${status} (law 1)`
  if (receivers.some(isDelivered) && !isRun) return 'delivered, and the local transaction is not committed'
  if (isCommit && !isRun) return `${status}, and the local transaction is not committed`
  if (isRollback && isRun) return `${status}, and the local transaction is committed: a lost message`
  if (status === 'committed' && !receivers.every(isDelivered)) return 'committed, and not delivered'
  return null
}
