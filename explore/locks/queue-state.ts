import type { Server, Waits } from './queue-server.ts'

const phases = [
  'idle',
  'next',
  'trying',
  'asking',
  'sleeping',
  'held',
  'passing',
  'releasing',
  'entering',
  'leaving',
  'dead',
] as const
export type Phase = (typeof phases)[number]

/** A request that nobody waits for any more: on its way, or executed, and what it has left is still there. */
const strays = ['none', 'on its way', 'executed'] as const
export type Stray = (typeof strays)[number]
const waits: readonly Waits[] = ['no', 'listens', 'polls', 'late', 'token']

export interface Contender {
  readonly phase: Phase
  /** While it is held. */
  readonly token: number
  readonly stray: Stray
  /** Its pass may still be executed. */
  readonly strayPass: boolean
  /** The server knows its process as a subscriber. */
  readonly hears: boolean
  /** Tokens of grants that are on their way to it. */
  readonly messages: readonly number[]
}

export interface QueueState {
  readonly server: Server
  /** The largest token of which anybody knew that it was his, and the largest of those who hold it alone. */
  readonly granted: number
  readonly grantedAlone: number
  readonly contenders: readonly Contender[]
}

export const messagesMax = 2
const zero = 48

/** Of the ways to number those who are alike, the text has the one that is the first by the alphabet. One character for each number. */
export function textOf(
  { server, granted, grantedAlone, contenders }: QueueState,
  orders: readonly (readonly number[])[],
): string {
  const blocks = contenders.map((one, at) => blockOf(one, at, server))
  let first: string | null = null
  let rest = ''
  for (const order of orders) {
    let text = ''
    for (const at of order) text += blocks[at]
    if (first !== null && text > first) continue
    const queue = queueOf(server, order)
    if (text === first && queue >= rest) continue
    first = text
    rest = queue
  }
  return chars(server.counter, granted, grantedAlone) + first + rest
}

function blockOf({ phase, token, stray, strayPass, hears, messages }: Contender, at: number, server: Server): string {
  const flags = strays.indexOf(stray) + 3 * Number(strayPass) + 6 * Number(hears)
  const known = [server.tokens[at] ?? 0, waits.indexOf(server.about[at] ?? 'no')]
  return chars(phases.indexOf(phase), token, flags, messages[0] ?? 0, messages[1] ?? 0, ...known)
}

function queueOf({ queue }: Server, order: readonly number[]): string {
  return chars(...queue.map((at) => order.indexOf(at)))
}

const headWidth = 3
const blockWidth = 7

export function stateIn(text: string, count: number): QueueState {
  const at = (position: number): number => text.charCodeAt(position) - zero
  const starts = Array.from({ length: count }, (_, one) => headWidth + one * blockWidth)
  const contenders = starts.map((start): Contender => {
    const flags = at(start + 2)
    return {
      phase: phases[at(start)] ?? 'idle',
      token: at(start + 1),
      stray: strays[flags % 3] ?? 'none',
      strayPass: Math.floor(flags / 3) % 2 === 1,
      hears: flags >= 6,
      messages: [at(start + 3), at(start + 4)].filter((token) => token > 0),
    }
  })
  const queueFrom = headWidth + count * blockWidth
  const queue = Array.from({ length: text.length - queueFrom }, (_, one) => at(queueFrom + one))
  const tokens = starts.map((start) => at(start + 5))
  const about = starts.map((start) => waits[at(start + 6)] ?? 'no')
  return { server: { tokens, counter: at(0), queue, about }, granted: at(1), grantedAlone: at(2), contenders }
}

function chars(...numbers: readonly number[]): string {
  return String.fromCharCode(...numbers.map((number) => number + zero))
}

/** Only the order of tokens is of interest, so they are numbered anew from 1. */
export function withSmallTokens(state: QueueState): QueueState {
  const { server, granted, grantedAlone, contenders } = state
  const own = contenders.flatMap(({ token, messages }) => [token, ...messages])
  const ranks = [...new Set([server.counter, granted, grantedAlone, ...server.tokens, ...own])]
    .filter((token) => token > 0)
    .sort((a, b) => a - b)
  if (ranks.at(-1) === ranks.length) return state
  const small = (token: number): number => ranks.indexOf(token) + 1
  return {
    server: { ...server, counter: small(server.counter), tokens: server.tokens.map(small) },
    granted: small(granted),
    grantedAlone: small(grantedAlone),
    contenders: contenders.map((one) => {
      return { ...one, token: small(one.token), messages: one.messages.map(small) }
    }),
  }
}
