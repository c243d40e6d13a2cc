import { describe, expect, test } from 'vitest'
import { tokenOfMajority } from './token-rule.ts'

describe('the token is the largest counter, and is written back unless a majority has reported it', () => {
  test.each([
    [[7n, 7n], 2, 7n, true],
    [[7n, 6n], 2, 7n, false],
    [[7n, 7n, 6n], 2, 7n, true],
    [[6n, 6n, 7n], 2, 7n, false],
    [[9n, 9n, 8n], 3, 9n, false],
  ])('%o with a quorum of %i: %i, stored: %s', (counters, quorum, token, isStored) => {
    expect(tokenOfMajority(counters, quorum)).toEqual({ token, isStored })
  })
})
