import { tell } from './listeners.ts'
import type { NodeChange, WatchedPaths, WatchTable } from './wire/watch-records.ts'

/** What a watch tells, once: a change of its node, or that the session is over and no change will ever be told. */
export interface WatchEvent {
  readonly kind: NodeChange | 'expired' | 'closed'
  readonly path: string
}

export type WatchListener = (event: WatchEvent) => void

/** Of a read that asks for a watch: exactly one of the two is called. */
export interface ExpectedWatch {
  /** The answer has come, and the server has set the watch. */
  set(node: 'present' | 'missing'): void
  drop(): void
}

interface Interest {
  readonly listeners: Set<WatchListener>
  /** Reads on their way that ask for this watch: until they end, nobody may take it from the server. */
  expected: number
  missing: boolean
}

const tables = ['data', 'children'] as const
/** Which watches a change uses up, on the server as well. */
const usedUpBy: Readonly<Record<NodeChange, readonly WatchTable[]>> = {
  created: ['data'],
  changed: ['data'],
  deleted: ['data', 'children'],
  'children-changed': ['children'],
}

/**
 * Who wants to know of what. The server keeps one watch per path, table and session, however many listen: a path leaves this table with
 * its event or with its last listener, and what is in it is set again after a reconnect.
 */
export class Watches {
  readonly #tables: Readonly<Record<WatchTable, Map<string, Interest>>> = { data: new Map(), children: new Map() }

  #ended: 'expired' | 'closed' | null = null

  get size(): number {
    return tables.reduce((sum, table) => sum + this.#tables[table].size, 0)
  }

  expect(table: WatchTable, path: string, listener: WatchListener): ExpectedWatch {
    const interests = this.#tables[table]
    const interest = interests.get(path) ?? { listeners: new Set(), expected: 0, missing: false }
    interests.set(path, interest)
    interest.expected += 1
    const end = (): void => {
      interest.expected -= 1
      this.#forgetIfUnwanted(table, path, interest)
    }
    return {
      set: (node) => {
        // While a session says goodbye, answers still come in: nothing would tell this listener any more.
        if (this.#ended !== null) {
          end()
          tell([listener], { kind: this.#ended, path })
          return
        }
        interest.listeners.add(listener)
        interest.missing = node === 'missing'
        end()
      },
      drop: end,
    }
  }

  /** Answers the tables on which nobody watches this path any more. */
  remove(path: string, listener: WatchListener): readonly WatchTable[] {
    return tables.filter((table) => {
      const interest = this.#tables[table].get(path)
      if (!interest?.listeners.delete(listener)) return false
      return this.#forgetIfUnwanted(table, path, interest)
    })
  }

  fire(change: NodeChange, path: string): void {
    const listeners = new Set(usedUpBy[change].flatMap((table) => this.#takeListeners(table, path)))
    tell(listeners, { kind: change, path })
  }

  /** The session is over: whoever still waits for a change must not wait for ever. */
  end(kind: 'expired' | 'closed'): void {
    this.#ended = kind
    const paths = new Set(tables.flatMap((table) => [...this.#tables[table].keys()]))
    for (const path of paths) {
      const listeners = new Set(tables.flatMap((table) => this.#takeListeners(table, path)))
      tell(listeners, { kind, path })
    }
  }

  paths(): WatchedPaths {
    const watched = (table: WatchTable) => [...this.#tables[table]].filter(([, { listeners }]) => listeners.size > 0)
    const [missing, data] = [true, false].map((wanted) => watched('data').filter(([, each]) => each.missing === wanted))
    const pathsOf = (entries: readonly [string, Interest][] = []) => entries.map(([path]) => path)
    return { data: pathsOf(data), missing: pathsOf(missing), children: pathsOf(watched('children')) }
  }

  #takeListeners(table: WatchTable, path: string): WatchListener[] {
    const interest = this.#tables[table].get(path)
    if (interest === undefined) return []
    const listeners = [...interest.listeners]
    interest.listeners.clear()
    this.#forgetIfUnwanted(table, path, interest)
    return listeners
  }

  #forgetIfUnwanted(table: WatchTable, path: string, interest: Interest): boolean {
    if (interest.listeners.size > 0 || interest.expected > 0) return false
    return this.#tables[table].delete(path)
  }
}

/** SetWatches in parts: a server cuts the connection on a request that is too large (ZOOKEEPER-706). */
export function inParts(watched: WatchedPaths, charactersMax: number): WatchedPaths[] {
  const parts: { data: string[]; missing: string[]; children: string[] }[] = []
  let characters = Number.POSITIVE_INFINITY
  for (const kind of ['data', 'missing', 'children'] as const) {
    for (const path of watched[kind]) {
      if (characters > charactersMax) {
        parts.push({ data: [], missing: [], children: [] })
        characters = 0
      }
      parts.at(-1)?.[kind].push(path)
      characters += path.length
    }
  }
  return parts
}
