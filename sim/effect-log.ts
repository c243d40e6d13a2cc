/**
 * What took effect, in the order in which it did. Each piece of business leaves one row in its own database, in its own transaction, so
 * the log is what the database says and not what anybody was told (W2).
 */
import type { MemoryTransaction } from 'lockstep/memory-database'
import type { Json, Operation } from 'lockstep/ports'
import type { SharedDatabase } from './shared-database.ts'

export interface Effect {
  readonly transaction: string
  readonly branch: string
  readonly operation: Operation
  /** What it did, in the words of the workload. */
  readonly what: Json
}

const table = 'effects'

export function leaveEffect(tx: MemoryTransaction, effect: Effect): void {
  const number = Number(tx.get('counters', table) ?? 0)
  tx.set('counters', table, number + 1)
  tx.set(table, String(number), { ...effect })
}

export interface Judged extends Effect {
  readonly database: SharedDatabase
}

/** Follows the databases: each new effect is judged at the moment it is committed. */
export class EffectLog {
  readonly #read = new Map<SharedDatabase, number>()
  readonly #times = new Map<string, number>()
  readonly #judge: (effect: Judged) => void
  readonly #violate: (message: string) => void

  constructor(parts: { judge: (effect: Judged) => void; violate: (message: string) => void }) {
    this.#judge = parts.judge
    this.#violate = parts.violate
  }

  committed(database: SharedDatabase): void {
    const rows = database.read(table)
    let number = this.#read.get(database) ?? 0
    for (let row = rows.get(String(number)); row !== undefined; row = rows.get(String(number))) {
      number += 1
      this.#read.set(database, number)
      this.#add(database, row as unknown as Effect)
    }
  }

  #add(database: SharedDatabase, effect: Effect): void {
    const key = keyOf(effect)
    const times = (this.#times.get(key) ?? 0) + 1
    this.#times.set(key, times)
    if (times > 1) this.#violate(`law 3: ${key} took effect ${times} times`)
    this.#judge({ ...effect, database })
  }

  times(transaction: string, branch: string, operation: Operation): number {
    return this.#times.get(keyOf({ transaction, branch, operation })) ?? 0
  }

  /** All that took effect: `<transaction>/<branch>/<operation>`. */
  keys(): readonly string[] {
    return [...this.#times.keys()]
  }
}

function keyOf({ transaction, branch, operation }: Pick<Effect, 'transaction' | 'branch' | 'operation'>): string {
  return `${transaction}/${branch}/${operation}`
}
