/**
 * The token rule of RedLock. Every attempt has a fresh owner and asks all nodes at once; what it asks is executed at any moment, in any
 * order, or never, and answers are late or lost. What an attempt does with the answers is `attempt.ts` written down once more, over its
 * own `Votes` and its own token rule.
 *
 *   idle       not begun. A client that tries again is another attempt.
 *   asking     acquires are on their way. Moves: any majority of the grants is heard → writing, or granted at once; given up → over.
 *   writing    write-backs are on their way. Moves: a majority stands for the token → granted; given up → over.
 *   granted    it holds the lock for as long as none of its keys has run out.
 *   released   was granted, and may not hold it any more.
 *   over       was never granted.
 *
 * What is left on the wire in the last three is still executed. Keys run out at any moment: the order of tokens must hold even so. A holder's
 * own clock ends its lease before any of its keys runs out, so from that moment on it does not count as one.
 *
 * An answer is heard when the vote is settled: what was heard before, a no, or silence, decides nothing but when an attempt is given up,
 * and that may be at any moment.
 *
 * Moves that can only take possibilities away need not be made. Whatever may follow on a no may also follow when the request is never executed;
 * whoever gives up does nothing that it could not do while it goes on; a key that nobody counts any more keeps others out, who might
 * as well come later. So unless `everyMove` is asked for, these are left out, and such a key is gone at once. Both ways find the same bugs.
 */
import { mutant } from 'lockstep/testing'
import { tokenOfMajority } from '../../packages/lockstep/src/locks/redlock/token-rule.ts'
import { Votes } from '../../packages/lockstep/src/locks/redlock/votes.ts'
import { acquireAt, type Node, nobody, type Ran, releaseAt, writeBackAt } from './redlock-node.ts'
import { type Attempt, alike, type Phase, type RedlockState, stateIn, textOf } from './redlock-state.ts'
import type { LockModel, LockMove } from './state-search.ts'

export interface RedlockOptions {
  readonly nodes: 3 | 5
  readonly attempts: number
  /** The counters from which it begins differ by up to so much: what attempts of before have left. */
  readonly apart: number
  /** Also the moves that can only take possibilities away. */
  readonly everyMove: boolean
}

type Visit = (move: LockMove<RedlockState>) => void

export function redlock(options: RedlockOptions): LockModel<RedlockState> {
  const { everyMove } = options
  return {
    starts: () => startsOf(options),
    textOf,
    stateOf: (text) => stateIn(text, options.nodes, options.attempts),
    moves(state, visit) {
      const seen: Visit = everyMove ? visit : (move) => visit({ ...move, to: withoutLeftovers(move.to) })
      begins(state, seen)
      for (const at of state.attempts.keys()) attemptMoves(state, at, everyMove, seen)
      for (const at of state.nodes.keys()) nodeMoves(state, at, seen)
    },
    violation: () => null,
    endOf: ({ attempts }) => (attempts.some(({ phase }) => isOpen(phase)) ? null : grantsOf(attempts)),
    goals: [],
    factOf: ({ nodes }) => nodes.map(({ owner, counter }) => `${owner} ${counter}`).join(),
  }
}

function startsOf({ nodes, attempts, apart }: RedlockOptions): RedlockState[] {
  let columns: number[][] = [[0]]
  for (let at = 1; at < nodes; at++)
    columns = columns.flatMap((column) => {
      const least = column.at(-1) ?? 0
      return Array.from({ length: apart + 1 - least }, (_, more) => [...column, least + more])
    })
  const idle: Attempt = {
    phase: 'idle',
    token: 0,
    floor: 0,
    hasRunOut: false,
    asked: zeros(nodes),
    written: zeros(nodes),
  }
  return columns.map((counters) => ({
    nodes: counters.map((counter) => ({ owner: nobody, counter })),
    attempts: Array.from({ length: attempts }, () => idle),
    mayForget: mutant('E1-counters-die-with-their-node'),
  }))
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0)
}

function isOpen(phase: Phase): boolean {
  return phase === 'idle' || phase === 'asking' || phase === 'writing'
}

function grantsOf(attempts: readonly Attempt[]): string {
  const granted = attempts.filter(({ phase }) => phase !== 'over').length
  return `with ${granted} granted`
}

function nameOf(attempt: number): string {
  return String.fromCharCode(65 + attempt)
}

/** Attempts are alike until they begin. */
function begins(state: RedlockState, visit: Visit): void {
  const at = state.attempts.findIndex(({ phase }) => phase === 'idle')
  if (at < 0) return
  const floor = Math.max(0, ...state.attempts.map((one) => (hasToken(one) ? one.token : 0)))
  const asked = state.nodes.map(() => pending)
  visit({ to: put(state, at, { phase: 'asking', floor, asked }), text: `${nameOf(at)} asks every node`, heals: true })
}

const pending = 1
/** An acquire that was answered with the counter `n` is `granted + n`; a write-back is pending, or was answered with yes. */
const granted = 2
const yes = 2

function hasToken({ phase }: Attempt): boolean {
  return phase === 'granted' || phase === 'released'
}

function attemptMoves(state: RedlockState, at: number, everyMove: boolean, visit: Visit): void {
  const attempt = state.attempts[at] as Attempt
  if (attempt.phase === 'idle') return
  for (const node of state.nodes.keys()) {
    if (attempt.asked[node] === pending) acquireExecuted(state, { at, node, everyMove }, visit)
    if (attempt.written[node] === pending) writeBackExecuted(state, { at, node, everyMove }, visit)
    if (!isOpen(attempt.phase)) released(state, at, node, visit)
  }
  if (attempt.phase === 'asking') majorities(state, at, visit)
  if (attempt.phase === 'writing') writtenBack(state, at, visit)
  const name = nameOf(at)
  if (attempt.phase === 'granted')
    visit({ to: put(state, at, { phase: 'released' }), text: `${name} releases it`, heals: true })
  else if (everyMove && isOpen(attempt.phase))
    visit({ to: put(state, at, { phase: 'over' }), text: `${name} gives up`, heals: false })
}

interface Executed {
  readonly at: number
  readonly node: number
  readonly everyMove: boolean
}

function acquireExecuted(state: RedlockState, { at, node, everyMove }: Executed, visit: Visit): void {
  const ran = acquireAt(state.nodes[node] as Node, at)
  if (ran.yes === null && !everyMove) return
  const { phase, asked } = state.attempts[at] as Attempt
  const isHeard = phase === 'asking' && ran.yes !== null
  const answer = isHeard ? granted + (ran.yes ?? 0) : 0
  const told = ran.yes === null ? 'no' : `yes, counter ${ran.yes}`
  const late = phase === 'asking' ? '' : ', and comes too late'
  const text = `acquire of ${nameOf(at)} is executed at node ${node + 1}: ${told}${late}`
  visit({ to: put(atNode(state, node, ran), at, { asked: asked.with(node, answer) }), text, heals: true })
}

function writeBackExecuted(state: RedlockState, { at, node, everyMove }: Executed, visit: Visit): void {
  const { phase, token, written } = state.attempts[at] as Attempt
  const ran = writeBackAt(state.nodes[node] as Node, at, token)
  if (ran.yes === null && !everyMove) return
  const isHeard = phase === 'writing' && ran.yes !== null
  const text = `${nameOf(at)} writes ${token} back to node ${node + 1}: ${ran.yes === null ? 'no' : 'yes'}`
  const change = { written: written.with(node, isHeard ? yes : 0) }
  visit({ to: put(atNode(state, node, ran), at, change), text, heals: true })
}

/** The settle rule: with any majority, and with more when their answers come in one turn. */
function majorities(state: RedlockState, at: number, visit: Visit): void {
  const { asked } = state.attempts[at] as Attempt
  const yeses = [...asked.keys()].filter((node) => (asked[node] ?? 0) >= granted)
  for (let some = 1; some < 1 << yeses.length; some++) {
    const heard = yeses.filter((_, bit) => (some & (1 << bit)) !== 0)
    const votes = votesOf(state, heard.length)
    if (votes.outcome === 'won') visit(wins(state, at, heard, votes.quorum))
  }
}

function votesOf({ nodes }: RedlockState, count: number): Votes {
  const votes = new Votes(nodes.length)
  for (let at = 0; at < count; at++) votes.count('yes')
  return votes
}

function wins(state: RedlockState, at: number, heard: readonly number[], quorum: number): LockMove<RedlockState> {
  const { asked } = state.attempts[at] as Attempt
  const counters = heard.map((node) => BigInt((asked[node] ?? 0) - granted))
  const rule = tokenOfMajority(counters, quorum)
  const token = Number(rule.token)
  const words = `${nameOf(at)} hears of nodes ${heard.map((node) => node + 1).join(' and ')}, so its token is ${token}`
  const unheard = asked.map((now) => (now === pending ? pending : 0))
  if (rule.isStored) return grants(put(state, at, { token, asked: unheard }), at, words)
  const written = state.nodes.map(() => pending)
  const to = put(state, at, { phase: 'writing', token, asked: unheard, written })
  return { to, text: `${words}; it is written back`, heals: true }
}

function writtenBack(state: RedlockState, at: number, visit: Visit): void {
  const { token, written } = state.attempts[at] as Attempt
  const votes = votesOf(state, written.filter((now) => now === yes).length)
  if (votes.outcome === 'won') visit(grants(state, at, `a majority stands for token ${token} of ${nameOf(at)}`))
}

function grants(state: RedlockState, at: number, words: string): LockMove<RedlockState> {
  const attempt = state.attempts[at] as Attempt
  const written = attempt.written.map((now) => (now === pending ? pending : 0))
  // Its validity is over: no lease is granted, and yet its token has to be in order.
  const phase = attempt.hasRunOut && !mutant('W1-no-validity-check') ? 'released' : 'granted'
  const to = put(state, at, { phase, written, hasRunOut: false })
  return { to, text: `${words}; it is granted`, heals: true, violation: disorder(state, at, phase) }
}

function disorder({ attempts }: RedlockState, at: number, phase: Phase): string | null {
  const { token, floor } = attempts[at] as Attempt
  const others = attempts.filter((_, other) => other !== at)
  if (token <= floor) return `${nameOf(at)} was granted ${token}, and began when ${floor} had been granted`
  if (others.some((one) => hasToken(one) && one.token === token)) return `${token} was granted twice`
  const isHeld = phase === 'granted' && others.some((one) => one.phase === 'granted')
  return isHeld ? 'two hold the lock' : null
}

/** A release is repeated for as long as it is not answered. */
function released(state: RedlockState, at: number, node: number, visit: Visit): void {
  const { phase } = state.attempts[at] as Attempt
  const before = state.nodes[node] as Node
  if (phase === 'granted' || (phase === 'over' && before.owner !== at)) return
  const ran = releaseAt(before, at)
  const text = `release of ${nameOf(at)} is executed at node ${node + 1}`
  if (!alike(ran.node, before)) visit({ to: atNode(state, node, ran), text, heals: true })
}

function nodeMoves(state: RedlockState, at: number, visit: Visit): void {
  const node = state.nodes[at] as Node
  const { owner, counter } = node
  const free = atNode(state, at, { node: { owner: nobody, counter }, yes: null })
  const text = `the key of ${nameOf(owner)} runs out at node ${at + 1}`
  if (owner !== nobody) visit({ to: put(free, owner, { hasRunOut: true }), text, heals: true })
  if (!state.mayForget || counter === 0) return
  const to = { ...atNode(state, at, { node: { owner: nobody, counter: 0 }, yes: null }), mayForget: false }
  visit({ to, text: `node ${at + 1} dies, and comes back empty`, heals: false })
}

function atNode(state: RedlockState, at: number, { node }: Ran): RedlockState {
  return { ...state, nodes: state.nodes.with(at, node) }
}

function put(state: RedlockState, at: number, change: Partial<Attempt>): RedlockState {
  const attempt = { ...(state.attempts[at] as Attempt), ...change }
  return { ...state, attempts: state.attempts.with(at, settled(attempt)) }
}

/** What cannot matter any more is forgotten, so that states which differ in nothing else are one. */
function settled(attempt: Attempt): Attempt {
  const { hasRunOut, asked, written } = attempt
  const phase = attempt.phase === 'granted' && hasRunOut ? 'released' : attempt.phase
  if (isOpen(phase)) return attempt
  const unheard = asked.map((now) => (now === pending ? pending : 0))
  const isLate = written.includes(pending)
  const token = phase === 'over' && !isLate ? 0 : attempt.token
  const rest = written.map((now) => (now === pending ? pending : 0))
  return { phase, token, floor: 0, hasRunOut: false, asked: unheard, written: rest }
}

/** Keys that nobody counts any more are gone, and so are write-backs that cannot be answered with yes. */
function withoutLeftovers(state: RedlockState): RedlockState {
  const attempts = state.attempts.map((attempt, at) => {
    if (!attempt.written.includes(pending)) return attempt
    const mayBeOwner = (node: number): boolean => state.nodes[node]?.owner === at || attempt.asked[node] === pending
    const written = attempt.written.map((now, node) => (now === pending && !mayBeOwner(node) ? 0 : now))
    return settled({ ...attempt, written })
  })
  const nodes = state.nodes.map((node, at) => {
    const owner = attempts[node.owner]
    const isLeft = owner !== undefined && !isOpen(owner.phase) && owner.phase !== 'granted'
    return isLeft && owner.written[at] !== pending ? { ...node, owner: nobody } : node
  })
  return { ...state, nodes, attempts }
}
