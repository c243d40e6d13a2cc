import { describe, expect, test } from 'vitest'
import { Votes } from './votes.ts'

const after = (nodes: number, votes: string): string => {
  const counted = new Votes(nodes)
  for (const vote of votes) counted.count(vote === 'y' ? 'yes' : vote === 'n' ? 'no' : 'silent')
  return counted.outcome
}

describe('a vote is settled at the first moment at which nothing can change it', () => {
  test.each([
    [3, 'yy', 'won'],
    [3, 'yn', 'open'],
    [3, 'nn', 'lost'],
    [3, 'yns', 'lost'],
    [5, 'yyy', 'won'],
    [5, 'yynn', 'open'],
    [5, 'nnn', 'lost'],
    [5, 'sss', 'lost'],
    [5, 'yysn', 'open'],
    [5, 'yynns', 'lost'],
    [7, 'yyyy', 'won'],
    [7, 'yyynnn', 'open'],
  ])('%i nodes, %s: %s', (nodes, votes, outcome) => {
    expect(after(nodes, votes)).toBe(outcome)
  })
  test('node-redlock: even splits of answers settle as well, one to one and two to two', () => {
    expect([after(2, 'yn'), after(4, 'yynn')]).toEqual(['lost', 'lost'])
  })
})
