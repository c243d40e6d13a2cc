import type { QueueOptions } from './locks/contending.ts'
import { queue } from './locks/queue.ts'
import type { Mode } from './locks/queue-server.ts'
import { type RedlockOptions, redlock } from './locks/redlock.ts'
import { type LockModel, StateSearch } from './locks/state-search.ts'
import type { Parts } from './model/world.ts'
import { message } from './scenarios/message.ts'
import { type SecondStep, saga } from './scenarios/saga.ts'
import { tcc } from './scenarios/tcc.ts'
import { Search, type SearchLimits, type SearchResult } from './search/search.ts'
import { linesOf } from './search/trace.ts'

/** What a search has found, whatever it was about. */
export interface Explored extends Omit<SearchResult, 'trace' | 'facts'> {
  /** What is left when all memory is forgotten, counted: finer bounds must not find more. */
  readonly facts: { readonly count: number; readonly of: string }
  /** The moves that lead to the violation, and how they are told. */
  readonly steps: number
  readonly lines: readonly string[]
}

/** One search: what is explored, and how finely. */
export interface Exploration {
  readonly name: string
  readonly about: string
  readonly explore: (limits: SearchLimits) => Promise<Explored>
}

export const boundNames = ['smoke', 'default', 'wide'] as const
export type BoundName = (typeof boundNames)[number]

interface Fineness {
  readonly writes: 'whole' | 'split'
  readonly lateAnswers: boolean
}

/** Writes land and are answered at once, answers come at once or never: complete by what `model/copy.ts` says of it. */
const coarse: Fineness = { writes: 'whole', lateAnswers: false }
/** Answers may be late as well. */
const middle: Fineness = { writes: 'whole', lateAnswers: true }
/** A write is submitted, lands and is answered, each in a move of its own. */
const fine: Fineness = { writes: 'split', lateAnswers: true }

export const bounds: Readonly<Record<BoundName, readonly Exploration[]>> = {
  smoke: [
    sagaWith('barrier', coarse),
    sagaWith('output', coarse),
    sagaWith('url', coarse),
    sagaWith('plain', coarse),
    tccWith({ callers: 1, defective: false }, coarse),
    tccWith({ callers: 1, defective: true }, coarse),
    messageWith({ callers: 2, receivers: 1 }, coarse),
    redlockWith({ nodes: 3, attempts: 2, apart: 2, everyMove: false }),
    queueWith('mmm', { tries: true, deaf: true }),
    queueWith('mmm', { processes: [2, 1] }),
    queueWith('ppp'),
    queueWith('wr', { deaf: true }),
  ],
  default: [
    sagaWith('barrier', fine),
    sagaWith('output', fine),
    sagaWith('url', fine),
    sagaWith('plain', fine),
    tccWith({ callers: 2, defective: false }, middle),
    tccWith({ callers: 1, defective: true }, middle),
    messageWith({ callers: 2, receivers: 1 }, fine),
    redlockWith({ nodes: 3, attempts: 3, apart: 1, everyMove: false }),
    redlockWith({ nodes: 5, attempts: 2, apart: 1, everyMove: false }),
    queueWith('mmm', { tries: true, deaf: true }),
    queueWith('mmm', { strays: true }),
    queueWith('mmm', { processes: [2, 1], strays: true }),
    queueWith('ppp', { deaf: true }),
    queueWith('wrr'),
  ],
  wide: [
    sagaWith('barrier', fine),
    sagaWith('output', fine),
    sagaWith('concurrent', middle),
    sagaWith('url', fine),
    sagaWith('plain', fine),
    tccWith({ callers: 1, defective: false }, fine),
    tccWith({ callers: 3, defective: false }, middle),
    tccWith({ callers: 1, defective: true }, fine),
    messageWith({ callers: 2, receivers: 1 }, fine),
    messageWith({ callers: 3, receivers: 1 }, middle),
    messageWith({ callers: 2, receivers: 2 }, middle),
    redlockWith({ nodes: 3, attempts: 2, apart: 2, everyMove: true }),
    redlockWith({ nodes: 3, attempts: 3, apart: 2, everyMove: false }),
    queueWith('mmm', { tries: true, deaf: true, strays: true }),
    queueWith('mmmm'),
    queueWith('mmm', { processes: [2, 1], tries: true, deaf: true, strays: true }),
    queueWith('mmmm', { processes: [2, 2] }),
    queueWith('ppp', { strays: true }),
    queueWith('wrr', { deaf: true }),
    queueWith('wwr', { deaf: true }),
    queueWith('wwr', { processes: [2, 1] }),
  ],
}

function sagaWith(second: SecondStep, how: Fineness): Exploration {
  const what = {
    barrier: 'two steps with barriers; the second runs ahead',
    output: 'two steps with barriers; the second gets the output of the first',
    concurrent: 'two steps with barriers, at once',
    url: 'two steps, the second a plain URL that keeps its promises',
    plain: 'two steps, the second a plain URL that keeps none',
  }
  const name = second === 'barrier' ? 'saga' : `saga-${second}`
  return exploration(name, `${what[second]}; ${spoken(how)}`, () => saga({ second, ...how }))
}

function tccWith(what: { readonly callers: number; readonly defective: boolean }, how: Fineness): Exploration {
  const about = `two branches, ${calls(what.callers)}${what.defective ? ', confirms and cancels that refuse' : ''}`
  return exploration(what.defective ? 'tcc-defective' : 'tcc', `${about}; ${spoken(how)}`, () =>
    tcc({ ...what, ...how }),
  )
}

function messageWith(what: { readonly callers: number; readonly receivers: 1 | 2 }, how: Fineness): Exploration {
  const name = what.receivers === 1 ? 'message' : 'message-fan-out'
  const about = `${what.receivers} ${what.receivers === 1 ? 'receiver' : 'receivers'}, ${calls(what.callers)}`
  return exploration(name, `${about}; ${spoken(how)}`, () => message({ ...what, ...how }))
}

function calls(callers: number): string {
  return callers === 1 ? 'calls one after the other' : `${callers} calls at a time`
}

function spoken({ writes, lateAnswers }: Fineness): string {
  return `${writes} writes${lateAnswers ? ', late answers' : ''}`
}

/** The scenario is made when it is searched: what a mutant breaks is computed then. */
function exploration<Rest>(name: string, about: string, make: () => Promise<Parts<Rest>>): Exploration {
  const explore = async (limits: SearchLimits): Promise<Explored> => {
    const { trace, facts, ...result } = new Search(await make()).run(limits)
    const pairs = { count: facts, of: 'pairs of row and world' }
    return { ...result, facts: pairs, steps: trace.length, lines: linesOf(trace) }
  }
  return { name, about, explore }
}

function redlockWith(options: RedlockOptions): Exploration {
  const { nodes, attempts, apart, everyMove } = options
  const from = apart === 0 ? 'from equal counters' : `from counters up to ${apart} apart`
  const about = `${nodes} nodes, ${attempts} attempts, ${from}${everyMove ? '; every move' : ''}`
  return lockExploration(nodes === 3 ? 'redlock' : 'redlock-five', about, 'states of the nodes', () => redlock(options))
}

/** `modes` has a letter for each task: m for a mutex, r and w for reading and writing, p for one of two permits. */
function queueWith(modes: string, what: Partial<Omit<QueueOptions, 'modes'>> = {}): Exploration {
  const tasks = [...modes] as Mode[]
  const options = {
    modes: tasks,
    processes: tasks.map(() => 1 as const),
    tries: false,
    deaf: false,
    strays: false,
    ...what,
  }
  const { processes, tries, deaf, strays } = options
  const passes = processes.length < modes.length ? `, ${processes.join(' and ')} in a process` : ''
  const words = [tries ? 'tries' : '', deaf ? 'deaf subscribers' : '', strays ? 'stray requests' : ''].filter(Boolean)
  const about = `tasks ${modes}${passes}${words.length > 0 ? `; ${words.join(', ')}` : ''}`
  const name = passes !== '' ? 'queue-pass' : modes.startsWith('m') ? 'queue' : 'queue-shared'
  return lockExploration(name, about, 'states of the server', () => queue(options))
}

function lockExploration<State>(name: string, about: string, of: string, make: () => LockModel<State>): Exploration {
  const explore = async (limits: SearchLimits): Promise<Explored> => {
    const { steps, facts, ...result } = new StateSearch(make()).run(limits)
    const lines = steps.map((step, at) => `${String(at + 1).padStart(4)}  ${step}`)
    return { ...result, facts: { count: facts, of }, steps: steps.length, lines }
  }
  return { name, about, explore }
}
