import { describe, expect, test } from 'vitest'
import { storeConformance } from '../../../../testkit/src/store-conformance/index.ts'
import { begun, insert, writerOf } from '../../../../testkit/src/store-conformance/sample-rows.ts'
import { isLockstepError } from '../../errors.ts'
import { memoryStore } from './index.ts'

const clock = { now: () => Date.now() }

describe.each([{ exclusive: false }, { exclusive: true }])('a memory store, exclusive: $exclusive', ({ exclusive }) => {
  const cases = storeConformance.filter((promise) => !exclusive || promise.requires !== 'shared')
  test.each(cases)('$name', async (promise) => {
    const store = memoryStore({ clock, exclusive })
    await promise.run({ store, another: async () => (exclusive ? null : store), dispose: async () => {} })
  })
})

test('a lease ends by the store clock, to the millisecond', async () => {
  let now = 1000
  const store = memoryStore({ clock: { now: () => now } })
  const request = { owner: 'owner-b', limit: 9, services: ['bank'], missingAfterMs: 60_000 }
  await store.heartbeat({ owner: 'owner-a', leaseMs: 4000, services: [] })
  await writerOf(store).commit(insert('order-1', { nextAt: 0 }))
  now = 4999
  expect(await store.claim(request)).toEqual([])
  now = 5000
  expect((await store.claim(request)).map(({ takeover }) => takeover)).toEqual([true])
})

test('what it holds outlives a coordinator that closes it', async () => {
  const store = memoryStore({ clock, storeId: 'abcdef01' })
  await writerOf(store).commit(insert('order-1'))
  await store.close()
  expect((await store.open()).id).toBe('abcdef01')
  expect(await store.read(['order-1'])).toHaveLength(1)
})

test('two entries for one id in a batch are a defect of the caller (law 6)', async () => {
  const store = memoryStore({ clock })
  const batch = [insert('order-1'), insert('order-1', begun('order-1'))]
  const error = await store
    .commit(batch, { instance: 'a', number: 1, repeat: false })
    .catch((thrown: unknown) => thrown)
  expect(isLockstepError(error, 'LOCKSTEP_BUG')).toBe(true)
})
