import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { call, surroundings } from '../../test/barrier-call.ts'
import type { MemoryDatabase } from '../adapters/memory-database.ts'
import { memoryDatabase } from '../adapters/memory-database.ts'
import type { BarrierDatabase, Json, Outcome } from '../ports/index.ts'
import { checkBack } from './check-back.ts'
import { localBranch } from './local-branch.ts'
import { askAgain, refuse } from './refuse.ts'

const day = 86_400_000
const local = { branch: '_local' }
const commit: Outcome = { kind: 'done', output: { decision: 'commit' } }
const rollback: Outcome = { kind: 'done', output: { decision: 'rollback' } }

function open(input: Json = null, transaction = 't1') {
  const facts = { store: '1f2e3d4c', transaction, begunAt: Date.now(), traceparent: null }
  return localBranch({ ...facts, input, surroundings: surroundings() })
}

function pay(db: MemoryDatabase, input: Json = null): Promise<string> {
  return open(input).branch.transact(db, (tx) => {
    tx.set('paid', 'order', true)
    return 'paid'
  })
}

describe('the check-back on a pool', () => {
  it('finds a committed local transaction', async () => {
    const db = memoryDatabase()
    const check = checkBack('orders', { pool: db })
    await pay(db)
    expect([await call(check, 'check', null, local), await call(check, 'check', null, local)]).toEqual([commit, commit])
  })

  it('shuts out a local transaction that it does not find', async () => {
    const db = memoryDatabase()
    const check = checkBack('orders', { pool: db })
    expect(await call(check, 'check', null, local)).toEqual(rollback)
    await expect(pay(db)).rejects.toThrow('refused')
    expect([await call(check, 'check', null, local), db.read('paid').size]).toEqual([rollback, 0])
  })

  it('stands by its decision, whatever body the question comes with', async () => {
    for (const paid of [true, false]) {
      const db = memoryDatabase()
      const check = checkBack('orders', { pool: db })
      if (paid) await pay(db, { order: 7 })
      const decision = await call(check, 'check', { order: 7 }, local)
      expect([decision, await call(check, 'check', {}, local)]).toEqual(Array(2).fill(paid ? commit : rollback))
    }
  })

  it('asks to come again while the local transaction is open', async () => {
    const timers = { after: (_delayMs: number, fire: () => void) => ({ cancel: () => {}, fired: setImmediate(fire) }) }
    const db = memoryDatabase({ timers })
    const check = checkBack('orders', { pool: db })
    const transaction = await db.begin()
    expect(await call(check, 'check', null, local)).toEqual({ kind: 'pending' })
    transaction.rollback()
    expect(await call(check, 'check', null, local)).toEqual(rollback)
  })

  it('decides nothing about a transaction older than the barrier', async () => {
    const db = memoryDatabase()
    const outcome = await call(checkBack('orders', { pool: db }), 'check', null, {
      ...local,
      begunAt: Date.now() - 31 * day,
    })
    expect(outcome).toMatchObject({ kind: 'unknown', code: 'older-than-barrier' })
    expect(db.read('lockstep_barrier').size).toBe(0)
  })

  it('decides nothing about another branch, and answers no other operation', async () => {
    const db = memoryDatabase()
    const check = checkBack('orders', { pool: db })
    expect(await call(check, 'check', null, { branch: 'debit' })).toMatchObject({ kind: 'unknown' })
    expect(await call(check, 'action', null, local)).toMatchObject({ kind: 'unknown' })
    expect(db.read('lockstep_barrier').size).toBe(0)
  })

  it('dtm #535: decides nothing when the database is broken, and logs why', async () => {
    const db = memoryDatabase({ pause: () => Promise.reject(new Error('the disk is full')) })
    const logged: string[] = []
    const outcome = await call(checkBack('orders', { pool: db }), 'check', null, { ...local, logged })
    expect([outcome, logged]).toEqual([{ kind: 'unknown', error: 'the disk is full' }, ['the disk is full']])
  })
})

describe('the check-back over several databases', () => {
  const Order = z.object({ region: z.enum(['eu', 'us']) })

  it('looks into the one that the input of the transaction leads to', async () => {
    const regions = { eu: memoryDatabase(), us: memoryDatabase() }
    const check = checkBack('orders', {
      input: Order,
      pool: async ({ region }, branch) => {
        expect(branch).toMatchObject({ transaction: 't1', name: '_local', operation: 'check' })
        expect(branch).not.toHaveProperty('transact')
        return regions[region]
      },
    })
    await pay(regions.us, { region: 'us' })
    expect(await call(check, 'check', { region: 'us' }, local)).toEqual(commit)
    expect(await call(check, 'check', { region: 'asia' }, local)).toMatchObject({
      kind: 'unknown',
      error: expect.stringContaining('invalid-input'),
    })
    expect(regions.eu.read('lockstep_barrier').size).toBe(0)
  })

  it('decides nothing when the choice is no handle', async () => {
    const check = checkBack('orders', { pool: () => Promise.resolve(new Map()) })
    expect(await call(check, 'check', null, local)).toMatchObject({
      kind: 'unknown',
      error: expect.stringContaining('LOCKSTEP_ADAPTER_MISMATCH'),
    })
  })

  it('takes a handle that is a function for the handle', async () => {
    const db = memoryDatabase()
    const handle = (): never => {
      throw new Error('a handle is not asked')
    }
    const [memory] = surroundings().databases
    if (memory === undefined) throw new Error('a database')
    const callable: BarrierDatabase = {
      name: 'callable',
      recognises: (candidate) => candidate === handle,
      transact: (_handle, run, options) => memory.transact(db, run, options),
    }
    const facts = { store: '1f2e3d4c', transaction: 't1', branch: '_local', attempt: 1, begunAt: Date.now() }
    const around = { ...surroundings(), databases: [callable] }
    const outcome = await checkBack('orders', { pool: handle }).run(
      'check',
      null,
      { ...facts, traceparent: null },
      around,
    )
    expect(outcome).toEqual(rollback)
  })
})

describe('a check of your own', () => {
  const Order = z.object({ order: z.number() })
  const check = checkBack('orders', {
    input: Order,
    check: async ({ order }) => {
      if (order === 1) return 'commit'
      if (order === 2) return 'rollback'
      if (order === 3) return askAgain('5s')
      if (order === 4) return refuse('no such order')
      if (order === 5) throw new Error('the disk is full')
      return 'perhaps' as 'commit'
    },
  })

  it.each<[number, object]>([
    [1, commit],
    [2, rollback],
    [3, { kind: 'pending', retryAfterMs: 5_000 }],
    [4, { kind: 'unknown', error: expect.stringContaining('no such order') }],
    [5, { kind: 'unknown', error: 'the disk is full' }],
    [6, { kind: 'unknown', error: expect.stringContaining('answered "perhaps"') }],
  ])('decides by nothing but commit and rollback: order %i', async (order, expected) => {
    expect(await call(check, 'check', { order }, local)).toEqual(expected)
  })

  it('is asked about old transactions too, since its memory is its own', async () => {
    const old = { ...local, begunAt: Date.now() - 31 * day }
    expect(await call(check, 'check', { order: 1 }, old)).toEqual(commit)
    expect(await call(check, 'check', 'text', old)).toMatchObject({ kind: 'unknown' })
  })
})

it('has the bare name of a service, and one way to check', () => {
  const untyped = checkBack as unknown as (name: string, options: object) => unknown
  for (const [name, options] of [
    ['orders.check', { pool: {} }],
    ['_check', { pool: {} }],
    ['orders', {}],
    ['orders', { pool: {}, check: () => 'commit' }],
  ] as const) {
    expect(() => untyped(name, options)).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
  }
  const { name, operations, barrier, kind } = checkBack('orders', { pool: {} })
  expect([name, operations, barrier, kind]).toEqual(['orders', ['check'], true, 'check-back'])
})
