import { expect, it } from 'vitest'
import { surroundings } from '../../test/barrier-call.ts'
import { memoryDatabase } from '../adapters/memory-database.ts'
import { verdictOf } from '../ports/index.ts'
import { localBranch } from './local-branch.ts'
import { refuse } from './refuse.ts'

/** The tombstone was there first. */
const isClosed = (error: unknown) => {
  const verdict = verdictOf(error)
  return verdict?.kind === 'refused' && JSON.stringify(verdict.reason) === '{"code":"closed"}'
}

function open() {
  const facts = { store: '1f2e3d4c', transaction: 't1', begunAt: Date.now(), traceparent: '00-ab-cd-01' }
  return localBranch({ ...facts, input: { order: 7 }, surroundings: surroundings() })
}

it('opens the reserved branch, and finds its own commit', async () => {
  const db = memoryDatabase()
  const local = open()
  expect(local.branch).toMatchObject({ name: '_local', operation: 'action', traceparent: '00-ab-cd-01' })
  expect(local.used).toBe(false)
  expect(await local.branch.transact(db, (tx) => tx.set('paid', '7', true) ?? 'paid')).toBe('paid')
  await local.settle()
  expect([local.used, await local.check()]).toEqual([true, { kind: 'done', output: { decision: 'commit' } }])
})

it('answers a repeat what the first one returned', async () => {
  const db = memoryDatabase()
  await open().branch.transact(db, () => 'first')
  expect(await open().branch.transact(db, () => 'second')).toBe('first')
})

it('shuts its own local transaction out once it has thrown, for every later attempt', async () => {
  const db = memoryDatabase()
  const local = open()
  const thrown = await local.branch.transact(db, () => refuse('out of stock')).catch((error: unknown) => error)
  expect(isClosed(thrown)).toBe(false)
  expect(await local.check()).toEqual({ kind: 'done', output: { decision: 'rollback' } })
  const late = await open()
    .branch.transact(db, (tx) => tx.set('paid', '7', true))
    .catch((error: unknown) => error)
  expect([isClosed(late), isClosed(new Error('closed')), db.read('paid').size]).toEqual([true, false, 0])
})

it('knows of a commit whose function threw after it', async () => {
  const db = memoryDatabase()
  const local = open()
  await local.branch.transact(db, () => null)
  await expect(local.branch.transact(db, () => null)).rejects.toThrow('twice')
  await expect(local.settle()).rejects.toThrow('twice')
  expect(await local.check()).toEqual({ kind: 'done', output: { decision: 'commit' } })
})

it('waits for a transact that the function left behind, and throws what it threw', async () => {
  const local = open()
  local.branch.transact(memoryDatabase(), () => Promise.reject(new Error('disk'))).catch(() => {})
  await expect(local.settle()).rejects.toThrow('disk')
})

it('decides nothing without a handle, or with one that nobody knows', async () => {
  const local = open()
  expect(await local.check()).toMatchObject({ kind: 'unknown' })
  await expect(local.branch.transact(new Map(), () => null)).rejects.toMatchObject({
    code: 'LOCKSTEP_ADAPTER_MISMATCH',
  })
  expect(await local.check()).toMatchObject({ kind: 'unknown', error: expect.stringContaining('ADAPTER_MISMATCH') })
})
