import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import type { BarrierKey, BarrierRow } from '../ports/index.ts'
import { BarrierBusy } from '../ports/index.ts'
import { barrierSql } from '../stores/migrations/barrier-sql.ts'
import { nodeSqliteBarrier } from './node-sqlite.ts'

const directories: string[] = []
const opened: DatabaseSync[] = []

function open(path: string, ddl = true): DatabaseSync {
  const database = new DatabaseSync(path)
  opened.push(database)
  if (ddl) database.exec(barrierSql('sqlite'))
  return database
}

function newFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-sqlite-'))
  directories.push(directory)
  return join(directory, 'bank.db')
}

afterEach(() => {
  for (const database of opened.splice(0)) if (database.isOpen) database.close()
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

const key: BarrierKey = { store: '1f2e3d4c', transaction: 't', branch: 'b', operation: 'action' }
const row: BarrierRow = { by: 'action', inputHash: 'h', output: null }
const options = { lockWaitMs: 200 }

describe('the SQLite barrier', () => {
  it('runs transactions on one handle one after the other, in the order of the calls', async () => {
    const [barrier, database] = [nodeSqliteBarrier(), open(':memory:')]
    const log: string[] = []
    const work = (name: string) => async (): Promise<void> => {
      log.push(`${name} in`)
      await new Promise((resolve) => setTimeout(resolve, 5))
      log.push(`${name} out`)
    }
    await Promise.all(['a', 'b', 'c'].map((name) => barrier.transact(database, work(name), { lockWaitMs: 2_000 })))
    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
  })

  it('is busy when its turn does not come, and the queue goes on without it', async () => {
    const [barrier, database] = [nodeSqliteBarrier(), open(':memory:')]
    const held = Promise.withResolvers<void>()
    const first = barrier.transact(database, () => held.promise, options)
    const second = barrier.transact(database, async () => 2, options)
    await expect(second).rejects.toBeInstanceOf(BarrierBusy)
    const third = barrier.transact(database, async () => 3, options)
    held.resolve()
    expect([await first, await third]).toEqual([undefined, 3])
  })

  it('does not stop the event loop while another connection holds the file, and is busy in the end', async () => {
    const path = newFile()
    const [mine, other] = [open(path), open(path)]
    other.exec('BEGIN IMMEDIATE')
    let ticks = 0
    const timer = setInterval(() => (ticks += 1), 10)
    await expect(nodeSqliteBarrier().transact(mine, async () => 1, options)).rejects.toBeInstanceOf(BarrierBusy)
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(5)
    other.exec('COMMIT')
    expect(await nodeSqliteBarrier().transact(mine, async () => 1, options)).toBe(1)
  })

  it('says how to make the missing table', async () => {
    const [barrier, database] = [nodeSqliteBarrier(), open(':memory:', false)]
    const failing = barrier.transact(database, (_tx, rows) => rows.insert(key, row), options)
    await expect(failing).rejects.toMatchObject({
      code: 'LOCKSTEP_BARRIER_MISSING',
      next: expect.stringContaining('lockstep migrate barrier --dialect sqlite'),
    })
    expect(database.isTransaction).toBe(false)
    database.exec(barrierSql('sqlite'))
    expect(await barrier.transact(database, (_tx, rows) => rows.insert(key, row), options)).toBe(true)
  })

  it('refuses a handle with an open transaction, and leaves that open', async () => {
    const database = open(':memory:')
    database.exec('BEGIN')
    const failing = nodeSqliteBarrier().transact(database, async () => 1, options)
    await expect(failing).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
    expect(database.isTransaction).toBe(true)
  })

  it('is usable again after work that ended the transaction by itself', async () => {
    const [barrier, database] = [nodeSqliteBarrier(), open(':memory:')]
    const failing = barrier.transact(
      database,
      async (_tx, rows) => {
        await rows.insert(key, row)
        database.exec('ROLLBACK')
        await rows.complete(key, '1')
      },
      options,
    )
    await expect(failing).rejects.toThrow()
    expect(await barrier.transact(database, (_tx, rows) => rows.insert(key, row), options)).toBe(true)
  })

  it('leaves nothing when its connection closes inside', async () => {
    const path = newFile()
    const [mine, other] = [open(path), open(path)]
    const dying = nodeSqliteBarrier().transact(
      mine,
      async (_tx, rows) => {
        await rows.insert(key, row)
        mine.close()
        await rows.complete(key, '1')
      },
      options,
    )
    await expect(dying).rejects.toThrow()
    expect(other.prepare('select * from lockstep_barrier').all()).toEqual([])
  })

  it('recognises nothing but its own handle', () => {
    const barrier = nodeSqliteBarrier()
    expect(
      [open(':memory:'), {}, null, 'x', new Map(), { exec() {}, prepare() {} }].map((handle) =>
        barrier.recognises(handle),
      ),
    ).toEqual([true, false, false, false, false, false])
  })
})
