import { describe, expect, test } from 'vitest'
import { replay } from './fencing-register.ts'
import { type Grant, handOffsMs, historyOf, longestGapMs, retakenShare } from './history.ts'

function grant(waiter: number, acquiredMs: number, releasedMs: number, token: bigint | null): Grant {
  return { waiter, askedMs: 0, acquiredMs, releasedMs, token }
}

function history(...grants: Grant[]) {
  return historyOf([{ grants, waitingSinceMs: [], endedMs: 100 }])
}

describe('the fencing register', () => {
  test('one holder after the other violates nothing', () => {
    const found = replay(history(grant(1, 0, 5, 1n), grant(2, 6, 9, 2n)))
    expect(found).toEqual({ overlaps: 0, violations: 0, refused: 0 })
  })

  test('an older holder that writes late is refused by its token', () => {
    const found = replay(history(grant(1, 0, 8, 1n), grant(2, 6, 9, 2n)))
    expect(found).toEqual({ overlaps: 1, violations: 0, refused: 1 })
  })

  test('without tokens the same is a violation', () => {
    const found = replay(history(grant(1, 0, 8, null), grant(2, 6, 9, null)))
    expect(found).toEqual({ overlaps: 1, violations: 1, refused: 0 })
  })

  test('tokens that do not grow are refused though nobody overlaps', () => {
    expect(replay(history(grant(1, 0, 5, 2n), grant(2, 6, 9, 1n))).refused).toBe(2)
  })
})

describe('a history', () => {
  test('grants of several processes are put in the order of one clock', () => {
    const first = { grants: [grant(1, 0, 2, null), grant(1, 10, 12, null)], waitingSinceMs: [90], endedMs: 100 }
    const second = { grants: [grant(2, 5, 7, null)], waitingSinceMs: [], endedMs: 100 }
    const merged = historyOf([first, second])
    expect(merged.grants.map(({ waiter }) => waiter)).toEqual([1, 2, 1])
    expect(handOffsMs(merged)).toEqual([3, 3])
    expect(merged.waitsMs).toContain(10)
  })

  test('the share that the releaser took again is counted by waiter', () => {
    expect(retakenShare(history(grant(1, 0, 1, null), grant(1, 2, 3, null), grant(2, 4, 5, null)))).toBe(0.5)
  })

  test('a contest in which nobody comes any more has a gap until its end', () => {
    expect(longestGapMs(history(grant(1, 0, 1, null), grant(2, 4, 5, null)), 100)).toBe(96)
  })
})
