/**
 * Who has left, of all that stand in any queue: one watch over the prefix for the whole process, open while somebody waits. A thousand
 * waiters cost one socket, and the server one stream.
 */

import { messageOf } from 'lockstep'
import type { LockEnvironment, Timer } from 'lockstep/ports'
import type { Watch, WatchProbe } from '../client/watch.ts'
import type { Etcd } from '../etcd.ts'
import { endOfPrefix } from '../wire/codec.ts'
import type { WatchEvent } from '../wire/messages.ts'

export interface DepartureWait {
  /** Wakes when so many of `keys` have left, */
  readonly keys: readonly string[]
  readonly needed: number
  /** or when this one has. */
  readonly own: string
  /** Where the keys were listed: what happened behind it counts. */
  readonly listedAt: bigint
}

interface Waiter {
  readonly watched: readonly string[]
  readonly blockers: Set<string>
  readonly own: string
  needed: number
  wake(): void
}

interface DeparturesParts {
  readonly etcd: Etcd
  readonly environment: LockEnvironment
  readonly prefix: string
  readonly probe: WatchProbe
}

/** Departures that somebody may ask for who listed before them, and comes late. */
const rememberedMax = 4_096
/** A watch without waiters is kept this long for the next one. */
const lingerMs = 10_000

export class Departures {
  readonly #parts: DeparturesParts
  readonly #waiters = new Map<string, Set<Waiter>>()
  readonly #all = new Set<Waiter>()
  /** In the order in which they left. */
  readonly #left = new Map<string, bigint>()
  #watch: Watch | null = null
  #linger: Timer | null = null
  /** From this revision on, every departure is known. */
  #knownFrom = 0n

  constructor(parts: DeparturesParts) {
    this.#parts = parts
  }

  get isWaitedFor(): boolean {
    return this.#all.size > 0
  }

  /** Calls `wake` once, when it is worth listing again; answers how to stop. A wake-up proves nothing. */
  wait(wait: DepartureWait, wake: () => void): () => void {
    const waiter: Waiter = {
      watched: [...wait.keys, wait.own],
      blockers: new Set(wait.keys),
      own: wait.own,
      needed: wait.needed,
      wake: () => {
        this.#forget(waiter)
        wake()
      },
    }
    this.#remember(waiter)
    if (!this.#startedAt(wait.listedAt)) waiter.wake()
    else for (const key of waiter.watched) if (this.#hasLeft(key, wait.listedAt)) this.#depart(waiter, key)
    return () => this.#forget(waiter)
  }

  close(): void {
    this.#linger?.cancel()
    this.#watch?.close()
    this.#watch = null
    this.#left.clear()
  }

  /** False when the watch began behind `listedAt`, so that something may have been missed. */
  #startedAt(listedAt: bigint): boolean {
    this.#linger?.cancel()
    if (this.#watch !== null) return listedAt + 1n >= this.#knownFrom
    const { etcd, environment, prefix, probe } = this.#parts
    this.#knownFrom = listedAt + 1n
    this.#watch = etcd.watch({
      key: prefix,
      rangeEnd: endOfPrefix(prefix),
      fromRevision: this.#knownFrom,
      onEvents: (events) => this.#receive(events),
      onGap: () => this.#beginAnew(),
      onTrouble: (error) =>
        environment.log.debug({ error: messageOf(error) }, 'The watch of the locks is opened again.'),
      probe,
    })
    return true
  }

  #receive(events: readonly WatchEvent[]): void {
    for (const { kind, entry } of events) {
      // A writer that puts over its own key has become a reader: who waits for the writer may go.
      if (kind === 'put' && entry.version <= 1n) continue
      this.#note(entry.key, entry.modRevision)
      for (const waiter of [...(this.#waiters.get(entry.key) ?? [])]) this.#depart(waiter, entry.key)
    }
  }

  /** Compacted away: who waits lists again, and the next watch begins there. */
  #beginAnew(): void {
    this.close()
    for (const waiter of [...this.#all]) waiter.wake()
  }

  #note(key: string, revision: bigint): void {
    this.#left.delete(key)
    this.#left.set(key, revision)
    if (this.#left.size <= rememberedMax) return
    for (const [oldest, at] of this.#left) {
      this.#left.delete(oldest)
      this.#knownFrom = at + 1n
      return
    }
  }

  #hasLeft(key: string, since: bigint): boolean {
    return (this.#left.get(key) ?? 0n) > since
  }

  #depart(waiter: Waiter, key: string): void {
    if (!this.#all.has(waiter)) return
    if (waiter.blockers.delete(key)) waiter.needed -= 1
    if (key === waiter.own || waiter.needed <= 0) waiter.wake()
  }

  #remember(waiter: Waiter): void {
    this.#all.add(waiter)
    for (const key of waiter.watched) {
      const waiters = this.#waiters.get(key) ?? new Set()
      this.#waiters.set(key, waiters.add(waiter))
    }
  }

  #forget(waiter: Waiter): void {
    if (!this.#all.delete(waiter)) return
    for (const key of waiter.watched) {
      const waiters = this.#waiters.get(key)
      waiters?.delete(waiter)
      if (waiters?.size === 0) this.#waiters.delete(key)
    }
    if (this.#all.size > 0 || this.#watch === null) return
    this.#linger?.cancel()
    this.#linger = this.#parts.environment.timers.after(lingerMs, () => this.close())
  }
}
