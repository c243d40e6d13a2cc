import { deepEqual, equal } from 'node:assert/strict'
import { attempt, audit, begun, ended, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

export const retireCases: readonly StoreCase[] = [
  {
    name: 'retention keeps id, hash and end status, and the audit; the id stays taken (law 2)',
    async run({ store }) {
      const writer = writerOf(store)
      const row = {
        ...begun('order-1', { labels: { tenant: 'x' }, traceparent: 't', deadlineAt: 4 }),
        ...ended(100),
        reason: '"r"',
      }
      await writer.commit({ kind: 'insert', row, attempts: [attempt], audit: audit('x') })
      deepEqual(await store.retire({ endedBefore: 101, forgetBefore: 0, limit: 10 }), { expired: 1, forgotten: 0 })
      const thin = {
        definition: '',
        state: '',
        reason: null,
        needs: [],
        labels: {},
        traceparent: null,
        deadlineAt: null,
      }
      deepEqual(await readOne(store, 'order-1'), { ...row, ...thin, epoch: 1, version: 1, expired: true })
      deepEqual(await store.history('order-1'), { attempts: [], audit: [audit('x')] })
      deepEqual((await store.list({ limit: 1, labels: { tenant: 'x' } })).items, [])
      const again = await writer.commit(insert('order-1'))
      deepEqual(again, [{ kind: 'exists', row: await readOne(store, 'order-1') }])
    },
  },
  {
    name: 'nothing writes to an expired row',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('order-1', ended(100)))
      await store.retire({ endedBefore: 101, forgetBefore: 0, limit: 10 })
      const operator = { held: null, deadlineAt: null, ageFrom: 0 }
      for (const entry of [
        { kind: 'advance', id: 'order-1', epoch: 1, progress: progress() },
        { kind: 'take', id: 'order-1', epoch: 1, version: 1, progress: progress() },
        { kind: 'mark', id: 'order-1', version: 1, operator, nextAt: 1 },
      ] as const) {
        deepEqual(kindsOf(await writer.commit(entry)), ['stale'])
      }
    },
  },
  {
    name: 'retention goes oldest first in small steps, and touches nothing that is unfinished or young',
    async run({ store }) {
      const at = (id: string, endedAt: number) => insert(id, ended(endedAt))
      await writerOf(store).commit(at('c', 30), at('a', 10), at('b', 20), at('young', 100), insert('open'))
      deepEqual(await store.retire({ endedBefore: 100, forgetBefore: 0, limit: 2 }), { expired: 2, forgotten: 0 })
      const expired = async () =>
        (await store.read(['a', 'b', 'c', 'young', 'open'])).filter((row) => row.expired).map((row) => row.id)
      deepEqual(await expired(), ['a', 'b'])
      deepEqual(await store.retire({ endedBefore: 100, forgetBefore: 20, limit: 2 }), { expired: 1, forgotten: 1 })
      deepEqual(await expired(), ['b', 'c'])
      deepEqual(await store.retire({ endedBefore: 100, forgetBefore: 100, limit: 1 }), { expired: 0, forgotten: 1 })
      deepEqual(
        (await store.read(['a', 'b', 'c', 'young', 'open'])).map((row) => row.id),
        ['c', 'young', 'open'],
      )
    },
  },
  {
    name: 'a forgotten id can be begun anew',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit({ ...insert('order-1', { ...ended(100), labels: { tenant: 'x' } }), audit: audit('x') })
      deepEqual(await store.retire({ endedBefore: 101, forgetBefore: 101, limit: 1 }), { expired: 1, forgotten: 1 })
      deepEqual(kindsOf(await writer.commit(insert('order-1', { labels: { tenant: 'y' } }))), ['applied'])
      equal((await store.history('order-1')).audit.length, 1)
    },
  },
]
