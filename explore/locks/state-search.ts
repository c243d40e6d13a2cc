/**
 * Breadth first over every state of a model of locks, so that what is found first has a shortest trace. A state is known by its text; a trace
 * is made by asking for the moves again. When nothing new comes, the graph is read backwards: from every state the model's goals must
 * be within reach by moves that need no fault.
 */
import { deadEndIn, healing } from '../search/dead-ends.ts'
import { Numbers } from '../search/known-states.ts'
import type { SearchLimits } from '../search/search.ts'

export interface LockMove<State> {
  readonly to: State
  readonly text: string
  /** It needs no fault, and nobody's wish. */
  readonly heals: boolean
  /** What this move must not have done. */
  readonly violation?: string | null
}

/** What must stay within reach. */
export interface Goal<State> {
  /** As in: `NAME is out of reach`. */
  readonly name: string
  readonly isReached: (state: State) => boolean
}

export interface LockModel<State> {
  starts(): readonly State[]
  /** Equal for states that cannot be told apart, and enough to make one of them again. */
  textOf(state: State): string
  stateOf(text: string): State
  moves(state: State, visit: (move: LockMove<State>) => void): void
  violation(state: State): string | null
  /** Of a state from which nothing worth a search can come: what it is called. */
  endOf(state: State): string | null
  readonly goals: readonly Goal<State>[]
  /** A part of a state whose different values are counted, for a report. */
  factOf(state: State): string
}

export interface LockSearchResult {
  readonly states: number
  readonly moves: number
  readonly depth: number
  readonly facts: number
  readonly complete: boolean
  readonly ends: ReadonlyMap<string, number>
  readonly violation: string | null
  readonly steps: readonly string[]
}

interface Found {
  readonly violation: string
  readonly at: number
  /** It is a move out of `at` that must not be. */
  readonly isForbidden: boolean
}

const askEvery = 1_024
const noParent = 0xffffffff

export class StateSearch<State> {
  readonly #model: LockModel<State>
  readonly #positions = new Map<string, number>()
  readonly #texts: string[] = []
  readonly #parents = new Numbers()
  readonly #edges = new Numbers()
  readonly #offsets = new Numbers()
  readonly #ends = new Map<string, number>()
  readonly #facts = new Set<string>()
  #depth = 0
  #found: Found | null = null

  constructor(model: LockModel<State>) {
    this.#model = model
  }

  run(limits: SearchLimits): LockSearchResult {
    for (const start of this.#model.starts()) this.#add(start, noParent)
    const complete = this.#expandAll(limits)
    if (complete && this.#found === null) this.#findStranded()
    return {
      states: this.#texts.length,
      moves: this.#edges.length,
      depth: this.#depth,
      facts: this.#facts.size,
      complete,
      ends: this.#ends,
      violation: this.#found?.violation ?? null,
      steps: this.#found === null ? [] : this.#traceTo(this.#found),
    }
  }

  /** False when a limit came first. */
  #expandAll({ statesMax, isOver }: SearchLimits): boolean {
    let levelEnd = this.#texts.length
    for (let at = 0; at < this.#texts.length && this.#found === null; at++) {
      if (at === levelEnd) {
        this.#depth += 1
        levelEnd = this.#texts.length
      }
      if (this.#texts.length > statesMax || (at % askEvery === 0 && isOver(this.#texts.length))) return false
      this.#expand(at)
    }
    this.#offsets.push(this.#edges.length)
    return true
  }

  #expand(at: number): void {
    this.#offsets.push(this.#edges.length)
    const state = this.#stateAt(at)
    this.#facts.add(this.#model.factOf(state))
    const end = this.#model.endOf(state)
    if (end !== null) this.#ends.set(end, (this.#ends.get(end) ?? 0) + 1)
    else this.#model.moves(state, (move) => this.#follow(at, move))
  }

  #follow(at: number, move: LockMove<State>): void {
    if (this.#found !== null) return
    const forbidden = move.violation ?? null
    if (forbidden !== null) this.#found = { violation: forbidden, at, isForbidden: true }
    const before = this.#texts.length
    const to = this.#add(move.to, at)
    if (to === at) return
    this.#edges.push(move.heals ? (to | healing) >>> 0 : to)
    if (to < before || this.#found !== null) return
    const violation = this.#model.violation(move.to)
    if (violation !== null) this.#found = { violation, at: to, isForbidden: false }
  }

  #add(state: State, from: number): number {
    const text = this.#model.textOf(state)
    const known = this.#positions.get(text)
    if (known !== undefined) return known
    const position = this.#texts.length
    this.#positions.set(text, position)
    this.#texts.push(text)
    this.#parents.push(from)
    return position
  }

  #stateAt(position: number): State {
    return this.#model.stateOf(this.#texts[position] ?? '')
  }

  #findStranded(): void {
    const graph = { count: this.#texts.length, edges: this.#edges, offsets: this.#offsets }
    for (const { name, isReached } of this.#model.goals) {
      const ends: number[] = []
      for (let at = 0; at < graph.count; at++) if (isReached(this.#stateAt(at))) ends.push(at)
      const at = deadEndIn(graph, ends)
      if (at < 0) continue
      this.#found = { violation: `${name} is out of reach, even without further faults`, at, isForbidden: false }
      return
    }
  }

  /** States that cannot be told apart are one, so the moves are made anew from the start: only then does everybody keep his name. */
  #traceTo({ at, isForbidden }: Found): string[] {
    const path: number[] = []
    for (let position = at; position !== noParent; position = this.#parents.at(position)) path.unshift(position)
    let state = this.#stateAt(path[0] ?? 0)
    const steps: string[] = []
    for (const next of path.slice(1)) {
      const move = this.#firstMove(state, ({ to }) => this.#positions.get(this.#model.textOf(to)) === next)
      steps.push(move.text)
      state = move.to
    }
    return isForbidden ? [...steps, this.#firstMove(state, (move) => (move.violation ?? null) !== null).text] : steps
  }

  #firstMove(from: State, isMeant: (move: LockMove<State>) => boolean): LockMove<State> {
    let found: LockMove<State> | null = null
    this.#model.moves(from, (move) => {
      if (found === null && isMeant(move)) found = move
    })
    if (found === null) throw new Error('A move is gone: something besides the state has a say.')
    return found
  }
}
