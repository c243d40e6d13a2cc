/** Operations of one branch that meet: at once on two connections, and one while the other is still open. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Outcome } from '../src/ports/index.ts'
import type { MessageOperation, TccOperation } from './tcc-orders-oracle.ts'
import { beginning, messageTold, tccTold } from './tcc-orders-oracle.ts'
import type { Arrival, SeatBench, Seats } from './tcc-orders-seats.ts'
import { seatsOn, told } from './tcc-orders-seats.ts'

type Operation = TccOperation | MessageOperation

interface Opened {
  readonly bench: SeatBench
  readonly seats: Seats
  /** A new account of its own. */
  account(): Promise<string>
}

const available = 5
let suites = 0

function opened(open: () => Promise<SeatBench>): () => Opened {
  suites += 1
  const prefix = `r${suites}`
  let bench: SeatBench
  let count = 0
  beforeAll(async () => {
    bench = await open()
  })
  afterAll(() => bench?.close())
  return () => ({
    bench,
    seats: seatsOn(bench),
    async account() {
      count += 1
      const id = `${prefix}-${count}`
      await bench.open([id], available)
      return id
    },
  })
}

const pairs: readonly (readonly [before: readonly Operation[], first: Operation, second: Operation])[] = [
  [[], 'try', 'cancel'],
  [[], 'try', 'confirm'],
  [['try'], 'confirm', 'cancel'],
  [[], 'try', 'try'],
  [['try'], 'confirm', 'confirm'],
  [['try'], 'cancel', 'cancel'],
  [[], 'cancel', 'cancel'],
  [[], 'action', 'check'],
  [[], 'action', 'action'],
  [[], 'check', 'check'],
]
const rounds = 40
const pairsAtOnce = 4

/** Two operations started at once on two connections end as if one had come after the other. */
export function pairSuite(name: string, open: () => Promise<SeatBench>): void {
  describe(`pairs at once on ${name}`, () => {
    const context = opened(open)
    it.each(pairs)('%j then %s against %s is as good as one after the other', async (before, first, second) => {
      const serial = [inSerial(before, [first, second], [0, 1]), inSerial(before, [first, second], [1, 0])]
      for (let round = 0; round < rounds; round += pairsAtOnce) {
        const meetings = Array.from({ length: pairsAtOnce }, (_, at) =>
          meet(context(), before, [first, second], round + at),
        )
        for (const met of await Promise.all(meetings)) {
          expect(serial).toContainEqual(met)
        }
      }
    })
  })
}

type Pair = readonly [Operation, Operation]

/** What the oracle says of a pair when the one at `order[0]` comes before the other. */
function inSerial(before: readonly Operation[], pair: Pair, order: readonly [0 | 1, 0 | 1]) {
  let truth = beginning(available)
  const arrive = (operation: Operation): string => {
    const step = isMessage(operation) ? messageTold(truth, operation) : tccTold(truth, operation)
    truth = step.truth
    return step.answer
  }
  before.forEach(arrive)
  const answers = ['', '']
  for (const at of order) answers[at] = arrive(pair[at])
  return { answers, ledger: truth.effects, account: truth.account }
}

function isMessage(operation: Operation): operation is MessageOperation {
  return operation === 'action' || operation === 'check'
}

async function meet({ bench, seats, account }: Opened, before: readonly Operation[], pair: Pair, round: number) {
  const transaction = await account()
  for (const operation of before) await seats.arrive({ transaction, operation })
  const outcomes = await Promise.all(
    pair.map(async (operation, at) => {
      // Now one is ahead and now the other, by so little that they overlap.
      const ahead = (round % 2 === at ? 0 : round % 5) * 0.5
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead))
      return seats.arrive({ transaction, operation, other: at === 1 })
    }),
  )
  return { answers: outcomes.map(told), ...(await bench.seen(transaction)) }
}

/** Holds a business open: it has `entered`, and goes on when `held` is resolved. */
function gate() {
  const entered = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const inside = (): Promise<void> => {
    entered.resolve()
    return held.promise
  }
  return { entered: entered.promise, release: held.resolve, fail: held.reject, inside }
}

interface Held {
  readonly answer: Promise<Outcome>
  release(): void
  fail(error: Error): void
}

async function holdOpen(seats: Seats, arrival: Arrival): Promise<Held> {
  const { entered, inside, release, fail } = gate()
  const answer = seats.arrive({ ...arrival, inside })
  await entered
  return { answer, release, fail }
}

/** One operation comes while another of its branch is still open. */
export function openBranchSuite(name: string, open: () => Promise<SeatBench>): void {
  describe(`an operation that is still open on ${name}`, () => {
    const context = opened(open)
    const after = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs))

    it('dtm #318, Seata #6679: a check-back waits for the local transaction that is open, and tells how it ended', async () => {
      const { bench, seats, account } = context()
      for (const ends of ['commit', 'rollback'] as const) {
        const transaction = await account()
        const local = await holdOpen(seats, { transaction, operation: 'action' })
        const check = seats.arrive({ transaction, operation: 'check', other: true })
        await after(50)
        if (ends === 'commit') local.release()
        else local.fail(new Error('no'))
        expect(told(await check)).toBe(`done {"decision":"${ends}"}`)
        expect((await local.answer).kind).toBe(ends === 'commit' ? 'done' : 'unknown')
        const late = told(await seats.arrive({ transaction, operation: 'action' }))
        expect(late).toBe(ends === 'commit' ? 'done "sold"' : 'refused closed')
        expect((await bench.seen(transaction)).ledger).toEqual(ends === 'commit' ? ['action'] : [])
      }
    })

    it('dtm #318, Seata #6679: a check-back comes again when the local transaction stays open, and leaves nothing behind', async () => {
      const { bench, seats, account } = context()
      const transaction = await account()
      const local = await holdOpen(seats, { transaction, operation: 'action' })
      const startedAt = performance.now()
      expect(told(await seats.arrive({ transaction, operation: 'check', other: true }))).toBe('pending')
      const waitedMs = performance.now() - startedAt
      expect([waitedMs > 1_500, waitedMs < 9_000]).toEqual([true, true])
      local.release()
      expect(told(await local.answer)).toBe('done "sold"')
      expect(await bench.rows(transaction)).toBe(1)
      expect(told(await seats.arrive({ transaction, operation: 'check', other: true }))).toBe(
        'done {"decision":"commit"}',
      )
    })

    it('dtm #318, Seata #6679: a cancel waits for the try that is open, and undoes it or shuts it out', async () => {
      const { bench, seats, account } = context()
      for (const ends of ['commit', 'rollback'] as const) {
        const transaction = await account()
        const held = await holdOpen(seats, { transaction, operation: 'try' })
        const cancel = seats.arrive({ transaction, operation: 'cancel', other: true })
        await after(50)
        if (ends === 'commit') held.release()
        else held.fail(new Error('no'))
        expect(told(await cancel)).toBe(ends === 'commit' ? 'done "held, freed"' : 'done null')
        await held.answer
        for (const operation of ['try', 'confirm'] as const) {
          expect(told(await seats.arrive({ transaction, operation }))).toBe('refused closed')
        }
        const { account: seen, ledger } = await bench.seen(transaction)
        expect([seen, ledger]).toEqual([{ available, frozen: 0, sold: 0 }, ends === 'commit' ? ['try', 'cancel'] : []])
      }
    })

    it('dtm #318, Seata #6679: cancels and late tries in a crowd end finally, without an error', async () => {
      const { bench, seats, account } = context()
      for (let round = 0; round < 20; round += 1) {
        const transaction = await account()
        const crowd = (['try', 'cancel', 'try', 'cancel', 'try'] as const).map(async (operation, at) => {
          await after((round * (at + 1)) % 4)
          return told(await seats.arrive({ transaction, operation, other: at % 2 === 1 }))
        })
        for (const answer of await Promise.all(crowd)) {
          expect(['done "held"', 'done "held, freed"', 'done null', 'refused closed']).toContain(answer)
        }
        expect(told(await seats.arrive({ transaction, operation: 'try' }))).toBe('refused closed')
        expect([[], ['try', 'cancel']]).toContainEqual((await bench.seen(transaction)).ledger)
      }
    })
  })
}
