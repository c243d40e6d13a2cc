import { deepEqual, equal } from 'node:assert/strict'
import { attempt, audit, begun, ended, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

export const writeCases: readonly StoreCase[] = [
  {
    name: 'a begun transaction is read back as it was written, with epoch and version 1',
    async run({ store }) {
      const row = begun('order-1', {
        labels: { tenant: 'x', 'a b': '' },
        needs: [],
        traceparent: '00-1-2-01',
        reason: '"r"',
      })
      const [result] = await writerOf(store).commit({ kind: 'insert', row })
      deepEqual(result, {
        kind: 'applied',
        row: { held: null, deadlineAt: null, ageFrom: row.ageFrom, epoch: 1, version: 1 },
      })
      deepEqual(await readOne(store, 'order-1'), { ...row, epoch: 1, version: 1, expired: false })
    },
  },
  {
    name: 'the same id again is answered with the stored row, whatever the new content is',
    async run({ store }) {
      await writerOf(store, 'owner-a').commit(insert('order-1'))
      const [result] = await writerOf(store, 'owner-b').commit(
        insert('order-1', { contentHash: 'other', state: 'other' }),
      )
      deepEqual(result, { kind: 'exists', row: await readOne(store, 'order-1') })
      equal((await readOne(store, 'order-1')).contentHash, 'hash-of-order-1')
    },
  },
  {
    name: 'an owner writes with its epoch, and the version counts',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('order-1', { deadlineAt: 9 }))
      const [result] = await writer.commit({ kind: 'advance', id: 'order-1', epoch: 1, progress: ended(8) })
      deepEqual(result, {
        kind: 'applied',
        row: { held: null, deadlineAt: 9, ageFrom: begun('x').ageFrom, epoch: 1, version: 2 },
      })
      deepEqual(await readOne(store, 'order-1'), {
        ...begun('order-1', { deadlineAt: 9 }),
        ...ended(8),
        epoch: 1,
        version: 2,
        expired: false,
      })
    },
  },
  {
    name: 'an owner with another epoch changes nothing, and is shown the row',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('order-1'))
      for (const epoch of [0, 2]) {
        const change = {
          kind: 'advance',
          id: 'order-1',
          epoch,
          progress: ended(8),
          audit: audit('x'),
          attempts: [attempt],
        } as const
        deepEqual(await writer.commit(change), [{ kind: 'stale', row: await readOne(store, 'order-1') }])
      }
      equal((await readOne(store, 'order-1')).version, 1)
      deepEqual(await store.history('order-1'), { attempts: [], audit: [] })
    },
  },
  {
    name: 'a change of an id that does not exist is stale without a row',
    async run({ store }) {
      const results = await writerOf(store).commit(
        { kind: 'advance', id: 'no-1', epoch: 1, progress: progress() },
        { kind: 'take', id: 'no-2', epoch: 1, version: 1, progress: progress() },
        { kind: 'mark', id: 'no-3', version: 1, operator: { held: null, deadlineAt: null, ageFrom: 0 }, nextAt: null },
      )
      deepEqual(results, Array(3).fill({ kind: 'stale', row: null }))
    },
  },
  {
    name: 'a take raises the epoch, and the old owner is stale from then on',
    async run({ store }) {
      const [owner, other] = [writerOf(store, 'owner-a'), writerOf(store, 'owner-b')]
      await owner.commit(insert('order-1'))
      const take = {
        kind: 'take',
        id: 'order-1',
        epoch: 1,
        version: 1,
        progress: progress({ owner: 'owner-b' }),
      } as const
      const [taken] = await other.commit(take)
      deepEqual(taken?.kind === 'applied' && [taken.row.epoch, taken.row.version], [2, 2])
      const late = { kind: 'advance', id: 'order-1', epoch: 1, progress: ended(8) } as const
      deepEqual(kindsOf(await owner.commit(late)), ['stale'])
      equal((await readOne(store, 'order-1')).owner, 'owner-b')
    },
  },
  {
    name: 'a take compares epoch and version both',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('order-1'))
      for (const [epoch, version] of [
        [2, 1],
        [1, 2],
        [0, 1],
        [1, 0],
      ] as const) {
        const take = { kind: 'take', id: 'order-1', epoch, version, progress: progress() } as const
        deepEqual(kindsOf(await writer.commit(take)), ['stale'])
      }
    },
  },
  {
    name: 'results come in the order of the entries, and each entry stands for itself',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('b'), insert('d'))
      const results = await writer.commit(
        { kind: 'advance', id: 'd', epoch: 1, progress: ended(8) },
        insert('c'),
        { kind: 'advance', id: 'b', epoch: 9, progress: ended(8) },
        insert('a'),
      )
      deepEqual(kindsOf(results), ['applied', 'applied', 'stale', 'applied'])
      const rows = await store.read(['a', 'b', 'missing', 'c', 'd', 'a'])
      deepEqual(
        rows.map((row) => [row.id, row.status]),
        [
          ['a', 'committing'],
          ['b', 'committing'],
          ['c', 'committing'],
          ['d', 'committed'],
        ],
      )
    },
  },
  {
    name: 'attempts are kept once per branch, operation and number, audit rows in their order',
    async run({ store }) {
      const writer = writerOf(store)
      const second = { ...attempt, number: 2, startedAt: 3, error: 'timeout' }
      await writer.commit({ ...insert('order-1'), attempts: [attempt], audit: audit('first') })
      await writer.commit({
        kind: 'advance',
        id: 'order-1',
        epoch: 1,
        progress: progress(),
        attempts: [{ ...attempt, outcome: 'changed' }, second],
        audit: { ...audit('second'), at: 1, branch: 'a' },
      })
      const history = await store.history('order-1')
      deepEqual(history.attempts, [second, attempt])
      deepEqual(
        history.audit.map((row) => [row.action, row.branch]),
        [
          ['first', null],
          ['second', 'a'],
        ],
      )
      deepEqual(await store.history('order-10'), { attempts: [], audit: [] })
    },
  },
  {
    name: 'what is stored shares nothing with what was handed in or out',
    async run({ store }) {
      const labels: Record<string, string> = { tenant: 'x' }
      const needs = ['bank']
      await writerOf(store).commit(insert('order-1', { labels, needs }))
      labels['tenant'] = 'changed'
      needs.push('changed')
      const row = (await readOne(store, 'order-1')) as unknown as { labels: Record<string, string>; needs: string[] }
      row.labels['tenant'] = 'changed too'
      row.needs.push('changed too')
      const again = await readOne(store, 'order-1')
      deepEqual([again.labels, again.needs], [{ tenant: 'x' }, ['bank']])
    },
  },
]
