import { deepEqual, equal, rejects } from 'node:assert/strict'
import type { ListFilter, Page, TransactionStore } from 'lockstep/ports'
import { ended, held, insert, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

/** All pages of a list, as ids; fails where a page is longer than it may be. */
export async function listAll(store: TransactionStore, filter: ListFilter): Promise<string[]> {
  const ids: string[] = []
  let next: ListFilter | null = filter
  while (next !== null) {
    const page: Page = await store.list(next)
    equal(page.items.length <= filter.limit, true)
    ids.push(...page.items.map((row) => row.id))
    next = page.next === null ? null : { ...filter, cursor: page.next }
  }
  return ids
}

async function fill(store: TransactionStore): Promise<void> {
  await writerOf(store).commit(
    insert('a', { createdAt: 100, labels: { tenant: 'x', kind: 'k' } }),
    insert('b', { createdAt: 200, labels: { tenant: 'y' }, pattern: 'tcc' }),
    insert('B', { createdAt: 200, labels: { tenant: 'x' } }),
    insert('c', { createdAt: 200, held: held('paused') }),
    insert('d', { createdAt: 300, ...ended(400) }),
  )
}

export const listCases: readonly StoreCase[] = [
  {
    name: 'lists are newest first, and every page size gives the same rows',
    async run({ store }) {
      await fill(store)
      for (const limit of [1, 2, 3, 4, 5, 100]) deepEqual(await listAll(store, { limit }), ['d', 'c', 'b', 'B', 'a'])
      equal((await store.list({ limit: 5 })).next, null)
    },
  },
  {
    name: 'each filter keeps exactly its rows, and filters add up',
    async run({ store }) {
      await fill(store)
      const filters: readonly [Omit<ListFilter, 'limit'>, string[]][] = [
        [{ status: 'committed' }, ['d']],
        [{ pattern: 'tcc' }, ['b']],
        [{ held: true }, ['c']],
        [{ held: false }, ['d', 'b', 'B', 'a']],
        [{ labels: { tenant: 'x' } }, ['B', 'a']],
        [{ labels: { tenant: 'x', kind: 'k' } }, ['a']],
        [{ labels: { tenant: 'X' } }, []],
        [{ labels: {} }, ['d', 'c', 'b', 'B', 'a']],
        [{ since: 200 }, ['d', 'c', 'b', 'B']],
        [{ until: 200 }, ['a']],
        [{ since: 200, until: 300, pattern: 'saga' }, ['c', 'B']],
      ]
      for (const [filter, ids] of filters) deepEqual(await listAll(store, { ...filter, limit: 1 }), ids)
    },
  },
  {
    name: 'lists leave definition and state out, and rows that come later disturb no cursor',
    async run({ store }) {
      await fill(store)
      const first = await store.list({ limit: 2 })
      deepEqual(
        first.items.map((row) => [row.id, row.definition, row.state, row.needs]),
        [
          ['d', '', '', ['bank']],
          ['c', '', '', ['bank']],
        ],
      )
      await writerOf(store, 'later').commit(insert('e', { createdAt: 999 }))
      const second = await store.list({ limit: 9, cursor: first.next ?? '' })
      deepEqual(
        second.items.map((row) => row.id),
        ['b', 'B', 'a'],
      )
      await rejects(store.list({ limit: 1, cursor: 'nonsense' }), { code: 'LOCKSTEP_INVALID_REQUEST' })
    },
  },
]
