import { describe, expect, test } from 'vitest'
import { inParts, type WatchEvent, Watches, type WatchListener } from './watches.ts'

function listening(): { told: string[]; listener: WatchListener } {
  const told: string[] = []
  return { told, listener: ({ kind, path }: WatchEvent) => told.push(`${kind} ${path}`) }
}

describe('watches', () => {
  test('on one path are told together, once', () => {
    const watches = new Watches()
    const [first, second] = [listening(), listening()]
    for (const { listener } of [first, second, first]) watches.expect('data', '/a', listener).set('present')
    expect(watches.size).toBe(1)
    watches.fire('changed', '/a')
    watches.fire('changed', '/a')
    expect([first.told, second.told]).toEqual([['changed /a'], ['changed /a']])
    expect(watches.size).toBe(0)
  })

  test.for<['created' | 'changed' | 'deleted' | 'children-changed', string[]]>([
    ['created', ['data']],
    ['changed', ['data']],
    ['children-changed', ['children']],
    ['deleted', ['data', 'children', 'both']],
  ])('of the tables that "%s" concerns are told, those of the others are kept', ([change, expected]) => {
    const watches = new Watches()
    const told: string[] = []
    const listeners = ['data', 'children', 'both'].map((name) => [name, () => void told.push(name)] as const)
    for (const [name, listener] of listeners.slice(0, 2)) {
      watches.expect(name as 'data' | 'children', '/a', listener).set('present')
    }
    const [, both = () => {}] = listeners[2] ?? []
    if (change === 'deleted')
      for (const table of ['data', 'children'] as const) watches.expect(table, '/a', both).set('present')
    watches.fire(change, '/a')
    expect(told).toEqual(expect.arrayContaining(expected))
    expect(told).toHaveLength(expected.length)
    expect(watches.size).toBe(change === 'deleted' ? 0 : 1)
  })

  test('that fire while another read is on its way leave that one its own', () => {
    const watches = new Watches()
    const [first, second] = [listening(), listening()]
    watches.expect('data', '/a', first.listener).set('present')
    const later = watches.expect('data', '/a', second.listener)
    watches.fire('changed', '/a')
    later.set('present')
    watches.fire('deleted', '/a')
    expect([first.told, second.told]).toEqual([['changed /a'], ['deleted /a']])
  })

  test('nobody wants any more are answered by their table, and never while a read asks for the same', () => {
    const watches = new Watches()
    const [first, second] = [listening(), listening()]
    watches.expect('data', '/a', first.listener).set('present')
    watches.expect('children', '/a', first.listener).set('present')
    const later = watches.expect('data', '/a', second.listener)
    expect(watches.remove('/a', first.listener)).toEqual(['children'])
    later.drop()
    expect(watches.size).toBe(0)
    expect(watches.remove('/a', first.listener)).toEqual([])
  })

  test('of a read that failed are not told', () => {
    const watches = new Watches()
    const { told, listener } = listening()
    watches.expect('data', '/a', listener).drop()
    watches.fire('changed', '/a')
    expect([told, watches.size]).toEqual([[], 0])
  })

  test('are all told of the end of the session, once', () => {
    const watches = new Watches()
    const { told, listener } = listening()
    for (const path of ['/a', '/b']) watches.expect('data', path, listener).set('present')
    watches.expect('children', '/a', listener).set('present')
    watches.end('expired')
    watches.end('closed')
    expect(told).toEqual(['expired /a', 'expired /b'])
  })

  test('to be set again are those that somebody listens to, by what was found', () => {
    const watches = new Watches()
    const { listener } = listening()
    watches.expect('data', '/there', listener).set('present')
    watches.expect('data', '/missing', listener).set('missing')
    watches.expect('children', '/parent', listener).set('present')
    watches.expect('data', '/on-its-way', listener)
    expect(watches.paths()).toEqual({ data: ['/there'], missing: ['/missing'], children: ['/parent'] })
  })
})

test('many paths are cut into requests that a server takes, each path in one', () => {
  const paths = Array.from({ length: 1_000 }, (_, index) => `/${'x'.repeat(99)}${index}`)
  const watched = { data: paths, missing: ['/m'], children: paths }
  const parts = inParts(watched, 10_000)
  expect(parts.length).toBeGreaterThan(15)
  for (const { data, missing, children } of parts) {
    expect([...data, ...missing, ...children].join('').length).toBeLessThan(10_300)
  }
  expect(parts.flatMap(({ data }) => data)).toEqual(paths)
  expect(parts.flatMap(({ missing }) => missing)).toEqual(['/m'])
  expect(parts.flatMap(({ children }) => children)).toEqual(paths)
  expect(inParts({ data: [], missing: [], children: [] }, 10_000)).toEqual([])
})
