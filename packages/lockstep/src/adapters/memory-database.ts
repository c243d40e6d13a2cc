import type { BarrierDatabase, BarrierKey, BarrierRow, BarrierRows, Json, Timers } from '../ports/index.ts'
import { BarrierBusy } from '../ports/index.ts'

/** Where a simulator may interleave other work, or stop for ever. */
export type MemoryPause = (
  label: 'begun' | 'insert' | 'find' | 'complete' | 'before-commit' | 'committed',
) => Promise<void>

export interface MemoryDatabaseOptions {
  /** Awaited between the steps of a transaction. */
  readonly pause?: MemoryPause
  /** Bounds the wait for the lock. Without timers it has no bound. */
  readonly timers?: Timers
}

/** One open transaction: sees its own writes, and nobody else's before their commit. */
export interface MemoryTransaction {
  get(table: string, key: string): Json | undefined
  set(table: string, key: string, value: Json): void
  delete(table: string, key: string): void
  /** All rows of a table, in the order of their first insertion. */
  entries(table: string): [string, Json][]
  commit(): void
  rollback(): void
}

/**
 * A tiny transactional database in memory: tables of JSON rows, one writing transaction at a time.
 *
 * It behaves as a real one does for a participant: a transaction waits until the open one ends, sees what that committed,
 * and leaves nothing when it rolls back or its client dies.
 */
export interface MemoryDatabase {
  /** Waits for the exclusive lock, in the order of the calls. */
  begin(lockWaitMs?: number): Promise<MemoryTransaction>
  /** The committed rows of a table. */
  read(table: string): ReadonlyMap<string, Json>
  /** The client dies: open and waiting transactions are rolled back, and their later use fails. */
  crash(): void
  readonly pause: MemoryPause
}

type Tables = Map<string, Map<string, Json>>
const deleted = Symbol('deleted')

export function memoryDatabase(options: MemoryDatabaseOptions = {}): MemoryDatabase {
  const tables: Tables = new Map()
  const lock = exclusiveLock(options.timers)
  return {
    pause: options.pause ?? (() => Promise.resolve()),
    read: (table) => tables.get(table) ?? new Map(),
    crash: () => lock.reset(),
    async begin(lockWaitMs) {
      const release = await lock.acquire(lockWaitMs)
      return openTransaction(tables, release)
    },
  }
}

function openTransaction(tables: Tables, lock: Held): MemoryTransaction {
  const writes = new Map<string, Map<string, Json | typeof deleted>>()
  const written = (table: string): Map<string, Json | typeof deleted> => {
    if (!lock.held) throw new Error('The memory transaction has ended or its client has died.')
    const rows = writes.get(table) ?? new Map()
    writes.set(table, rows)
    return rows
  }
  const get = (table: string, key: string): Json | undefined => {
    const own = written(table).get(key)
    return own === deleted ? undefined : (own ?? tables.get(table)?.get(key))
  }
  return {
    get,
    set: (table, key, value) => void written(table).set(key, structuredClone(value)),
    delete: (table, key) => void written(table).set(key, deleted),
    entries(table) {
      const keys = new Set([...(tables.get(table)?.keys() ?? []), ...written(table).keys()])
      return [...keys].flatMap((key): [string, Json][] => {
        const value = get(table, key)
        return value === undefined ? [] : [[key, value]]
      })
    },
    commit() {
      for (const [table] of writes) written(table)
      apply(tables, writes)
      lock.release()
    },
    rollback: () => lock.release(),
  }
}

function apply(tables: Tables, writes: ReadonlyMap<string, ReadonlyMap<string, Json | typeof deleted>>): void {
  for (const [name, rows] of writes) {
    const table = tables.get(name) ?? new Map<string, Json>()
    tables.set(name, table)
    for (const [key, value] of rows) {
      if (value === deleted) table.delete(key)
      else table.set(key, value)
    }
  }
}

interface Held {
  held: boolean
  release(): void
}

interface ExclusiveLock {
  acquire(waitMs?: number): Promise<Held>
  reset(): void
}

function exclusiveLock(timers: Timers | undefined): ExclusiveLock {
  let current: Held | null = null
  let waiting: ((held: Held) => void)[] = []
  const grant = (): Held => {
    const held: Held = {
      held: true,
      release() {
        if (!held.held) return
        held.held = false
        current = null
        waiting.shift()?.(grant())
      },
    }
    current = held
    return held
  }
  return {
    acquire(waitMs) {
      if (current === null) return Promise.resolve(grant())
      return new Promise((resolve, reject) => {
        const enter = (held: Held): void => {
          timer?.cancel()
          resolve(held)
        }
        waiting.push(enter)
        const timer =
          waitMs === undefined
            ? undefined
            : timers?.after(waitMs, () => {
                if (!waiting.includes(enter)) return
                waiting = waiting.filter((other) => other !== enter)
                reject(new BarrierBusy('The memory database is locked.'))
              })
      })
    },
    reset() {
      // Whoever waited died with the client: it is never called, as a dead process is never answered.
      waiting = []
      if (current !== null) current.held = false
      current = null
    },
  }
}

const barrierTable = 'lockstep_barrier'

/** The barrier on `memoryDatabase()`. */
export function memoryBarrier(): BarrierDatabase {
  return {
    name: 'memory',
    accepts: 'a memoryDatabase()',
    recognises: (handle) => isMemoryDatabase(handle),
    async transact(handle, run, { lockWaitMs }) {
      const database = handle as MemoryDatabase
      const tx = await database.begin(lockWaitMs)
      try {
        await database.pause('begun')
        const result = await run(tx, barrierRows(tx, database.pause))
        await database.pause('before-commit')
        tx.commit()
        await database.pause('committed')
        return result
      } finally {
        tx.rollback()
      }
    },
  }
}

function barrierRows(tx: MemoryTransaction, pause: MemoryPause): BarrierRows {
  const find = (key: BarrierKey): BarrierRow | null =>
    (tx.get(barrierTable, keyText(key)) as unknown as BarrierRow | undefined) ?? null
  return {
    async insert(key, row) {
      await pause('insert')
      if (find(key) !== null) return false
      tx.set(barrierTable, keyText(key), { ...row })
      return true
    },
    async find(key) {
      await pause('find')
      return find(key)
    },
    async complete(key, output) {
      await pause('complete')
      tx.set(barrierTable, keyText(key), { ...find(key), output } as { [column: string]: Json })
    },
  }
}

function keyText(key: BarrierKey): string {
  return [key.store, key.transaction, key.branch, key.operation].join('/')
}

function isMemoryDatabase(handle: unknown): boolean {
  const candidate = handle as Partial<MemoryDatabase> | null
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof candidate.begin === 'function' &&
    typeof candidate.crash === 'function'
  )
}
