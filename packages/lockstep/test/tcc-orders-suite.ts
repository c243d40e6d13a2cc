/**
 * Every order of try, confirm and cancel with loss, duplicate and delay, up to six arrivals, through a real participant on a real
 * database, each step compared with the oracle.
 *
 * To a participant a network is a sequence of arrivals, so all sequences are all faults: a lost request does not stand in it, one whose
 * answer was lost does, a repeat stands twice, and a late one stands behind what overtook it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MessageOperation, TccOperation, Told, Truth } from './tcc-orders-oracle.ts'
import { beginning, messageTold, sequencesUpTo, tccTold } from './tcc-orders-oracle.ts'
import type { SeatBench, Seats, Seen } from './tcc-orders-seats.ts'
import { seatsOn, told } from './tcc-orders-seats.ts'

const tccOperations: readonly TccOperation[] = ['try', 'confirm', 'cancel']
const messageOperations: readonly MessageOperation[] = ['action', 'check']

interface Family<Operation extends TccOperation | MessageOperation> {
  readonly sequences: readonly (readonly Operation[])[]
  readonly available: number
  readonly oracle: (truth: Truth, operation: Operation) => Told
  readonly rows: (truth: Truth) => number
}

export function tccOrdersSuite(name: string, open: () => Promise<SeatBench>): void {
  describe(`orders of arrival on ${name}`, () => {
    let bench: SeatBench
    let seats: Seats
    beforeAll(async () => {
      bench = await open()
      seats = seatsOn(bench)
    })
    afterAll(() => bench?.close())

    it('every sequence of try, confirm and cancel up to length 6 ends as the table says', async () => {
      const sequences = sequencesUpTo(tccOperations, 6)
      expect(sequences.length).toBe(1092)
      await inEveryOrder(bench, seats, { sequences, available: 5, oracle: tccTold, rows: tccRows })
    })

    it('so does every sequence up to length 4 when the business refuses each try', async () => {
      const sequences = sequencesUpTo(tccOperations, 4)
      await inEveryOrder(bench, seats, { sequences, available: 1, oracle: tccTold, rows: tccRows })
    })

    it('every sequence of a local transaction and its check-back up to length 4 ends as the table says', async () => {
      const sequences = sequencesUpTo(messageOperations, 4)
      expect(sequences.length).toBe(30)
      await inEveryOrder(bench, seats, { sequences, available: 5, oracle: messageTold, rows: messageRows })
    })
  })
}

let families = 0

async function inEveryOrder<Operation extends TccOperation | MessageOperation>(
  bench: SeatBench,
  seats: Seats,
  family: Family<Operation>,
): Promise<void> {
  families += 1
  const prefix = `f${families}`
  const runs = family.sequences.map((sequence, index) => ({ sequence, transaction: `${prefix}-${index}` }))
  await bench.open(
    runs.map(({ transaction }) => transaction),
    family.available,
  )
  await inLanes(bench.lanes, runs, async ({ sequence, transaction }) => {
    let truth = beginning(family.available)
    for (const [step, operation] of sequence.entries()) {
      const expected = family.oracle(truth, operation)
      truth = expected.truth
      const answer = told(await seats.arrive({ transaction, operation }))
      const seen = await bench.seen(transaction)
      const at = `${sequence.slice(0, step + 1).join(' ')} (${transaction})`
      expect({ at, answer, ...seen, rows: await bench.rows(transaction) }).toEqual({
        at,
        answer: expected.answer,
        account: truth.account,
        ledger: truth.effects,
        rows: family.rows(truth),
      })
      expectLawful(at, seen, family.available)
    }
  })
}

/** What must hold whatever the oracle believes. */
function expectLawful(at: string, { account, ledger }: Seen, available: number): void {
  const { frozen, sold } = account
  expect([at, account.available + frozen + sold]).toEqual([at, available])
  expect([at, Math.min(account.available, frozen, sold) >= 0]).toEqual([at, true])
  expect([at, new Set(ledger).size]).toEqual([at, ledger.length])
  expect([at, ledger.includes('confirm') && ledger.includes('cancel')]).toEqual([at, false])
}

/** The own row, and those of everything that an accepted operation shuts out. A refusal and a `try-missing` leave none. */
function tccRows({ effects, shut }: Truth): number {
  return shut || effects.includes('confirm') ? 3 : effects.length
}

function messageRows({ effects, asked }: Truth): number {
  return asked ? 2 : effects.length
}

/** Stops at the first failure, so that nothing still runs when the database is closed. */
async function inLanes<Item>(
  lanes: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]()
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    for (const item of rest) {
      if (failures.length > 0) return
      await work(item).catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  if (failures.length > 0) throw failures[0]
}
