import type { Node } from './redlock-node.ts'

const phases = ['idle', 'asking', 'writing', 'granted', 'released', 'over'] as const
export type Phase = (typeof phases)[number]

export interface Attempt {
  readonly phase: Phase
  /** From the end of `asking` on. */
  readonly token: number
  /** The largest token that had been granted when it began. */
  readonly floor: number
  /** One of its keys has: by then its own clock has ended its lease. */
  readonly hasRunOut: boolean
  /** What it has asked of each node, and what each node has to write back. */
  readonly asked: readonly number[]
  readonly written: readonly number[]
}

export interface RedlockState {
  readonly nodes: readonly Node[]
  readonly attempts: readonly Attempt[]
  /** A node may still lose everything, for showing what then happens. */
  readonly mayForget: boolean
}

export function alike(one: Node, other: Node): boolean {
  return one.owner === other.owner && one.counter === other.counter
}

const permutations = new Map<number, readonly (readonly number[])[]>()
/** How much of a text an attempt has, and where texts of numbers begin. */
const attemptWidth = 4
const zero = 48

/**
 * Attempts are alike, and nodes are: of all the ways to number them, the text of a state has the one that is the first by the alphabet. One
 * character for each number.
 */
export function textOf({ nodes, attempts, mayForget }: RedlockState): string {
  const heads = attempts.map(headOf)
  const sorted = [...heads].sort().join('')
  let least: string | null = null
  for (const order of permutationsOf(attempts.length)) {
    if (order.map((at) => heads[at]).join('') !== sorted) continue
    const columns = nodes.map((node, at) => columnOf(node, at, attempts, order)).sort()
    const text = columns.join('')
    if (least === null || text < least) least = text
  }
  return `${mayForget ? '1' : '0'}${sorted}${least ?? ''}`
}

function headOf({ phase, token, floor, hasRunOut }: Attempt): string {
  return chars(phases.indexOf(phase), token, floor, Number(hasRunOut))
}

/** All that has to do with one node. */
function columnOf(node: Node, at: number, attempts: readonly Attempt[], order: readonly number[]): string {
  let column = chars(order.indexOf(node.owner) + 1, node.counter)
  for (const one of order) column += chars(attempts[one]?.asked[at] ?? 0, attempts[one]?.written[at] ?? 0)
  return column
}

export function stateIn(text: string, nodeCount: number, attemptCount: number): RedlockState {
  const at = (position: number): number => text.charCodeAt(position) - zero
  const columnsFrom = 1 + attemptWidth * attemptCount
  const columnWidth = 2 + 2 * attemptCount
  const starts = Array.from({ length: nodeCount }, (_, node) => columnsFrom + node * columnWidth)
  const attempts = Array.from({ length: attemptCount }, (_, one): Attempt => {
    const head = 1 + attemptWidth * one
    return {
      phase: phases[at(head)] ?? 'idle',
      token: at(head + 1),
      floor: at(head + 2),
      hasRunOut: at(head + 3) === 1,
      asked: starts.map((start) => at(start + 2 + 2 * one)),
      written: starts.map((start) => at(start + 3 + 2 * one)),
    }
  })
  const nodes = starts.map((start) => ({ owner: at(start) - 1, counter: at(start + 1) }))
  return { nodes, attempts, mayForget: at(0) === 1 }
}

function chars(...numbers: readonly number[]): string {
  return String.fromCharCode(...numbers.map((number) => number + zero))
}

function permutationsOf(count: number): readonly (readonly number[])[] {
  const known = permutations.get(count)
  if (known !== undefined) return known
  let found: number[][] = [[]]
  for (let at = 0; at < count; at++)
    found = found.flatMap((order) => Array.from({ length: at + 1 }, (_, into) => order.toSpliced(into, 0, at)))
  permutations.set(count, found)
  return found
}
