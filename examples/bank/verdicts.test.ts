/** The checker is checked: books that cannot be must be refused. */
import { describe, expect, it } from 'vitest'
import type { Books, Entry } from './books.ts'
import type { Transfer, TransferPattern } from './transfer.ts'
import { brokenNow, doubled, frozenIn, leftOver, moneyIn, torn } from './verdicts.ts'

const opening = 100
const amount = 30

function transfer(pattern: TransferPattern): Transfer {
  return { id: 't', pattern, fromBank: 'a', from: 'ann', toBank: 'b', to: 'bob', amount }
}

/** A movement as `operation account balance frozen incoming`. */
function entry(text: string, more: Partial<Entry> = {}): Entry {
  const [operation = '', account = '', balance, frozen, incoming] = text.split(' ')
  const funds = { balance: Number(balance), frozen: Number(frozen), incoming: Number(incoming) }
  return { transfer: 't', transaction: 't', branch: account, operation, account, ...funds, ...more }
}

/** Books whose accounts are what the ledger makes of them. */
function books(bank: string, account: string, ledger: readonly Entry[]): Books {
  const funds = { balance: opening, frozen: 0, incoming: 0 }
  for (const { balance, frozen, incoming } of ledger) {
    funds.balance += balance
    funds.frozen += frozen
    funds.incoming += incoming
  }
  return { bank, accounts: new Map([[account, funds]]), ledger }
}

const both = (atA: readonly Entry[], atB: readonly Entry[]) => [books('a', 'ann', atA), books('b', 'bob', atB)]
const committed = { status: 'committed', incomplete: false }
const refused = { status: 'committed', incomplete: true }
const rolledBack = { status: 'rolled-back', incomplete: false }

const out = entry('action ann -30 0 0')
const back = entry('compensate ann 30 0 0')
const arrived = entry('action bob 30 0 0')
const frozen = entry('try ann -30 30 0')
const left = entry('confirm ann 0 -30 0')
const thawed = entry('cancel ann 30 -30 0')
const announced = entry('try bob 0 0 30')
const credited = entry('confirm bob 30 0 -30')
const withdrawn = entry('cancel bob 0 0 -30')
const delivered = entry('deliver bob 30 0 0')
const refund = entry('deliver ann 30 0 0', { transaction: 'linked' })

function tornly(pattern: TransferPattern, end: object | undefined, found: readonly Books[]): string[] {
  const ends = new Map(end === undefined ? [] : [['t', end as typeof committed]])
  return torn(new Map([['t', transfer(pattern)]]), ends, found)
}

describe('all or nothing', () => {
  it.each([
    ['a saga that is done', 'saga', committed, [out], [arrived]],
    ['a saga that is undone', 'saga', rolledBack, [out, back], []],
    ['a TCC that is confirmed', 'tcc', committed, [frozen, left], [announced, credited]],
    ['a TCC that is cancelled', 'tcc', rolledBack, [frozen, thawed], [announced, withdrawn]],
    ['a TCC of which one side was never tried', 'tcc', rolledBack, [frozen, thawed], []],
    ['a message that is delivered', 'message', committed, [out], [delivered]],
    ['a message that was refused and paid back', 'message', refused, [out, refund], []],
    ['a message that is rolled back', 'message', rolledBack, [], []],
    ['a transfer that nobody knows', 'tcc', undefined, [], []],
  ] as const)('holds for %s', (_name, pattern, end, atA, atB) => {
    expect(tornly(pattern, end, both(atA, atB))).toEqual([])
  })

  it.each([
    ['a saga with one step only', 'saga', committed, [out], []],
    ['a saga that is undone by half', 'saga', rolledBack, [out, back], [arrived]],
    ['a saga that is committed and did nothing', 'saga', committed, [], []],
    ['a TCC that is still frozen', 'tcc', rolledBack, [frozen], []],
    ['a TCC that is confirmed on one side', 'tcc', committed, [frozen, left], [announced]],
    ['a TCC that is cancelled on one side', 'tcc', committed, [frozen, left], [announced, withdrawn]],
    ['a TCC that was confirmed and is rolled back', 'tcc', rolledBack, [frozen, left], [announced, credited]],
    ['a message that was not delivered', 'message', committed, [out], []],
    ['a message that was delivered and paid back', 'message', refused, [out, refund], [delivered]],
    ['a message that was refused and not paid back', 'message', refused, [out], []],
    ['a message that was paid back twice', 'message', refused, [out, refund, refund], []],
    ['a message that is committed without its local transaction', 'message', refused, [], []],
    ['a message that is rolled back and was delivered', 'message', rolledBack, [], [delivered]],
    ['a message that is rolled back, and its local transaction committed', 'message', rolledBack, [out], []],
    ['a message that is rolled back and was paid back', 'message', rolledBack, [out, refund], []],
    ['a transfer that nobody knows and that moved money', 'tcc', undefined, [frozen, left], [announced, credited]],
    ['another amount than was ordered', 'saga', committed, [entry('action ann -31 0 0')], [entry('action bob 31 0 0')]],
  ] as const)('does not hold for %s', (_name, pattern, end, atA, atB) => {
    expect(tornly(pattern, end, both(atA, atB))).toHaveLength(1)
  })

  it('does not hold where money has gone to another account', () => {
    const [a, b] = [books('a', 'ann', [out]), books('b', 'eve', [entry('action eve 30 0 0')])]
    expect(tornly('saga', committed, [a, b])).toHaveLength(1)
  })

  it('does not hold for effects that nobody has ordered', () => {
    expect(torn(new Map(), new Map(), both([out], [arrived]))).toEqual(['t took effect, and nobody has ordered it'])
  })
})

it('an operation that took effect twice is found, and a compensation is no second action', () => {
  expect(doubled(both([out, back], [arrived, arrived]))).toEqual(['b: t/bob/action took effect twice'])
  expect(doubled(both([out, back], [arrived]))).toEqual([])
})

it('money is counted while it is frozen, and not while it is announced', () => {
  const found = both([frozen], [announced])
  expect([moneyIn(found), frozenIn(found)]).toEqual([200, 30])
  expect(leftOver(found)).toHaveLength(2)
  expect(leftOver(both([frozen, left], [announced, credited]))).toEqual([])
})

describe('at every moment', () => {
  it.each([
    ['in the middle', [frozen]],
    ['after a cancel', [frozen, thawed]],
    ['after a confirm', [frozen, left]],
  ])('the books are sound %s', (_name, ledger) => {
    expect(brokenNow(books('a', 'ann', ledger), opening)).toEqual([])
  })

  it('an account that is not what its ledger says is found', () => {
    const sound = books('a', 'ann', [frozen])
    expect(brokenNow({ ...sound, ledger: [] }, opening)).toHaveLength(1)
  })

  it('freezing that makes or loses money is found', () => {
    expect(brokenNow(books('a', 'ann', [entry('try ann -30 29 0')]), opening)).toHaveLength(1)
    expect(brokenNow(books('a', 'ann', [frozen, entry('cancel ann 31 -30 0')]), opening)).toHaveLength(1)
  })
})
