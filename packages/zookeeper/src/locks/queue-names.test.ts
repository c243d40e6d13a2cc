import { expect, test } from 'vitest'
import { blockerOf, holdersOf, inOrder, namePrefix, type QueueName } from './queue-names.ts'

const names = (line: readonly QueueName[]): string[] => line.map(({ name }) => name)
const blocker = (line: readonly QueueName[], at: number): string | null => {
  const own = line[at]
  if (own === undefined) throw new Error('There is nobody at that place.')
  return blockerOf(line, own)?.name ?? null
}

test('only the number decides the order, whatever id and mark stand before it', () => {
  const unordered = ['_c_a-lock-0000000010', '_c_z-lock-0000000002', '_c_m-__WRIT__0000000003']
  expect(inOrder(unordered).map(({ number }) => number)).toEqual([2, 3, 10])
})

test('a sequence that has run over 2147483647 goes on in order', () => {
  const line = ['_c_c-lock--2147483648', '_c_a-lock-2147483646', '_c_d-lock--2147483647', '_c_b-lock-2147483647']
  expect(inOrder(line).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
  expect(inOrder(['_c_y-lock-0000000000', '_c_x-lock--000000001']).map(({ id }) => id)).toEqual(['x', 'y'])
})

test('what is none of ours stands in nobody’s way', () => {
  expect(names(inOrder(['line', 'permits', '_c_a-lock-', 'lock-0000000001', '_c_a-lock-0000000002']))).toEqual([
    '_c_a-lock-0000000002',
  ])
})

test('CURATOR-190: the name of a repeated create is the same, and an id may look like a mark', () => {
  expect([namePrefix('id', 'read'), namePrefix('id', 'read')]).toEqual(['_c_id-__READ__', '_c_id-__READ__'])
  expect(inOrder(['_c_a-lock-0000000001-lock-0000000009'])).toMatchObject([{ id: 'a-lock-0000000001', number: 9 }])
})

test('CURATOR-211: a reader waits for the nearest writer before it alone, and a writer for whoever is right before', () => {
  const line = inOrder([
    '_c_a-__READ__0000000000',
    '_c_b-__READ__0000000001',
    '_c_c-__WRIT__0000000002',
    '_c_d-__READ__0000000003',
    '_c_e-__READ__0000000004',
    '_c_f-__WRIT__0000000005',
  ])
  expect([0, 1, 2, 3, 4, 5].map((at) => blocker(line, at))).toEqual([
    null,
    null,
    '_c_b-__READ__0000000001',
    '_c_c-__WRIT__0000000002',
    '_c_c-__WRIT__0000000002',
    '_c_e-__READ__0000000004',
  ])
  expect(holdersOf(line).map(({ id }) => id)).toEqual(['a', 'b'])
  expect(holdersOf(line.slice(2)).map(({ id }) => id)).toEqual(['c'])
})

test('a line of locks has one holder', () => {
  const line = inOrder(['_c_b-lock-0000000002', '_c_a-lock-0000000001'])
  expect([holdersOf(line).map(({ id }) => id), blocker(line, 1)]).toEqual([['a'], '_c_a-lock-0000000001'])
})
