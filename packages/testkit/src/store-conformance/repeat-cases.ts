import { deepEqual, equal } from 'node:assert/strict'
import { attempt, audit, ended, held, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

export const repeatCases: readonly StoreCase[] = [
  {
    name: 'a batch that is sent again changes nothing and gets the same answers (law 7)',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('advanced'), insert('taken'), insert('marked'), insert('stale'))
      const batch = [
        { ...insert('new'), audit: audit('begin') },
        { kind: 'advance', id: 'advanced', epoch: 1, progress: progress(), attempts: [attempt], audit: audit('x') },
        { kind: 'take', id: 'taken', epoch: 1, version: 1, progress: progress(), audit: audit('take') },
        {
          kind: 'mark',
          id: 'marked',
          version: 1,
          operator: { held: held('x'), deadlineAt: 1, ageFrom: 2 },
          nextAt: 3,
          audit: audit('mark'),
        },
        { kind: 'advance', id: 'stale', epoch: 7, progress: progress(), audit: audit('never') },
      ] as const
      const first = await writer.commit(...batch)
      deepEqual(kindsOf(first), ['applied', 'applied', 'applied', 'applied', 'stale'])
      const ids = ['new', 'advanced', 'taken', 'marked', 'stale']
      const stateOf = async () => [await store.read(ids), await Promise.all(ids.map((id) => store.history(id)))]
      const before = await stateOf()
      for (let round = 0; round < 2; round++) {
        deepEqual(await writer.repeat(), first)
        deepEqual(await stateOf(), before)
      }
    },
  },
  {
    name: 'a repeat that was never applied is applied',
    async run({ store }) {
      await writerOf(store).commit(insert('order-1'))
      const change = { kind: 'advance', id: 'order-1', epoch: 1, progress: ended(8) } as const
      const results = await store.commit([insert('order-2'), change], { instance: 'owner-a', number: 2, repeat: true })
      deepEqual(kindsOf(results), ['applied', 'applied'])
      equal((await readOne(store, 'order-1')).status, 'committed')
    },
  },
  {
    name: 'a repeat still finds its write behind an operator action',
    async run({ store }) {
      const [owner, other] = [writerOf(store, 'owner-a'), writerOf(store, 'owner-b')]
      await owner.commit(insert('order-1'))
      await owner.commit({ kind: 'take', id: 'order-1', epoch: 1, version: 1, progress: progress() })
      const operator = { held: held('paused'), deadlineAt: null, ageFrom: 1 }
      await other.commit({ kind: 'mark', id: 'order-1', version: 2, operator, nextAt: null })
      deepEqual(await owner.repeat(), [{ kind: 'applied', row: { ...operator, epoch: 2, version: 3 } }])
      equal((await readOne(store, 'order-1')).version, 3)
    },
  },
  {
    name: 'a repeat still finds its write behind a claim',
    async run({ store }) {
      const owner = writerOf(store, 'owner-a')
      await owner.commit(insert('order-1'))
      await owner.commit({ kind: 'advance', id: 'order-1', epoch: 1, progress: progress({ owner: null }) })
      await store.claim({ owner: 'owner-b', limit: 1, services: ['bank'], missingAfterMs: 60_000 })
      const [result] = await owner.repeat()
      deepEqual(result?.kind === 'applied' && [result.row.epoch, result.row.version], [2, 2])
    },
  },
  {
    name: 'a batch that arrives after its successor writes over nothing',
    async run({ store }) {
      const send = (number: number, state: string, repeat: boolean) =>
        store.commit([{ kind: 'advance', id: 'order-1', epoch: 1, progress: progress({ state }) }], {
          instance: 'owner-a',
          number,
          repeat,
        })
      await writerOf(store).commit(insert('order-1'))
      deepEqual(kindsOf(await send(2, 'older', false)), ['applied'])
      deepEqual(kindsOf(await send(3, 'newer', false)), ['applied'])
      deepEqual(kindsOf(await send(2, 'older', false)), ['stale'])
      deepEqual(kindsOf(await send(2, 'older', true)), ['stale'])
      equal((await readOne(store, 'order-1')).state, 'newer')
    },
  },
]
