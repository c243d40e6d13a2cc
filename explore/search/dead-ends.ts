import type { Numbers } from './known-states.ts'

/** A move that needs no fault has this bit in its edge. */
export const healing = 0x80000000

/** The moves of a search: the edges of the state `n` are those from `offsets.at(n)` to `offsets.at(n + 1)`. */
export interface Graph {
  readonly count: number
  readonly edges: Numbers
  readonly offsets: Numbers
}

/** The first state from which no end can be reached by moves that need no fault; -1 when there is none. */
export function deadEndIn(graph: Graph, ends: readonly number[]): number {
  const { starts, sources } = reversed(graph)
  const reached = new Uint8Array(graph.count)
  for (const end of ends) reached[end] = 1
  const open = [...ends]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (let edge = starts[at] ?? 0; edge < (starts[at + 1] ?? 0); edge++) {
      const source = sources[edge] ?? 0
      if (reached[source] === 1) continue
      reached[source] = 1
      open.push(source)
    }
  }
  return reached.indexOf(0)
}

/** For each state, the states that a healing move leads from: those between `starts[n]` and `starts[n + 1]`. */
function reversed(graph: Graph): { readonly starts: Uint32Array; readonly sources: Uint32Array } {
  const starts = new Uint32Array(graph.count + 2)
  eachHealing(graph, (_, to) => {
    starts[to + 2] = (starts[to + 2] ?? 0) + 1
  })
  for (let at = 2; at < starts.length; at++) starts[at] = (starts[at] ?? 0) + (starts[at - 1] ?? 0)
  const sources = new Uint32Array(starts.at(-1) ?? 0)
  eachHealing(graph, (from, to) => {
    const slot = starts[to + 1] ?? 0
    sources[slot] = from
    starts[to + 1] = slot + 1
  })
  return { starts, sources }
}

function eachHealing({ count, edges, offsets }: Graph, visit: (from: number, to: number) => void): void {
  for (let from = 0; from < count; from++) {
    for (let edge = offsets.at(from); edge < offsets.at(from + 1); edge++) {
      const target = edges.at(edge)
      if (target >= healing) visit(from, target - healing)
    }
  }
}
