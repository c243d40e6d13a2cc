import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

function delays(others: number, placeMs = 2): number[] {
  const turns = new Turns()
  turns.others = others
  return [0, 1, 2, 3, 4].map((heard) => turns.delayMs(heard, placeMs, 0.5))
}

test('a turn comes at once where no other process waits', () => {
  expect(delays(0)).toEqual([0, 0, 0, 0, 0])
})

test('a turn comes at once for who has heard of as many releases as others wait, and later the fewer these were', () => {
  expect(delays(3)).toEqual([5, 3, 1, 0, 0])
})

test('a turn is put off for a bounded time only', () => {
  expect(delays(100, 10)).toEqual([50, 50, 50, 50, 50])
})
