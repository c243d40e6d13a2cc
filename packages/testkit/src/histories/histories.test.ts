/** The checkers are checked: hand-mutated histories must be refused, and small ones are compared with a search by brute force. */
import { describe, expect, test } from 'vitest'
import {
  checkFence,
  checkFifo,
  checkLinearizable,
  checkMutex,
  checkSemaphore,
  checkTokenOrder,
  fencedMutexModel,
  type Holding,
  type Model,
  mutexModel,
  type Operation,
  reentrantFencedMutexModel,
  registerModel,
  semaphoreModel,
} from './index.ts'

type Row = readonly [process: string, kind: string, startMs: number, endMs: number | null, value?: Operation['value']]

const history = (...rows: Row[]): Operation[] =>
  rows.map(([process, kind, startMs, endMs, value = null]) => {
    const outcome = endMs === null ? 'unknown' : 'ok'
    return { process, kind, key: 'k', startMs, endMs, outcome, value }
  })
const holding = (
  process: string,
  askedMs: number,
  grantedMs: number,
  endMs: number | null,
  token: number,
): Holding => ({
  process,
  key: 'k',
  askedMs,
  grantedMs,
  endMs,
  token: BigInt(token),
})
const isValid = <State>(model: Model<State>, ...rows: Row[]) => checkLinearizable(model, history(...rows)).valid

describe('linearizable', () => {
  test('a mutex: one after the other, and side by side when one began before the other ended', () => {
    expect(isValid(mutexModel, ['a', 'acquire', 0, 1], ['a', 'release', 2, 3], ['b', 'acquire', 4, 5])).toBe(true)
    // b's acquire overlaps a's release: it may have come after it.
    expect(isValid(mutexModel, ['a', 'acquire', 0, 1], ['b', 'acquire', 0, 5], ['a', 'release', 4, 6])).toBe(true)
    expect(isValid(mutexModel, ['a', 'acquire', 0, 1], ['b', 'acquire', 2, 3], ['a', 'release', 4, 5])).toBe(false)
  })
  test('an acquire or release without an answer may have happened, or not', () => {
    expect(isValid(mutexModel, ['a', 'acquire', 0, null], ['b', 'acquire', 5, 6])).toBe(true)
    expect(isValid(mutexModel, ['a', 'acquire', 0, 1], ['a', 'release', 2, null], ['b', 'acquire', 5, 6])).toBe(true)
    expect(isValid(mutexModel, ['a', 'acquire', 0, 1], ['b', 'acquire', 2, 3], ['a', 'release', 9, null])).toBe(false)
  })
  test('a fenced mutex: an older or equal token is refused', () => {
    const rows = (second: bigint): Row[] => [
      ['a', 'acquire', 0, 1, 5n],
      ['a', 'release', 2, 3],
      ['b', 'acquire', 4, 5, second],
    ]
    expect([6n, 5n, 4n].map((token) => isValid(fencedMutexModel, ...rows(token)))).toEqual([true, false, false])
  })
  test('a grant that nobody heard of takes a token as well', () => {
    const rows = (token: bigint): Row[] => [
      ['a', 'acquire', 0, 1, 5n],
      ['a', 'release', 2, 3],
      ['b', 'acquire', 4, null],
      ['b', 'release', 5, 6],
      ['c', 'acquire', 7, 8, token],
    ]
    expect([7n, 6n].map((token) => isValid(fencedMutexModel, ...rows(token)))).toEqual([true, false])
  })
  test('re-entry has the same token, and as many releases', () => {
    const rows = (again: bigint, ...rest: Row[]): Row[] => [
      ['a', 'acquire', 0, 1, 5n],
      ['a', 'acquire', 2, 3, again],
      ...rest,
    ]
    const released: Row[] = [
      ['a', 'release', 4, 5],
      ['b', 'acquire', 6, 7, 9n],
    ]
    expect(isValid(reentrantFencedMutexModel, ...rows(5n))).toBe(true)
    expect(isValid(reentrantFencedMutexModel, ...rows(6n))).toBe(false)
    expect(isValid(reentrantFencedMutexModel, ...rows(5n, ...released))).toBe(false)
    expect(isValid(fencedMutexModel, ...rows(5n))).toBe(false)
  })
  test('a semaphore and a register', () => {
    const three: Row[] = [
      ['a', 'acquire', 0, 1],
      ['b', 'acquire', 2, 3],
      ['c', 'acquire', 4, 5],
    ]
    expect([2, 3].map((permits) => isValid(semaphoreModel(permits), ...three))).toEqual([false, true])
    const read = (value: number): Row[] => [
      ['a', 'write', 0, 1, 1],
      ['b', 'write', 2, null, 2],
      ['c', 'read', 5, 6, value],
    ]
    expect([1, 2, 3].map((value) => isValid(registerModel, ...read(value)))).toEqual([true, true, false])
    // Once seen, it stays: a read of the old value after one of the new is none of an order.
    expect(isValid(registerModel, ...read(2), ['c', 'read', 7, 8, 1])).toBe(false)
  })
  test('keys are judged apart, and what has exercised nothing is unknown', () => {
    const other = history(['b', 'acquire', 2, 3]).map((operation) => ({ ...operation, key: 'other' }))
    expect(checkLinearizable(mutexModel, [...history(['a', 'acquire', 0, 1]), ...other]).valid).toBe(true)
    expect(checkLinearizable(mutexModel, history(['a', 'acquire', 0, null])).valid).toBe('unknown')
    expect(checkLinearizable(mutexModel, []).valid).toBe('unknown')
  })
  test('says the same as a search by brute force, on 400 small histories', () => {
    let refused = 0
    for (let seed = 1; seed <= 400; seed++) {
      const operations = randomHistory(seed)
      const expected = bruteForce(fencedMutexModel, operations)
      expect({ seed, valid: checkLinearizable(fencedMutexModel, operations).valid }).toEqual({ seed, valid: expected })
      if (!expected) refused += 1
    }
    expect(Math.min(refused, 400 - refused)).toBeGreaterThan(20)
  })
})

describe('leases', () => {
  const good = [holding('a', 0, 1, 5, 1), holding('b', 2, 6, 9, 2), holding('c', 3, 10, null, 3)]

  test('a good history passes every check', () => {
    const checks = [checkMutex(good), checkTokenOrder(good), checkFifo(good, 0.5), checkSemaphore(good, 1)]
    expect(checks).toEqual(Array(4).fill({ valid: true, checked: 3 }))
  })
  test.each([
    ['a second holder before the first has ended', checkMutex, [holding('a', 0, 1, 7, 1), holding('b', 2, 6, 9, 2)]],
    [
      'one inside the hold of another, behind a third',
      checkMutex,
      [holding('a', 0, 1, 20, 1), holding('b', 2, 6, 7, 2), holding('c', 8, 9, 10, 3)],
    ],
    [
      'a token not above that of an earlier holder',
      checkTokenOrder,
      [holding('a', 0, 1, 5, 2), holding('b', 2, 6, 9, 1)],
    ],
    ['the same token twice, side by side', checkTokenOrder, [holding('a', 0, 5, 6, 2), holding('b', 1, 6, 9, 2)]],
    [
      'the last one first',
      (all: readonly Holding[]) => checkFifo(all, 1),
      [holding('a', 0, 9, 10, 2), holding('b', 5, 6, 7, 1)],
    ],
    [
      'three of two permits',
      (all: readonly Holding[]) => checkSemaphore(all, 2),
      [holding('a', 0, 1, 9, 1), holding('b', 0, 2, 9, 2), holding('c', 0, 3, 9, 3)],
    ],
  ] as const)('%s is refused', (_, check, holdings) => {
    expect(check(holdings).valid).toBe(false)
  })
  test('who has not surely asked first may come second', () => {
    expect(checkFifo([holding('a', 0, 9, 10, 2), holding('b', 0.5, 6, 7, 1)], 1).valid).toBe(true)
  })
  test('one holder alone proves nothing', () => {
    expect([checkMutex(good.slice(0, 1)).valid, checkFence([]).valid]).toEqual(['unknown', 'unknown'])
  })
  test('a fence that accepts an older token, or refuses a newer one, is refused', () => {
    const effects = (...rows: [number, boolean][]) =>
      rows.map(([token, accepted]) => ({ key: 'k', token: BigInt(token), accepted }))
    expect(checkFence(effects([1, true], [2, true], [1, false], [2, true])).valid).toBe(true)
    expect(checkFence(effects([2, true], [1, true])).valid).toBe(false)
    expect(checkFence(effects([1, true], [2, false])).valid).toBe(false)
  })
})

function randomHistory(seed: number): Operation[] {
  let state = seed
  const below = (bound: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * bound)
  }
  return Array.from({ length: 6 }, (_, index) => {
    const startMs = below(12)
    const outcome = (['ok', 'ok', 'ok', 'unknown', 'failed'] as const)[below(5)] ?? 'ok'
    const kind = below(2) === 0 ? 'acquire' : 'release'
    const value = kind === 'acquire' ? BigInt(index + below(3)) : null
    const endMs = outcome === 'unknown' ? null : startMs + 1 + below(8)
    return { process: 'ab'[below(2)] ?? 'a', kind, key: 'k', startMs, endMs, outcome, value }
  }).map((operation, index) =>
    index === 0 ? { ...operation, outcome: 'ok' as const, endMs: operation.startMs + 3 } : operation,
  )
}

/** Every subset of the uncertain ones, in every order that time allows. */
function bruteForce<State>(model: Model<State>, operations: readonly Operation[]): boolean {
  const possible = operations.filter(({ outcome }) => outcome !== 'failed')
  const isCertain = ({ outcome }: Operation): boolean => outcome === 'ok'
  const run = (state: State, left: readonly Operation[]): boolean => {
    if (!left.some(isCertain)) return true
    return left.some((one) => {
      const isLate = left.some((other) => other !== one && isCertain(other) && (other.endMs ?? Infinity) < one.startMs)
      const next = isLate ? null : model.step(state, one, isCertain(one))
      return (
        next !== null &&
        run(
          next,
          left.filter((other) => other !== one),
        )
      )
    })
  }
  return run(model.initial, possible)
}
