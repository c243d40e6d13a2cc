import { describe, expect, it } from 'vitest'
import type { Json } from '../../ports/index.ts'
import { asReference, isPointer, resolveReferences } from './output-reference.ts'

const outputs: Readonly<Record<string, Json>> = {
  a: { receipt: 'r1', list: [10, { x: null }], 'a/b': { '~': 1, '~1': 2 }, '': 'empty key', none: null, length: 'own' },
  text: 'hello',
  nothing: null,
}
const resolve = (input: Json) => resolveReferences(input, (step) => outputs[step])
const at = (path: string, step = 'a') => resolve({ $output: step, path })

describe('a reference is replaced by what its pointer finds', () => {
  it.each<[string, Json]>([
    ['', outputs['a'] ?? null],
    ['/receipt', 'r1'],
    ['/list', [10, { x: null }]],
    ['/list/0', 10],
    ['/list/1/x', null],
    ['/none', null],
    ['/a~1b/~0', 1],
    ['/a~1b/~01', 2],
    ['/', 'empty key'],
    ['/length', 'own'],
  ])('%s', (path, input) => expect(at(path)).toEqual({ input }))

  it.each([
    '/other',
    '/list/2',
    '/list/00',
    '/list/-',
    '/list/-1',
    '/list/1e0',
    '/list/length',
    '/receipt/0',
    '/none/x',
    '/toString',
    '/__proto__',
  ])('%s finds nothing', (path) => expect(at(path)).toEqual({ missing: { $output: 'a', path } }))
  it('nothing has no parts, a text has none either', () => {
    expect(at('', 'nothing')).toEqual({ input: null })
    expect(at('/0', 'text')).toEqual({ missing: { $output: 'text', path: '/0' } })
    expect(at('', 'not there')).toEqual({ missing: { $output: 'not there', path: '' } })
  })
})

describe('only an object with exactly these two keys is a reference', () => {
  it.each<[Json]>([
    [{ $output: 'a' }],
    [{ $output: 'a', path: '', more: 1 }],
    [{ $output: 1, path: '' }],
    [{ $output: 'a', path: null }],
    [['$output', 'path']],
    ['$output'],
    [null],
  ])('%j is none', (value) => {
    expect(asReference(value)).toBeNull()
    expect(resolve(value)).toEqual({ input: value })
  })
  it('one inside of another is none: what is found is not looked into', () => {
    const hostile = { $output: 'a', path: '/receipt' }
    expect(resolveReferences({ x: { $output: 'b', path: '' } }, () => hostile)).toEqual({ input: { x: hostile } })
  })
  it('it is found at any depth, in arrays and objects, and the rest stays as it is', () => {
    const input = { x: [{ y: { $output: 'a', path: '/receipt' } }, 1, null], z: 'same' }
    expect(resolve(input)).toEqual({ input: { x: [{ y: 'r1' }, 1, null], z: 'same' } })
  })
  it('a key `__proto__` stays a key of its own', () => {
    const input = JSON.parse('{"__proto__":{"admin":true},"r":{"$output":"a","path":"/receipt"}}') as Json
    const resolved = resolve(input)
    expect(JSON.stringify(resolved)).toBe('{"input":{"__proto__":{"admin":true},"r":"r1"}}')
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })
})

it.each([
  ['', true],
  ['/', true],
  ['/a/b', true],
  ['//', true],
  ['/~0~1', true],
  ['a', false],
  ['/~', false],
  ['/~2', false],
  ['#/a', false],
])('%s is a JSON Pointer: %s', (path, expected) => expect(isPointer(path)).toBe(expected))
