import { deepEqual, equal } from 'node:assert/strict'
import { audit, insert, kindsOf, progress, readOne, writerOf } from './sample-rows.ts'
import type { StoreCase } from './store-case.ts'

/** Texts that some encoding on the way to some database would change. */
export const awkwardTexts: readonly string[] = [
  '',
  ' ',
  'NULL',
  '{}',
  '{NULL,"a"}',
  '"\\u0000"',
  '{"a":"\\\\","b":"\\"","c":"\'"}',
  '1.0e+400',
  '{"b":1,"a":2,"b":3}',
  'tab\tnew\r\nline\u0001\u007f\u2028',
  'é e\u0301 漢字 🎉 \u{10ffff}',
  '$1 ?1 :a %s \\N \\x41',
]

/** Ids that a collation, a prefix search or a short column would take for one another. */
export const awkwardIds: readonly string[] = [
  'order-1',
  'order-10',
  'order-100',
  'Order-1',
  'ORDER-1',
  'order-1.',
  'order-1~',
  'order_1',
  '0',
  'a'.repeat(128),
  `${'a'.repeat(127)}b`,
]

const mebibyte = '🎉 "\\x'.repeat(2 ** 20 / 9)

export const payloadCases: readonly StoreCase[] = [
  {
    name: 'payload texts come back byte for byte',
    async run({ store }) {
      const writer = writerOf(store)
      for (const [index, text] of [...awkwardTexts, mebibyte].entries()) {
        const id = `text-${index}`
        await writer.commit({
          ...insert(id, {
            definition: text,
            state: text,
            reason: text,
            labels: { [`l${text.slice(0, 50)}`]: text.slice(0, 200) },
          }),
          audit: { ...audit(text), reason: text },
        })
        const row = await readOne(store, id)
        deepEqual([row.definition, row.state, row.reason], [text, text, text])
        deepEqual(row.labels, { [`l${text.slice(0, 50)}`]: text.slice(0, 200) })
        equal((await store.history(id)).audit[0]?.reason, text)
        await writer.commit({ kind: 'advance', id, epoch: 1, progress: progress({ state: `${text}${text}` }) })
        equal((await readOne(store, id)).state, `${text}${text}`)
      }
    },
  },
  {
    name: 'ids differ by every byte, up to 128 of them',
    async run({ store }) {
      const writer = writerOf(store)
      deepEqual(
        kindsOf(await writer.commit(...awkwardIds.map((id) => insert(id)))),
        awkwardIds.map(() => 'applied'),
      )
      await writer.commit({ kind: 'advance', id: 'order-1', epoch: 1, progress: progress({ state: 'changed' }) })
      const changed = (await store.read(awkwardIds)).filter((row) => row.state === 'changed')
      deepEqual(
        changed.map((row) => row.id),
        ['order-1'],
      )
      deepEqual(
        (await store.read(awkwardIds)).map((row) => row.id),
        awkwardIds,
      )
    },
  },
  {
    name: 'service names with quotes and commas are still one name each',
    async run({ store }) {
      const needs = ['a"b', 'a,b', 'a\\b', 'null', '{}']
      await writerOf(store).commit(insert('order-1', { needs, owner: null }))
      deepEqual((await readOne(store, 'order-1')).needs, needs)
      const claimed = await store.claim({
        owner: 'owner-b',
        limit: 1,
        services: needs,
        missingAfterMs: Number.MAX_SAFE_INTEGER,
      })
      equal(claimed.length, 1)
    },
  },
  {
    name: 'an entry whose data cannot be stored is invalid, and the others of its batch stand',
    async run({ store }) {
      const writer = writerOf(store)
      await writer.commit(insert('there'))
      const results = await writer.commit(
        insert('a'),
        insert('nul', { state: 'a\0b' }),
        insert('surrogate', { labels: { k: '\ud83c' } }),
        { kind: 'advance', id: 'there', epoch: 1, progress: progress({ state: 'a\0b' }) },
        insert('fraction', { nextAt: 0.5 }),
        insert('z'),
      )
      deepEqual(kindsOf(results), ['applied', 'invalid', 'invalid', 'invalid', 'invalid', 'applied'])
      const rows = await store.read(['a', 'nul', 'surrogate', 'there', 'fraction', 'z'])
      deepEqual(
        rows.map((row) => [row.id, row.version]),
        [
          ['a', 1],
          ['there', 1],
          ['z', 1],
        ],
      )
    },
  },
]
