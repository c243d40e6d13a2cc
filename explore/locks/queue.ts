/**
 * The queue of a Redis mutex, with its hand-over, over the real scripts. What a contender does is `contention.ts`, `redis-hold.ts` and
 * `contest.ts` written down once more.
 *
 *   idle        wants nothing.
 *   next        waits in its own process for the one that is at the server.
 *   trying      asks without queueing: it tries only once, or its process does not listen yet.
 *   asking      asks, and queues. Whoever is not answered asks again.
 *   sleeping    queued. Moves: a message of a grant, or the poll → asking; the wait ends → leaving.
 *   held        believes it, and is within its validity.
 *   passing     one request releases, and asks for the next of its process.
 *   releasing   repeated until it is answered.
 *   entering    the next, whose pass was not answered: it asks when the one before is released.
 *   leaving     has given up; its farewell is repeated until it is answered.
 *   dead        its process is. It comes back when nothing is left of it.
 *
 * A request is executed and answered in one move, executed without an answer, or goes astray and is executed at any later time. That an answer
 * comes late is no move of its own: while the key lives nobody else does anything that the late one could tell, and afterwards it is not valid.
 *
 * A message is a reason to ask, as the poll is one at any time. So messages are no part of a state, but for mutants that believe what they say.
 *
 * Time stands still; what it would end is ended by moves of its own: the key of one that does not believe that it holds, a waiter in the
 * queue, a wait, a validity. A holder's own clock ends its lease before its key runs out.
 */
import { Contending, type QueueOptions, type Visit } from './contending.ts'
import { isClean, isHeeding, isWaiting, nameOf, phaseOf, withoutLeftovers } from './queue-changes.ts'
import { ghostIn } from './queue-rules.ts'
import { type Mode, nobody, type Server } from './queue-server.ts'
import { type Contender, type QueueState, stateIn, textOf, withSmallTokens } from './queue-state.ts'
import type { LockModel } from './state-search.ts'

export function queue(options: QueueOptions): LockModel<QueueState> {
  const { modes } = options
  const partners = partnersOf(options.processes)
  const orders = ordersOf(partners, modes)
  const count = partners.length
  return {
    starts: () => [startOf(count)],
    textOf: (state) => textOf(withSmallTokens(state), orders),
    stateOf: (text) => stateIn(text, count),
    moves(state, visit) {
      for (let at = 0; at < count; at++) new Contending({ state, at, partners, options }, visit).moves()
      serverMoves(state, modes, visit)
    },
    violation: (state) => ghostIn(state, partners),
    endOf: () => null,
    goals: [
      ...[...partners.keys()].map((at) => ({
        name: `the lock for ${nameOf(at)}`,
        isReached: ({ contenders }: QueueState) => !isWaiting(phaseOf(contenders, at)),
      })),
      { name: 'a lock that nobody has or wants', isReached: isClean },
    ],
    factOf: ({ server: { tokens, queue: queued, about } }) =>
      `${tokens.map((token) => token > 0).join()} ${queued.join()} ${about.join()}`,
  }
}

/** For each contender the other one of its process, or -1. */
function partnersOf(processes: readonly (1 | 2)[]): readonly number[] {
  const partners: number[] = []
  for (const size of processes) {
    const at = partners.length
    if (size === 1) partners.push(nobody)
    else partners.push(at + 1, at)
  }
  return partners
}

/** Those who are alone in their process and want the same are alike, and so are the two of one. */
function ordersOf(partners: readonly number[], modes: readonly Mode[]): readonly (readonly number[])[] {
  let orders: number[][] = [[]]
  for (const at of partners.keys())
    orders = orders.flatMap((order) => Array.from({ length: at + 1 }, (_, into) => order.toSpliced(into, 0, at)))
  return orders.filter((order) =>
    order.every(
      (from, to) => modes[from] === modes[to] && order.indexOf(partners[from] ?? nobody) === (partners[to] ?? nobody),
    ),
  )
}

function startOf(count: number): QueueState {
  const idle: Contender = { phase: 'idle', token: 0, stray: 'none', strayPass: false, hears: true, messages: [] }
  const about = Array.from({ length: count }, () => 'no' as const)
  return {
    server: { tokens: about.map(() => 0), counter: 1, queue: [], about },
    granted: 0,
    grantedAlone: 0,
    contenders: about.map(() => idle),
  }
}

/** What time ends. */
function serverMoves(state: QueueState, modes: readonly Mode[], visit: Visit): void {
  const { server, contenders } = state
  const { tokens, queue: queued, about } = server
  const put = (change: Partial<Server>, text: string, heals: boolean): void =>
    visit({ to: withoutLeftovers({ ...state, server: { ...server, ...change } }), text, heals })
  const isAsleep = (at: number): boolean => !isHeeding(phaseOf(contenders, at)) && phaseOf(contenders, at) !== 'trying'
  for (const [at, token] of tokens.entries())
    if (token > 0 && phaseOf(contenders, at) !== 'held')
      put({ tokens: tokens.with(at, 0) }, `the key of ${nameOf(at)} runs out`, isAsleep(at))
  for (const [at, waits] of about.entries())
    if (waits === 'listens' || waits === 'polls')
      put({ about: about.with(at, 'late') }, `${nameOf(at)} has not asked for long`, isAsleep(at))
  const none = about.map(() => 'no' as const)
  const isOver =
    about.some((waits) => waits !== 'no') && about.every((waits) => waits !== 'listens' && waits !== 'polls')
  const names = queued.map(nameOf).join(' and ')
  if (modes[0] === 'm') {
    if (isOver) put({ queue: [], about: none }, `the queue of ${names} runs out`, true)
    return
  }
  // Holders keep the hash of those who wait alive, and those who wait keep that of the holders.
  const isFree = tokens.every((token) => token === 0)
  if (isOver && isFree) put({ queue: [], about: none }, 'all that is left runs out', true)
  else if (isOver && queued.length > 0) put({ queue: [] }, `the list of ${names} runs out`, true)
  const holdersMayEnd = !isFree && tokens.every((token, at) => token === 0 || phaseOf(contenders, at) !== 'held')
  if (!holdersMayEnd || queued.length === 0) return
  const left = about.map((waits, at) => ((tokens[at] ?? 0) > 0 ? 'token' : waits))
  put({ tokens: tokens.map(() => 0), about: left }, 'the set of those who held it runs out', false)
}
