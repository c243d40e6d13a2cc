import type { StoredTransaction, Timers, TransactionStore } from '../ports/index.ts'
import type { Snapshot } from './snapshot.ts'

const pollMs = 200

interface Waiter {
  readonly resolve: (snapshot: Snapshot | null) => void
}

export interface WaitersParts {
  readonly store: TransactionStore
  readonly timers: Timers
  readonly isDrivenHere: (id: string) => boolean
}

/**
 * Callers that wait for a transaction to end or to be held, whichever instance drives it. What is driven here tells at once; for
 * the others one shared poll asks the store, all ids in one read.
 */
export class Waiters {
  readonly #parts: WaitersParts
  readonly #waiting = new Map<string, Set<Waiter>>()
  #polling = false

  constructor(parts: WaitersParts) {
    this.#parts = parts
  }

  /** The durable picture when it is already in hand; null when the caller must read it. Also null when the time is up. */
  wait(id: string, waitMs: number): Promise<Snapshot | null> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        resolve: (snapshot) => {
          timer.cancel()
          this.#remove(id, waiter)
          resolve(snapshot)
        },
      }
      const timer = this.#parts.timers.after(waitMs, () => waiter.resolve(null))
      const others = this.#waiting.get(id) ?? new Set()
      this.#waiting.set(id, others.add(waiter))
      this.#poll()
    })
  }

  settled(id: string, snapshot: Snapshot | null): void {
    if (snapshot === null) return
    for (const waiter of [...(this.#waiting.get(id) ?? [])]) waiter.resolve(snapshot)
  }

  /** Nobody is kept waiting by a coordinator that stops. */
  close(): void {
    for (const waiters of [...this.#waiting.values()]) for (const waiter of [...waiters]) waiter.resolve(null)
  }

  #remove(id: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(id)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#waiting.delete(id)
  }

  #poll(): void {
    if (this.#polling) return
    this.#polling = true
    this.#parts.timers.after(pollMs, () => {
      void this.#ask().finally(() => {
        this.#polling = false
        if (this.#waiting.size > 0) this.#poll()
      })
    })
  }

  async #ask(): Promise<void> {
    const ids = [...this.#waiting.keys()].filter((id) => !this.#parts.isDrivenHere(id))
    if (ids.length === 0) return
    const rows = await this.#parts.store.read(ids).catch(() => [])
    for (const row of rows) if (isSettled(row)) this.#wakeAll(row.id)
  }

  #wakeAll(id: string): void {
    for (const waiter of [...(this.#waiting.get(id) ?? [])]) waiter.resolve(null)
  }
}

export function isSettled(row: Pick<StoredTransaction, 'endedAt' | 'held'>): boolean {
  return row.endedAt !== null || row.held !== null
}
