/**
 * Breadth first over every state, so that what is found first has a shortest trace. A state is four numbers, and remembers the state it was
 * first reached from; a trace is made by asking for the moves again.
 *
 * In every new state the invariants of the scenario are checked, and on every move that the durable row has gone back on nothing. When
 * nothing new comes, the graph is read backwards from the ends: from every state an end must be within reach by moves that need no
 * fault. Whoever has no move at all is found by that too.
 */
import { Coordinators } from '../model/coordinators.ts'
import type { Move, Parts, State } from '../model/world.ts'
import { deadEndIn, healing } from './dead-ends.ts'
import { flipped } from './decision.ts'
import { KnownStates, Numbers } from './known-states.ts'

export interface SearchLimits {
  readonly statesMax: number
  /** Asked now and then. True ends the search. */
  readonly isOver: (states: number) => boolean
}

export interface SearchResult {
  readonly states: number
  readonly moves: number
  readonly depth: number
  /** Different pairs of a row and a world: what is left when all memory is forgotten. Finer bounds must not find more. */
  readonly facts: number
  /** False when a limit came first. */
  readonly complete: boolean
  /** How many states are ends, by what stands in the row. */
  readonly ends: ReadonlyMap<string, number>
  readonly violation: string | null
  /** The moves that lead to the violation. */
  readonly trace: readonly Move[]
}

interface Found {
  readonly violation: string
  readonly at: number
  /** A move out of `at` that must not be. */
  readonly move?: Move
}

const askEvery = 1_024
const worldsMax = 2 ** 32

export class Search<Rest> {
  readonly #parts: Parts<Rest>
  readonly #coordinators: Coordinators<Rest>
  readonly #states = new KnownStates()
  readonly #parents = new Numbers()
  readonly #edges = new Numbers()
  readonly #offsets = new Numbers()
  readonly #facts = new Set<number>()
  #depth = 0
  #found: Found | null = null

  constructor(parts: Parts<Rest>) {
    this.#parts = parts
    this.#coordinators = new Coordinators(parts)
  }

  run(limits: SearchLimits): SearchResult {
    this.#add(this.#parts.scenario.start(), 0)
    const complete = this.#expandAll(limits)
    const ends = this.#ends()
    if (complete && this.#found === null) this.#findDeadEnd(ends)
    return {
      states: this.#states.count,
      moves: this.#edges.length,
      depth: this.#depth,
      facts: this.#facts.size,
      complete,
      ends: this.#counted(ends),
      violation: this.#found?.violation ?? null,
      trace: this.#found === null ? [] : this.#traceTo(this.#found),
    }
  }

  /** False when a limit came first. */
  #expandAll({ statesMax, isOver }: SearchLimits): boolean {
    let levelEnd = 1
    for (let at = 0; at < this.#states.count && this.#found === null; at++) {
      if (at === levelEnd) {
        this.#depth += 1
        levelEnd = this.#states.count
      }
      if (this.#states.count > statesMax || (at % askEvery === 0 && isOver(this.#states.count))) return false
      this.#expand(at)
    }
    this.#offsets.push(this.#edges.length)
    return true
  }

  #expand(at: number): void {
    this.#offsets.push(this.#edges.length)
    const state = this.#stateAt(at)
    try {
      this.#coordinators.moves(state, (move) => this.#follow(at, state, move))
    } catch (error) {
      // The machine has found its own state impossible.
      this.#found ??= { violation: error instanceof Error ? error.message : String(error), at }
    }
  }

  #follow(at: number, state: State<Rest>, move: Move<Rest>): void {
    if (this.#found !== null) return
    const flip = flipped(state.row, move.row)
    if (flip !== null) this.#found = { violation: flip, at, move }
    const before = this.#states.count
    const to = this.#add(move, at)
    if (to === at) return
    this.#edges.push(move.heals ? (to | healing) >>> 0 : to)
    if (to < before || this.#found !== null) return
    const violation = this.#parts.scenario.violation(move)
    if (violation !== null) this.#found = { violation, at: to }
  }

  #add({ row, current, stale, world }: State<Rest>, from: number): number {
    const before = this.#states.count
    const position = this.#states.add(row.number, current?.number ?? 0, stale?.number ?? 0, world.number)
    if (position === before) {
      this.#parents.push(from)
      this.#facts.add(row.number * worldsMax + world.number)
    }
    return position
  }

  #stateAt(position: number): State<Rest> {
    const { rows, copies, scenario } = this.#parts
    return {
      row: rows.all.the(this.#states.at(position, 0)),
      current: copies.all.at(this.#states.at(position, 1)),
      stale: copies.all.at(this.#states.at(position, 2)),
      world: scenario.worlds.all.the(this.#states.at(position, 3)),
    }
  }

  #ends(): number[] {
    const found: number[] = []
    for (let at = 0; at < this.#states.count; at++) if (this.#parts.scenario.isEnd(this.#stateAt(at))) found.push(at)
    return found
  }

  #counted(ends: readonly number[]): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const end of ends) {
      const { status, held } = this.#stateAt(end).row.shape.transaction
      const word = held === null ? status : `held as ${held.reason}`
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    return counts
  }

  #findDeadEnd(ends: readonly number[]): void {
    const graph = { count: this.#states.count, edges: this.#edges, offsets: this.#offsets }
    const at = deadEndIn(graph, ends)
    if (at >= 0) this.#found = { violation: 'no end is within reach any more, even without further faults', at }
  }

  #traceTo({ at, move }: Found): Move[] {
    const path: number[] = []
    for (let position = at; position !== 0; position = this.#parents.at(position)) path.unshift(position)
    const trace = path.map((to) => this.#moveBetween(this.#parents.at(to), to))
    return move === undefined ? trace : [...trace, move]
  }

  #moveBetween(from: number, to: number): Move {
    const found: Move[] = []
    this.#coordinators.moves(this.#stateAt(from), (move) => {
      if (found.length === 0 && this.#add(move, from) === to) found.push(move)
    })
    const [move] = found
    if (move === undefined) throw new Error('A move is gone: something besides the state has a say.')
    return move
  }
}
