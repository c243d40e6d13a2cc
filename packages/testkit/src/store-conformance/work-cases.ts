import { deepEqual, equal } from 'node:assert/strict'
import type { Entry, TransactionStore, Work } from 'lockstep/ports'
import { pair } from './concurrency-cases.ts'
import { awkwardTexts } from './payload-cases.ts'
import { audit, begun, ended, held, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

const grown: Work = { definition: '{"steps":["a","b","c"]}', needs: ['bank', 'stock'] }

const advance = (id: string, work?: Work) =>
  ({ kind: 'advance', id, epoch: 1, progress: progress(), ...(work ? { work } : {}) }) as const

const take = (id: string, work?: Work, version = 1) =>
  ({ kind: 'take', id, epoch: 1, version, progress: progress(), ...(work ? { work } : {}) }) as const

async function workOf(store: TransactionStore, id: string): Promise<Work> {
  const { definition, needs } = await readOne(store, id)
  return { definition, needs }
}

/** All but the work, the owner's columns and the version is as it was begun. */
async function expectRow(store: TransactionStore, id: string, changes: { epoch: number; work: Work }): Promise<void> {
  const { epoch, work } = changes
  const row = { ...begun(id, { labels: { tenant: 'x' }, traceparent: '00-1-2-01', deadlineAt: 9 }), ...ended(8) }
  deepEqual(await readOne(store, id), { ...row, ...work, epoch, version: 2, expired: false })
}

const growthCases: readonly StoreCase[] = [
  {
    name: 'work that has grown replaces definition and needs, and nothing else that begin fixed',
    async run({ store }) {
      const writer = writerOf(store)
      const fixed = { labels: { tenant: 'x' }, traceparent: '00-1-2-01', deadlineAt: 9 }
      await writer.commit(insert('advanced', fixed), insert('taken', fixed))
      // A whole row is work too, as far as types go: only definition and needs count.
      const work = begun('another', { ...grown, labels: { tenant: 'y' }, contentHash: 'y', createdAt: 1, ageFrom: 1 })
      const results = await writer.commit(
        { ...advance('advanced', work), progress: ended(8) },
        { ...take('taken', work), progress: ended(8) },
      )
      const operator = { held: null, deadlineAt: 9, ageFrom: begun('x').ageFrom }
      deepEqual(results, [
        { kind: 'applied', row: { ...operator, epoch: 1, version: 2 } },
        { kind: 'applied', row: { ...operator, epoch: 2, version: 2 } },
      ])
      await expectRow(store, 'advanced', { epoch: 1, work: grown })
      await expectRow(store, 'taken', { epoch: 2, work: grown })
    },
  },
  {
    name: 'work that has grown comes back byte for byte, and later writes without it leave it so',
    async run({ store }) {
      const needs = ['', 'NULL', 'a"b', 'a,b', 'a\\b', '{}', '漢字']
      for (const [index, text] of [...awkwardTexts, '🎉 "\\x'.repeat(50_000)].entries()) {
        const id = `text-${index}`
        const writer = writerOf(store)
        const work = { definition: text, needs: text === '' ? [] : needs }
        const leftAlone = async (epoch: number, ...batch: Entry[]): Promise<void> => {
          deepEqual(kindsOf(await writer.commit(...batch)), ['applied'])
          const row = await readOne(store, id)
          deepEqual({ definition: row.definition, needs: row.needs, epoch: row.epoch }, { ...work, epoch })
        }
        await writer.commit(insert(id))
        await leftAlone(1, advance(id, work))
        await leftAlone(1, { ...advance(id), hold: held('x') })
        const operator = { held: null, deadlineAt: null, ageFrom: 1 }
        await leftAlone(1, { kind: 'mark', id, version: 3, operator, nextAt: null })
        await leftAlone(2, take(id, undefined, 4))
        await leftAlone(3, { ...take(id, work, 5), epoch: 2, operator })
        await leftAlone(4, { ...take(id, undefined, 6), epoch: 3, operator })
      }
    },
  },
  {
    name: 'of one batch each entry brings its own work, or none',
    async run({ store }) {
      const writer = writerOf(store)
      const ids = ['a', 'b', 'c', 'd', 'e']
      const first = { definition: 'first', needs: ['first'] }
      const last = { definition: 'last', needs: [] }
      await writer.commit(...ids.map((id) => insert(id, { definition: `of ${id}`, needs: [id] })))
      const operator = { held: null, deadlineAt: null, ageFrom: 1 }
      await writer.commit(
        take('e', last),
        advance('d'),
        { kind: 'mark', id: 'c', version: 1, operator, nextAt: null },
        insert('f', { definition: 'of f', needs: ['f'] }),
        advance('b', first),
        take('a'),
      )
      const rows = await store.read([...ids, 'f'])
      deepEqual(
        rows.map(({ definition, needs }) => [definition, ...needs]),
        [['of a', 'a'], ['first', 'first'], ['of c', 'c'], ['of d', 'd'], ['last'], ['of f', 'f']],
      )
    },
  },
  {
    name: 'stored work shares nothing with what was handed in or out',
    async run({ store }) {
      const needs = ['bank']
      const writer = writerOf(store)
      await writer.commit(insert('advanced'), insert('taken'))
      await writer.commit(advance('advanced', { ...grown, needs }), take('taken', { ...grown, needs }))
      needs.push('changed')
      for (const id of ['advanced', 'taken']) {
        const row = (await readOne(store, id)) as unknown as { needs: string[] }
        row.needs.push('changed too')
        deepEqual((await readOne(store, id)).needs, ['bank'])
      }
    },
  },
]

const refusedCases: readonly StoreCase[] = [
  {
    name: 'a stale entry leaves the work alone',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('order-1'), insert('expired', ended(8)))
      await store.retire({ endedBefore: 9, forgetBefore: 0, limit: 9 })
      const before = await readOne(store, 'order-1')
      for (const stale of [
        { ...advance('order-1', grown), epoch: 0 },
        { ...advance('order-1', grown), epoch: 2 },
        { ...take('order-1', grown), epoch: 2 },
        { ...take('order-1', grown), version: 2 },
      ])
        deepEqual(await writer.commit(stale), [{ kind: 'stale', row: before }])
      deepEqual(await readOne(store, 'order-1'), before)
      deepEqual(kindsOf(await writer.commit(advance('expired', grown))), ['stale'])
      deepEqual(await workOf(store, 'expired'), { definition: '', needs: [] })
      deepEqual(await writer.commit(advance('missing', grown)), [{ kind: 'stale', row: null }])
    },
  },
  {
    name: 'an entry whose work cannot be stored is invalid, and the others of its batch stand',
    async run({ store }) {
      const broken: readonly Work[] = [
        { ...grown, definition: 'a\0b' },
        { ...grown, definition: 'a\ud83c' },
        { ...grown, needs: ['bank', 'st\0ck'] },
        { ...grown, needs: ['bank', '\udf89'] },
      ]
      const ids = broken.map((_, index) => `row-${index}`)
      const writer = writerOf(store)
      await writer.commit(...['a', 'z', ...ids].map((id) => insert(id)))
      for (const change of [advance, take]) {
        const results = await writer.commit(
          { ...advance('a', grown), audit: audit('stands') },
          ...broken.map((work, index) => ({ ...change(ids[index] ?? '', work), audit: audit('never') })),
          advance('z'),
        )
        deepEqual(kindsOf(results), ['applied', ...ids.map(() => 'invalid'), 'applied'])
      }
      for (const row of await store.read(ids))
        deepEqual(row, { ...begun(row.id), epoch: 1, version: 1, expired: false })
      for (const id of ids) deepEqual((await store.history(id)).audit, [])
      deepEqual(await workOf(store, 'a'), grown)
      equal((await readOne(store, 'z')).version, 3)
    },
  },
  {
    name: 'a batch with work that is sent again changes nothing and gets the same answers (law 7)',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('advanced'), insert('taken'), insert('stale'))
      const batch = [advance('advanced', grown), take('taken', grown), { ...advance('stale', grown), epoch: 7 }]
      const first = await writer.commit(...batch)
      deepEqual(kindsOf(first), ['applied', 'applied', 'stale'])
      const rows = await store.read(['advanced', 'taken', 'stale'])
      deepEqual(
        rows.map((row) => row.needs.length),
        [2, 2, 1],
      )
      for (let round = 0; round < 2; round++) {
        deepEqual(await writer.repeat(), first)
        deepEqual(await store.read(['advanced', 'taken', 'stale']), rows)
      }
    },
  },
  {
    name: 'work of a repeat that was never applied is written; work that arrives after its successor is not',
    async run({ store }) {
      const send = async (number: number, work: Work, repeat: boolean): Promise<string[]> =>
        kindsOf(await store.commit([advance('order-1', work)], { instance: 'owner-a', number, repeat }))
      await writerOf(store).commit(insert('order-1'))
      deepEqual(await send(2, { definition: 'older', needs: [] }, true), ['applied'])
      equal((await readOne(store, 'order-1')).definition, 'older')
      deepEqual(await send(3, grown, true), ['applied'])
      for (const repeat of [false, true])
        deepEqual(await send(2, { definition: 'older', needs: [] }, repeat), ['stale'])
      deepEqual(await workOf(store, 'order-1'), grown)
    },
  },
]

const sharingCases: readonly StoreCase[] = [
  {
    name: 'an instance that cannot call an added service no longer claims the row (law 11)',
    async run({ store }) {
      const claim = async (...services: string[]): Promise<string[]> => {
        const request = { owner: 'owner-b', limit: 9, services, missingAfterMs: Number.MAX_SAFE_INTEGER }
        return (await store.claim(request)).map(({ row }) => `${row.id}: ${row.needs.join(' ')}, ${row.definition}`)
      }
      const writer = writerOf(store)
      const rows = ['advanced', 'taken', 'left'].map((id) => insert(id))
      await writer.commit(...rows, insert('needless'))
      const parked = { progress: progress({ owner: null }) }
      const lost = { progress: progress({ owner: 'owner-dead' }) }
      await writer.commit(
        { ...advance('advanced', grown), ...parked },
        { ...take('taken', grown), ...parked },
        { ...advance('left', grown), ...lost },
        { ...advance('needless', { ...grown, needs: [] }), ...parked },
      )
      deepEqual(await claim(), [`needless: , ${grown.definition}`])
      deepEqual(await claim('bank'), [])
      const names = (await claim('bank', 'stock')).sort()
      deepEqual(
        names,
        ['advanced', 'left', 'taken'].map((id) => `${id}: bank stock, ${grown.definition}`),
      )
    },
  },
  {
    name: 'what nobody can call any more once it has grown is claimed when it is overdue (law 11)',
    requires: 'shared',
    async run({ store }) {
      const request = { owner: 'owner-b', limit: 9, services: [], missingAfterMs: 0 }
      const writer = writerOf(store)
      await store.heartbeat({ owner: 'owner-c', leaseMs: 60_000, services: ['bank'] })
      await writer.commit(insert('order-1', { owner: null }))
      deepEqual(await store.claim(request), [])
      await writer.commit({ ...advance('order-1', grown), progress: progress({ owner: null }) })
      deepEqual(
        (await store.claim(request)).map(({ row }) => row.id),
        ['order-1'],
      )
    },
  },
  {
    name: 'work stays when an operator writes meanwhile (law 8)',
    async run(opened) {
      const [left, right] = await pair(opened)
      const [owner, operator] = [writerOf(left, 'owner-a'), writerOf(right, 'operator')]
      const ids = Array.from({ length: 40 }, (_, index) => `row-${index}`)
      await owner.commit(...ids.map((id) => insert(id)))
      for (let round = 0; round < 15; round++) {
        const work = { definition: `${round}`, needs: [`service-${round}`] }
        const versions = new Map((await right.read(ids)).map((row) => [row.id, row.version]))
        const columns = { held: null, deadlineAt: round, ageFrom: round }
        const marks = [...ids].reverse().map((id) => {
          return { kind: 'mark', id, version: versions.get(id) ?? 0, operator: columns, nextAt: null } as const
        })
        await Promise.all([owner.commit(...ids.map((id) => advance(id, work))), operator.commit(...marks)])
        for (const id of ids) deepEqual(await workOf(left, id), work)
      }
    },
  },
]

export const workCases: readonly StoreCase[] = [...growthCases, ...refusedCases, ...sharingCases]
