import type { Parts } from './model/world.ts'
import { message } from './scenarios/message.ts'
import { type SecondStep, saga } from './scenarios/saga.ts'
import { tcc } from './scenarios/tcc.ts'
import { Search, type SearchLimits, type SearchResult } from './search/search.ts'

/** One search: what is explored, and how finely. */
export interface Exploration {
  readonly name: string
  readonly about: string
  readonly explore: (limits: SearchLimits) => Promise<SearchResult>
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
  ],
  default: [
    sagaWith('barrier', fine),
    sagaWith('output', fine),
    sagaWith('url', fine),
    sagaWith('plain', fine),
    tccWith({ callers: 2, defective: false }, middle),
    tccWith({ callers: 1, defective: true }, middle),
    messageWith({ callers: 2, receivers: 1 }, fine),
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
  return { name, about, explore: async (limits) => new Search(await make()).run(limits) }
}
