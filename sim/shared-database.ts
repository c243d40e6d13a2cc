/**
 * One database that several processes use, each over connections of its own. A connection breaks at any moment: before its COMMIT has
 * arrived, or after, and a COMMIT without an answer may land later, while the session keeps the locks. It gives no outcome that a real
 * database does not give.
 */
import type { RandomStream, Scheduler, SimulatedNode } from '@lockstep/testkit'
import { type MemoryDatabase, type MemoryTransaction, memoryDatabase } from 'lockstep/memory-database'
import type { BarrierKey, BarrierRow, Json, Operation } from 'lockstep/ports'

export interface DatabaseFaults {
  /** The connection is lost before the COMMIT arrives: nothing of it remains. */
  readonly failBefore: number
  /** The COMMIT is applied, and its answer is lost. */
  readonly failAfter: number
  /** No answer; the COMMIT lands up to `lateMaxMs` later, or never, and its locks are held until then. */
  readonly late: number
  readonly lateMaxMs: number
  /** How long the sessions of a dead process keep their locks at most. */
  readonly lingerMaxMs: number
}

export interface SharedDatabaseParts {
  readonly name: string
  readonly scheduler: Scheduler
  readonly random: RandomStream
  readonly faults: () => DatabaseFaults
  /** Called right after each commit: whoever reads now sees it. */
  readonly onCommit: (database: SharedDatabase) => void
}

/** What one process holds: a handle that `branch.transact` accepts. */
export interface DatabaseClient extends MemoryDatabase {
  /** The process has died. Its sessions end when the database notices. */
  died(): void
}

/** The connection is gone; what became of the transaction is not said. */
export class DatabaseUnanswered extends Error {
  override readonly name = 'DatabaseUnanswered'
}

const barrierTable = 'lockstep_barrier'

export class SharedDatabase {
  readonly name: string
  readonly #parts: SharedDatabaseParts
  readonly #memory: MemoryDatabase
  /** When each barrier row was committed, by virtual time. */
  readonly #writtenAt = new Map<string, number>()

  constructor(parts: SharedDatabaseParts) {
    this.name = parts.name
    this.#parts = parts
    const { scheduler } = parts
    const after = (delayMs: number, fire: () => void) => scheduler.after(delayMs, `${parts.name} lock wait`, fire)
    this.#memory = memoryDatabase({ timers: { after } })
  }

  /** The committed rows of a table. */
  read(table: string): ReadonlyMap<string, Json> {
    return this.#memory.read(table)
  }

  /** Which operation wrote this row of the barrier; null when there is none. */
  writerOf(key: BarrierKey): Operation | null {
    const row = this.read(barrierTable).get(keyText(key)) as unknown as BarrierRow | undefined
    return row?.by ?? null
  }

  /** What a copy shows that lags behind: rows of before that time only. */
  writerAsOf(key: BarrierKey, atMs: number): Operation | null {
    return (this.#writtenAt.get(keyText(key)) ?? Number.POSITIVE_INFINITY) <= atMs ? this.writerOf(key) : null
  }

  /** For what is there before anybody comes. */
  async prepare(write: (tx: MemoryTransaction) => void): Promise<void> {
    const tx = await this.#memory.begin()
    write(tx)
    tx.commit()
  }

  /** Deletes barrier rows that were written before that time. */
  async forgetBefore(atMs: number): Promise<void> {
    const old = [...this.#writtenAt].filter(([, writtenAt]) => writtenAt < atMs)
    if (old.length === 0) return
    await this.prepare((tx) => {
      for (const [key] of old) tx.delete(barrierTable, key)
    })
    for (const [key] of old) this.#writtenAt.delete(key)
  }

  connect(node: SimulatedNode): DatabaseClient {
    const { random, scheduler, faults } = this.#parts
    const open = new Set<MemoryTransaction>()
    const pause = (label: string): Promise<void> => {
      const delayMs = random.integer('database step', 0, 3)
      return new Promise((resolve) => node.deliver(delayMs, `${this.name} ${label}`, resolve))
    }
    return {
      pause,
      read: (table) => this.read(table),
      crash: () => {},
      begin: async (lockWaitMs) => {
        const tx = await this.#begin(node, lockWaitMs)
        open.add(tx)
        return this.#session(tx, () => open.delete(tx))
      },
      died: () => {
        for (const tx of open) {
          const lingerMs = random.integer('session lingers', 0, faults().lingerMaxMs)
          scheduler.after(lingerMs, `${this.name} ends a session`, () => tx.rollback())
        }
      },
    }
  }

  /** Never answered once the process is dead: nothing of it may go on. */
  async #begin(node: SimulatedNode, lockWaitMs: number | undefined): Promise<MemoryTransaction> {
    const never = new Promise<never>(() => {})
    try {
      const tx = await this.#memory.begin(lockWaitMs)
      if (node.alive) return tx
      tx.rollback()
    } catch (error) {
      if (node.alive) throw error
    }
    return await never
  }

  #session(tx: MemoryTransaction, ended: () => void): MemoryTransaction {
    const written = new Set<string>()
    let isSent = false
    return {
      ...tx,
      set: (table, key, value) => {
        if (table === barrierTable) written.add(key)
        tx.set(table, key, value)
      },
      commit: () => {
        isSent = true
        ended()
        this.#commit(tx, written)
      },
      rollback: () => {
        if (isSent) return
        ended()
        tx.rollback()
      },
    }
  }

  #commit(tx: MemoryTransaction, written: ReadonlySet<string>): void {
    const { random, scheduler, faults } = this.#parts
    const { failBefore, failAfter, late, lateMaxMs } = faults()
    const isLost = random.chance('commit is lost', failBefore)
    const isUnanswered = random.chance('commit is not answered', failAfter)
    const isLate = random.chance('commit is late', late)
    const landsMs = random.integer('commit lands', 1, lateMaxMs)
    const lands = random.chance('commit lands', 0.5)
    const end = (): void => {
      if (lands) this.#apply(tx, written)
      else tx.rollback()
    }
    if (isLost) {
      tx.rollback()
      throw new DatabaseUnanswered(`${this.name}: the connection broke before COMMIT`)
    }
    if (isLate) {
      scheduler.after(landsMs, `${this.name}: a COMMIT ${lands ? 'lands' : 'is given up'}`, end)
      throw new DatabaseUnanswered(`${this.name}: the connection broke during COMMIT`)
    }
    this.#apply(tx, written)
    if (isUnanswered) throw new DatabaseUnanswered(`${this.name}: COMMIT was not answered`)
  }

  #apply(tx: MemoryTransaction, written: ReadonlySet<string>): void {
    tx.commit()
    for (const key of written) this.#writtenAt.set(key, this.#writtenAt.get(key) ?? this.#parts.scheduler.now())
    this.#parts.onCommit(this)
  }
}

function keyText({ store, transaction, branch, operation }: BarrierKey): string {
  return [store, transaction, branch, operation].join('/')
}
