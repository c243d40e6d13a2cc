/** How the states of a queue follow on each other, and what is asked about them everywhere. */
import { mutant } from 'lockstep/testing'
import type { Answer, Mode, Server } from './queue-server.ts'
import { type Contender, messagesMax, type Phase, type QueueState } from './queue-state.ts'

const waiting: ReadonlySet<Phase> = new Set(['next', 'trying', 'asking', 'sleeping', 'entering'])
const turning: ReadonlySet<Phase> = new Set(['trying', 'asking', 'sleeping', 'held'])
const heeding: ReadonlySet<Phase> = new Set(['asking', 'sleeping'])

export function isWaiting(phase: Phase): boolean {
  return waiting.has(phase)
}

/** It has the turn of its process, which passes on when it gives back what it had, or gives up. */
export function hasTurn(phase: Phase): boolean {
  return turning.has(phase)
}

/** It hears of grants. */
export function isHeeding(phase: Phase): boolean {
  return heeding.has(phase)
}

export function phaseOf(contenders: readonly Contender[], at: number): Phase {
  return contenders[at]?.phase ?? 'idle'
}

export function isClean({ server, contenders }: QueueState): boolean {
  const isIdle = contenders.every(({ phase, stray }) => phase === 'idle' && stray === 'none')
  return isIdle && contenders.every((_, at) => !isKnown(server, at))
}

export function isKnown({ tokens, queue: queued, about }: Server, at: number): boolean {
  return (tokens[at] ?? 0) > 0 || queued.includes(at) || about[at] !== 'no'
}

export function nameOf(at: number): string {
  return String.fromCharCode(65 + at)
}

/** The server after a script, whose messages are on their way. */
export function after(state: QueueState, { server, messages }: Answer): QueueState {
  if (messages.length === 0 || !messagesAreBelieved()) return { ...state, server }
  const contenders = state.contenders.map((one, at) => {
    const told = messages.filter(({ to }) => to === at).map(({ token }) => token)
    return told.length === 0 ? one : settled({ ...one, messages: [...one.messages, ...told].slice(-messagesMax) })
  })
  return { ...state, server, contenders }
}

function messagesAreBelieved(): boolean {
  return mutant('M15-not-checked-after-the-wait') || mutant('E7-confirms-what-it-heard')
}

export function changed(state: QueueState, at: number, change: Partial<Contender>): QueueState {
  const next = settled({ ...(state.contenders[at] as Contender), ...change })
  return withoutLeftovers({ ...state, contenders: state.contenders.with(at, next) })
}

/** What cannot matter any more is forgotten. */
function settled(one: Contender): Contender {
  const hasToken = one.phase === 'held'
  const messages = heeding.has(one.phase) ? one.messages : []
  const hears = heeding.has(one.phase) || one.phase === 'dead' ? one.hears : true
  return { ...one, token: hasToken ? one.token : 0, messages, hears }
}

export function withoutLeftovers(state: QueueState): QueueState {
  const { server, contenders } = state
  const isOver = (one: Contender, at: number): boolean =>
    (one.stray === 'executed' && !isKnown(server, at)) || (one.strayPass && server.tokens[at] === 0)
  if (!contenders.some(isOver)) return state
  const rest = contenders.map((one, at): Contender => {
    const stray = one.stray === 'executed' && !isKnown(server, at) ? 'none' : one.stray
    return { ...one, stray, strayPass: one.strayPass && server.tokens[at] !== 0 }
  })
  return { ...state, contenders: rest }
}

export function isAlone(mode: Mode | undefined): boolean {
  return mode === 'm' || mode === 'w'
}

export function believing(state: QueueState, at: number, token: number, modes: readonly Mode[]): QueueState {
  const granted = Math.max(state.granted, token)
  const grantedAlone = isAlone(modes[at]) ? granted : state.grantedAlone
  return changed({ ...state, granted, grantedAlone }, at, { phase: 'held', token })
}
