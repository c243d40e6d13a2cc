/** What is kept at hand while it waits for a decision: bounded by count and by size, because waiting costs no memory (law 12). */
import { expect, it } from 'vitest'
import type { Json, StoredTransaction } from '../ports/index.ts'
import { Active } from './active.ts'
import { AtHand } from './at-hand.ts'
import { nextEntry } from './next-entry.ts'
import { initialState } from './stored-form.ts'

const empty = JSON.stringify({ branches: [] })

function waiting(id: string, definition = empty): Active {
  const row: StoredTransaction = {
    id,
    pattern: 'tcc',
    contentHash: 'c',
    definition,
    needs: [],
    labels: {},
    createdAt: 0,
    traceparent: null,
    status: 'prepared',
    state: initialState({ branches: [] }),
    reason: null,
    updatedAt: 0,
    endedAt: null,
    nextAt: 60_000,
    owner: null,
    held: null,
    deadlineAt: 60_000,
    ageFrom: 60_000,
    epoch: 1,
    version: 1,
    expired: false,
  }
  return new Active(row)
}

/** A branch was registered, and that is durable. */
function registers(active: Active, input: Json): void {
  const branches = [{ name: 'a', confirm: 'bank.a', cancel: 'bank.a', input }]
  active.transaction = { ...active.transaction, definition: { branches } }
  nextEntry(active, { owner: null, now: 0, audit: undefined })
}

it('the oldest goes when there is one too many', () => {
  const hand = new AtHand(2)
  const [a, b, c] = [waiting('a'), waiting('b'), waiting('c')]
  expect([hand.add(a), hand.add(b)]).toEqual([[], []])
  expect(hand.add(c)).toEqual([a])
})

it('what is used again is not the oldest any more', () => {
  const hand = new AtHand(2)
  const [a, b, c] = [waiting('a'), waiting('b'), waiting('c')]
  hand.add(a)
  hand.add(b)
  hand.add(a)
  expect(hand.add(c)).toEqual([b])
})

it('what is taken to be driven makes room', () => {
  const hand = new AtHand(1)
  const [a, b] = [waiting('a'), waiting('b')]
  hand.add(a)
  hand.delete(a)
  expect([hand.has(a), hand.add(b), hand.size]).toEqual([false, [], 1])
})

it('what is large is read again when it is needed', () => {
  const large = waiting('a', JSON.stringify({ branches: ['x'.repeat(20_000)] }))
  expect(new AtHand(9).add(large)).toEqual([large])
})

it('what has grown large since it was begun as well', () => {
  const hand = new AtHand(9)
  const grown = waiting('a')
  hand.add(grown)
  registers(grown, 'x'.repeat(1_000_000))
  expect(hand.add(grown)).toEqual([grown])
})
