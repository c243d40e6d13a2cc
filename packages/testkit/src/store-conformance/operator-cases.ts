import { deepEqual, equal } from 'node:assert/strict'
import { ended, held, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

const operator = (reason: string | null, deadlineAt: number | null = null, ageFrom = 5) => ({
  held: reason === null ? null : held(reason),
  deadlineAt,
  ageFrom,
})

export const operatorCases: readonly StoreCase[] = [
  {
    name: 'an owner reads the columns that an operator set, and never writes them',
    async run({ store }) {
      const owner = writerOf(store, 'owner-a')
      await owner.commit(insert('order-1', { deadlineAt: 1 }))
      const mark = {
        kind: 'mark',
        id: 'order-1',
        version: 1,
        operator: operator('paused', 77, 88),
        nextAt: null,
      } as const
      deepEqual(kindsOf(await writerOf(store, 'operator').commit(mark)), ['applied'])
      const [result] = await owner.commit({
        kind: 'advance',
        id: 'order-1',
        epoch: 1,
        progress: progress({ nextAt: 42 }),
      })
      deepEqual(result, { kind: 'applied', row: { ...operator('paused', 77, 88), epoch: 1, version: 3 } })
      const row = await readOne(store, 'order-1')
      deepEqual([row.held, row.deadlineAt, row.ageFrom, row.nextAt], [held('paused'), 77, 88, 42])
    },
  },
  {
    name: 'an owner holds where nothing holds, and a held row is not claimed however due it is',
    async run({ store }) {
      const owner = writerOf(store)
      await owner.commit(insert('order-1'))
      const hold = {
        kind: 'advance',
        id: 'order-1',
        epoch: 1,
        progress: progress({ nextAt: 42 }),
        hold: held('too-old'),
      } as const
      const [result] = await owner.commit(hold)
      deepEqual(result?.kind === 'applied' && result.row.held, held('too-old'))
      equal((await readOne(store, 'order-1')).nextAt, 42)
      deepEqual(await store.claim({ owner: 'owner-b', limit: 9, services: ['bank'], missingAfterMs: 0 }), [])
      const [second] = await owner.commit({ ...hold, hold: held('another') })
      deepEqual(second?.kind === 'applied' && second.row.held, held('too-old'))
      equal((await readOne(store, 'order-1')).nextAt, 42)
    },
  },
  {
    name: 'a mark compares the version only, and moves the next time only where nobody owns the row',
    async run({ store }) {
      const writer = writerOf(store, 'operator')
      await writer.commit(insert('owned', { nextAt: 10 }), insert('free', { nextAt: 10, owner: null }))
      const mark = (id: string, version: number) =>
        ({ kind: 'mark', id, version, operator: operator('paused'), nextAt: 99 }) as const
      deepEqual(kindsOf(await writer.commit(mark('owned', 2), mark('free', 0))), ['stale', 'stale'])
      deepEqual(kindsOf(await writer.commit(mark('owned', 1), mark('free', 1))), ['applied', 'applied'])
      const rows = await store.read(['owned', 'free'])
      deepEqual(
        rows.map((row) => [row.nextAt, row.epoch, row.version]),
        [
          [10, 1, 2],
          [99, 1, 2],
        ],
      )
    },
  },
  {
    name: 'a take keeps the operator columns, or replaces them all',
    async run({ store }) {
      const writer = writerOf(store, 'operator')
      await writer.commit(insert('order-1', operator('paused', 7, 8)))
      const take = (epoch: number) =>
        ({ kind: 'take', id: 'order-1', epoch, version: epoch, progress: progress({ owner: 'operator' }) }) as const
      const [kept] = await writer.commit(take(1))
      deepEqual(kept, { kind: 'applied', row: { ...operator('paused', 7, 8), epoch: 2, version: 2 } })
      const [replaced] = await writer.commit({ ...take(2), operator: operator(null, null, 9) })
      deepEqual(replaced, { kind: 'applied', row: { ...operator(null, null, 9), epoch: 3, version: 3 } })
    },
  },
  {
    name: 'the heartbeat brings the holds on what this instance owns',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(
        insert('mine-held', operator('paused', 7)),
        insert('mine'),
        insert('theirs', { ...operator('paused'), owner: 'owner-b' }),
      )
      const answer = await store.heartbeat({ owner: 'owner-a', leaseMs: 4000, services: [] })
      deepEqual(answer.held, [{ id: 'mine-held', version: 1, operator: operator('paused', 7) }])
      await writer.commit({ kind: 'mark', id: 'mine-held', version: 1, operator: operator('again'), nextAt: null })
      const later = await store.heartbeat({ owner: 'owner-a', leaseMs: 4000, services: [] })
      deepEqual(later.held, [{ id: 'mine-held', version: 2, operator: operator('again') }])
      equal(Math.abs(answer.now - Date.now()) < 60_000, true)
    },
  },
  {
    name: 'a resume brings a held row back to the claims',
    async run({ store }) {
      const writer = writerOf(store, 'operator')
      await writer.commit(insert('order-1', { ...operator('paused'), owner: null, nextAt: null }))
      const request = { owner: 'owner-b', limit: 10, services: ['bank'], missingAfterMs: 60_000 }
      deepEqual(await store.claim(request), [])
      await writer.commit({ kind: 'mark', id: 'order-1', version: 1, operator: operator(null), nextAt: 1 })
      deepEqual(
        (await store.claim(request)).map(({ row }) => row.id),
        ['order-1'],
      )
      deepEqual(kindsOf(await writer.commit({ kind: 'advance', id: 'order-1', epoch: 2, progress: ended(3) })), [
        'applied',
      ])
    },
  },
]
