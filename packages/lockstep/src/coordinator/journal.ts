/**
 * The journal: one group-commit queue per instance. While one batch is on its way to the store, the next one collects; no
 * timer, no artificial wait. Callers that wait for a batch are released together.
 *
 * - At most one entry of a transaction is in a batch, and at most one batch is on its way (law 6).
 * - Changes of one owner that wait are merged: first compare, last state, every attempt, every waiter.
 * - A batch without an answer is repeated as it is until the store answers (law 7).
 * - A lazy entry waits up to `lazyMs` for a later change of the same transaction to carry it along.
 */
import { failpoint } from '#failpoint'
import { mutant } from '#mutant'
import { isHopeless, LockstepError, messageOf } from '../errors.ts'
import type { Clock, Entry, EntryResult, Logger, Timer, Timers, TransactionStore, Work } from '../ports/index.ts'
import { settleByReading } from './journal-mutants.ts'

const batchMax = 256
const lazyMs = 100
const repeatFirstMs = 50
const repeatMaxMs = 2_000

interface Waiter {
  resolve(result: EntryResult): void
  reject(error: unknown): void
}

interface Slot {
  entry: Entry
  readonly waiters: Waiter[]
  /** Monotonic time at which a lazy entry stops waiting for company. */
  readonly lazyUntil: number
  lazy: boolean
}

export interface JournalParts {
  readonly store: TransactionStore
  readonly instance: string
  readonly clock: Clock
  readonly timers: Timers
  readonly logger: Logger
  /** The disk failed: nothing more can be promised. Called once. */
  readonly onFailed: (error: LockstepError) => void
}

export class Journal {
  readonly #parts: JournalParts
  /** In the order of arrival. */
  #queue: Slot[] = []
  /** The last waiting slot of a transaction: the only one that may be merged into. */
  readonly #last = new Map<string, Slot>()
  #writeNumber = 0
  #running: Promise<void> | null = null
  #lazyTimer: Timer | null = null
  #closed: unknown = null
  /** From the first flush on nothing is lazy: who flushes waits for all that comes. */
  #flushing = false

  constructor(parts: JournalParts) {
    this.#parts = parts
  }

  /** Entries that wait. They count against the intake bound. */
  get size(): number {
    return this.#queue.length
  }

  /** Resolves when the entry is durable or was refused by its compare. Rejects only when the journal is closed. */
  write(entry: Entry): Promise<EntryResult> {
    return this.#enqueue(entry, false)
  }

  /** The same for a result that need not delay anything. */
  writeLazily(entry: Entry): Promise<EntryResult> {
    return this.#enqueue(entry, true)
  }

  /** Resolves when nothing waits any more, and nothing is on its way. */
  async flush(): Promise<void> {
    this.#flushing = true
    for (const slot of this.#queue) slot.lazy = false
    while ((this.#queue.length > 0 || this.#running !== null) && this.#closed === null) await this.#start()
  }

  /** What waits is rejected with `reason`; what may be durable is unknown to its callers. */
  close(reason: unknown): void {
    if (this.#closed !== null) return
    this.#closed = reason
    this.#lazyTimer?.cancel()
    for (const slot of this.#queue.splice(0)) for (const waiter of slot.waiters) waiter.reject(reason)
    this.#last.clear()
  }

  #enqueue(entry: Entry, mayWait: boolean): Promise<EntryResult> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject }
      const id = idOf(entry)
      const waiting = this.#last.get(id)
      const lazy = mayWait && !this.#flushing
      const merged = waiting === undefined ? null : merge(waiting.entry, entry)
      if (waiting !== undefined && merged !== null) {
        waiting.entry = merged
        waiting.waiters.push(waiter)
        waiting.lazy &&= lazy
      } else {
        // What comes behind a lazy entry and is in a hurry takes it along.
        if (waiting !== undefined && !lazy) waiting.lazy = false
        const slot = { entry, waiters: [waiter], lazy, lazyUntil: this.#parts.clock.monotonicMs() + lazyMs }
        this.#queue.push(slot)
        this.#last.set(id, slot)
      }
      if (lazy) this.#watchLazy()
      else void this.#start()
    })
  }

  #start(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  async #run(): Promise<void> {
    // What is written in this turn of the event loop shares the first batch.
    await null
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) await this.#commit(batch)
    // In the same turn as the empty look: an entry that comes later must find nobody running, and start anew.
    this.#running = null
    this.#watchLazy()
  }

  /** The next batch: what is urgent, or lazy for long enough; one entry per transaction. */
  #take(): Slot[] {
    const nowMs = this.#parts.clock.monotonicMs()
    const batch: Slot[] = []
    const left: Slot[] = []
    const ids = new Set<string>()
    for (const slot of this.#queue) {
      const id = idOf(slot.entry)
      const waits = (slot.lazy && slot.lazyUntil > nowMs) || batch.length >= batchMax || ids.has(id)
      // Whatever of this transaction comes behind must stay behind.
      ids.add(id)
      if (waits) left.push(slot)
      else batch.push(slot)
    }
    this.#queue = left
    for (const slot of batch) if (this.#last.get(idOf(slot.entry)) === slot) this.#last.delete(idOf(slot.entry))
    return batch
  }

  #watchLazy(): void {
    const oldest = this.#queue.find((slot) => slot.lazy)
    if (oldest === undefined || this.#lazyTimer !== null) return
    const delayMs = Math.max(1, oldest.lazyUntil - this.#parts.clock.monotonicMs())
    this.#lazyTimer = this.#parts.timers.after(delayMs, () => {
      this.#lazyTimer = null
      void this.#start()
    })
  }

  async #commit(batch: readonly Slot[]): Promise<void> {
    const results = await this.#commitUntilAnswered(batch.map((slot) => slot.entry))
    for (const [position, slot] of batch.entries()) {
      const result = results?.[position]
      for (const waiter of slot.waiters) {
        if (result === undefined) waiter.reject(this.#closed)
        else waiter.resolve(result)
      }
    }
  }

  /** Undefined when the journal was closed meanwhile. */
  async #commitUntilAnswered(entries: readonly Entry[]): Promise<readonly EntryResult[] | undefined> {
    const { store, instance, logger } = this.#parts
    this.#writeNumber += 1
    const writer = { instance, number: this.#writeNumber }
    for (let tries = 0; this.#closed === null; tries++) {
      try {
        await failpoint('journal.commit.before')
        const results = await store.commit(entries, { ...writer, repeat: tries > 0 })
        await failpoint('journal.commit.after')
        return results
      } catch (error) {
        if (isHopeless(error)) {
          this.#fail(error)
          return undefined
        }
        const fields = { store: store.name, tries, error: messageOf(error) }
        logger.warn(fields, 'the store did not answer a batch; repeating it')
        if (mutant('L7-unknown-commit-is-read')) return settleByReading(store, entries)
        await this.#pause(Math.min(repeatMaxMs, repeatFirstMs * 2 ** Math.min(tries, 10)))
      }
    }
    return undefined
  }

  #fail(error: LockstepError): void {
    if (this.#closed !== null) return
    this.close(error)
    this.#parts.onFailed(error)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.timers.after(ms, resolve))
  }
}

function idOf(entry: Entry): string {
  return entry.kind === 'insert' ? entry.row.id : entry.id
}

/** Null when the two must stay two: another owner's epoch, or two audit rows. */
function merge(first: Entry, second: Entry): Entry | null {
  if (first.kind !== 'advance' || second.kind !== 'advance') return null
  if (first.epoch !== second.epoch && !mutant('L6-merge-keeps-last-compare')) return null
  if (first.audit !== undefined && second.audit !== undefined) return null
  if (mutant('L6-merge-forgets-the-first')) return second
  const audit = first.audit ?? second.audit
  const hold = first.hold ?? second.hold
  // Each carries the work only where it has grown: without it a registration would be forgotten (law 8).
  const work = mutant('L8-merge-forgets-a-branch') ? undefined : mergedWork(first.work, second.work)
  return {
    kind: 'advance',
    id: first.id,
    epoch: second.epoch,
    progress: second.progress,
    attempts: [...(first.attempts ?? []), ...(second.attempts ?? [])],
    ...(work === undefined ? {} : { work }),
    ...(audit === undefined ? {} : { audit }),
    ...(hold === undefined ? {} : { hold }),
  }
}

function mergedWork(first: Partial<Work> | undefined, second: Partial<Work> | undefined): Partial<Work> | undefined {
  return first === undefined ? second : { ...first, ...second }
}

export function storeUnavailable(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_STORE_UNAVAILABLE', { message, retryAfterMs: 1_000 })
}
