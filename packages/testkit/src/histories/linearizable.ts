import { type Operation, type Verdict, worstOf } from './history.ts'

/** A sequential object: what each operation does to it, one after the other. */
export interface Model<State> {
  readonly initial: State
  /** The state after it, or null when it cannot have happened in this state. `isCertain` is false for one that never got an answer. */
  step(state: State, operation: Operation, isCertain: boolean): State | null
  /** Two states with the same text are the same. */
  textOf(state: State): string
}

const configurationsMax = 2_000_000

interface Entry {
  readonly operation: Operation
  readonly index: number
  readonly startMs: number
  readonly endMs: number
  readonly isCertain: boolean
}

/**
 * Whether some order of the operations of each key, in which none comes before one that had ended when it began, is legal for the model.
 * Wing and Gong's search with Lowe's memo of configurations (G. Lowe, Testing for linearizability, 2017). What is `failed` had no effect;
 * what is `unknown` may stand anywhere after its beginning, or nowhere.
 */
export function checkLinearizable<State>(model: Model<State>, history: readonly Operation[]): Verdict {
  return worstOf([...Map.groupBy(history, ({ key }) => key).values()].map((operations) => checkOne(model, operations)))
}

function checkOne<State>(model: Model<State>, history: readonly Operation[]): Verdict {
  const entries = history
    .filter(({ outcome }) => outcome !== 'failed')
    .toSorted((a, b) => a.startMs - b.startMs)
    .map((operation, index): Entry => {
      const isCertain = operation.outcome === 'ok' && operation.endMs !== null
      const endMs = isCertain ? (operation.endMs ?? Infinity) : Infinity
      return { operation, index, startMs: operation.startMs, endMs, isCertain }
    })
  const certain = entries.filter(({ isCertain }) => isCertain).length
  if (certain === 0) return { valid: 'unknown', why: 'no operation has succeeded' }
  const found = search(model, entries)
  if (found === 'too many') return { valid: 'unknown', why: `more than ${configurationsMax} configurations` }
  if (found.length === 0) return { valid: true, checked: certain }
  return {
    valid: false,
    why: 'no order of the operations is legal',
    operations: found.map(({ operation }) => operation),
  }
}

/** Empty when an order was found; else the operations that could not be placed in the deepest try. */
function search<State>(model: Model<State>, entries: readonly Entry[]): readonly Entry[] | 'too many' {
  const seen = new Set<string>()
  let deepest: readonly Entry[] = entries
  let tooMany = false

  function place(state: State, open: readonly Entry[]): boolean {
    if (!open.some(({ isCertain }) => isCertain)) return true
    const configuration = `${model.textOf(state)}|${open.map(({ index }) => index).join()}`
    if (seen.has(configuration)) return false
    seen.add(configuration)
    if (seen.size > configurationsMax) tooMany = true
    if (tooMany) return false
    if (open.length < deepest.length) deepest = open
    // Whoever began before the first end may be the next one.
    const firstEndMs = Math.min(...open.map(({ endMs }) => endMs))
    for (const entry of open) {
      if (entry.startMs > firstEndMs) break
      const next = model.step(state, entry.operation, entry.isCertain)
      if (next === null) continue
      if (
        place(
          next,
          open.filter((other) => other !== entry),
        )
      )
        return true
    }
    return false
  }

  const isLegal = place(model.initial, entries)
  if (isLegal) return []
  return tooMany ? 'too many' : deepest
}
