/**
 * The whole barrier as a suite for one database, compared step by step with a model that knows nothing of rows.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { passBarrier } from '../src/participant/barrier.ts'
import type { BarrierDatabase, Json, Operation, Outcome } from '../src/ports/index.ts'
import { BarrierBusy, Verdict, verdictOf } from '../src/ports/index.ts'

/** One database under test; `effect` is the user's own write, inside the transaction it is given. */
export interface Bench {
  readonly database: BarrierDatabase
  readonly handle: object
  /** A second connection to the same data. */
  readonly other: object
  effect(tx: unknown, transaction: string, operation: Operation): Promise<void>
  effects(transaction: string): Promise<readonly string[]>
  rows(transaction: string): Promise<number>
  close(): Promise<void>
}

export const effectTable = 'create table effect (id integer primary key, transaction_id text, operation text)'

interface Step {
  readonly operation: Operation
  readonly refuses?: boolean
}

interface Passing extends Step {
  readonly transaction: string
  readonly inputHash?: string
  readonly other?: boolean
  readonly lockWaitMs?: number
  /** Awaited inside the business, after its effect. */
  readonly inside?: () => Promise<void>
}

/** One operation through the barrier, as an outcome. The output tells which run it was. */
export async function pass(bench: Bench, passing: Passing): Promise<Outcome> {
  const { transaction, operation, refuses, inside, inputHash = 'h', lockWaitMs = 2_000 } = passing
  const call = { store: '1f2e3d4c', transaction, branch: 'debit', operation, inputHash }
  const handle = passing.other === true ? bench.other : bench.handle
  try {
    const output = await bench.database.transact(
      handle,
      (tx, rows) =>
        passBarrier(call, rows, async (forwardOutput) => {
          await bench.effect(tx, transaction, operation)
          await inside?.()
          if (refuses === true) throw new Verdict({ kind: 'refused', reason: 'business' })
          return { ran: operation, after: forwardOutput ?? null }
        }),
      { lockWaitMs },
    )
    return { kind: 'done', output }
  } catch (error) {
    const verdict = error instanceof BarrierBusy ? ({ kind: 'pending' } as const) : verdictOf(error)
    if (verdict === null) throw error
    return verdict
  }
}

/** What must come out, told without rows: which operations have happened, and which shut each other out. */
class Model {
  readonly effects: Operation[] = []
  readonly #done = new Map<Operation, Json>()

  step({ operation, refuses }: Step): string {
    const shutOut: Partial<Record<Operation, Operation>> = {
      action: 'compensate',
      try: 'cancel',
      confirm: 'cancel',
      cancel: 'confirm',
    }
    const enemy = shutOut[operation]
    if (enemy !== undefined && this.#done.has(enemy)) return 'refused closed'
    const before = this.#done.get(operation)
    if (before !== undefined) return `done ${JSON.stringify(before)}`
    if (operation === 'confirm' && !this.#done.has('try')) return 'unknown try-missing'
    const forward = ({ compensate: 'action', cancel: 'try', confirm: 'try' } as Partial<Record<Operation, Operation>>)[
      operation
    ]
    const reversesNothing = operation !== 'confirm' && forward !== undefined && !this.#done.has(forward)
    if (reversesNothing) return this.#finish(operation, null)
    if (refuses === true) return 'refused business'
    this.effects.push(operation)
    return this.#finish(operation, { after: (forward && this.#done.get(forward)) ?? null, ran: operation })
  }

  #finish(operation: Operation, output: Json): string {
    this.#done.set(operation, output)
    return `done ${JSON.stringify(output)}`
  }
}

export function told(outcome: Outcome): string {
  if (outcome.kind === 'done') return `done ${JSON.stringify(outcome.output)}`
  if (outcome.kind === 'refused')
    return `refused ${typeof outcome.reason === 'string' ? outcome.reason : (outcome.reason as { code: string }).code}`
  return outcome.kind === 'unknown' ? `unknown ${outcome.code}` : outcome.kind
}

/** All sequences of exactly `length`; the shorter ones are their beginnings, and every step is compared. */
function sequences(steps: readonly Step[], length: number): Step[][] {
  if (length === 0) return [[]]
  return sequences(steps, length - 1).flatMap((rest) => steps.map((step) => [...rest, step]))
}

const saga: readonly Step[] = [
  { operation: 'action' },
  { operation: 'action', refuses: true },
  { operation: 'compensate' },
  { operation: 'compensate', refuses: true },
]
const tcc: readonly Step[] = [
  { operation: 'try' },
  { operation: 'try', refuses: true },
  { operation: 'confirm' },
  { operation: 'cancel' },
]

export function barrierSuite(
  name: string,
  open: () => Promise<Bench>,
  { concurrent }: { readonly concurrent: boolean },
): void {
  describe(`the barrier on ${name}`, () => {
    let bench: Bench
    let count = 0
    const transaction = (): string => {
      count += 1
      return `t${count}`
    }
    beforeAll(async () => {
      bench = await open()
    })
    afterAll(() => bench.close())

    it.each([
      ['action and compensate', saga],
      ['try, confirm and cancel', tcc],
    ])('answers every sequence of %s up to length 5 as the model does', async (_name, steps) => {
      for (const sequence of sequences(steps, 5)) {
        const model = new Model()
        const id = transaction()
        const label = sequence.map(({ operation, refuses }) => operation + (refuses === true ? '!' : '')).join(' ')
        const expected = sequence.map((step) => model.step(step))
        const answers: string[] = []
        for (const step of sequence) answers.push(told(await pass(bench, { ...step, transaction: id })))
        expect({ label, answers, effects: await bench.effects(id) }).toEqual({
          label,
          answers: expected,
          effects: model.effects,
        })
      }
    })

    it('refuses the same operation with another input, and the reversal of another input', async () => {
      const id = transaction()
      await pass(bench, { transaction: id, operation: 'action' })
      expect(told(await pass(bench, { transaction: id, operation: 'action', inputHash: 'other' }))).toBe(
        'refused id-reused',
      )
      expect(told(await pass(bench, { transaction: id, operation: 'compensate', inputHash: 'other' }))).toBe(
        'refused id-reused',
      )
      expect(told(await pass(bench, { transaction: id, operation: 'compensate' }))).toMatch(/^done/)
    })

    it('leaves no row behind a refusal, a confirm without try, or a business that throws', async () => {
      const id = transaction()
      await pass(bench, { transaction: id, operation: 'action', refuses: true })
      await pass(bench, { transaction: id, operation: 'confirm' })
      const failing = pass(bench, {
        transaction: id,
        operation: 'action',
        inside: () => Promise.reject(new Error('boom')),
      })
      await expect(failing).rejects.toThrow('boom')
      expect([await bench.rows(id), await bench.effects(id)]).toEqual([0, []])
    })

    it('lets the check-back find a committed local transaction, and shut out one that is not there', async () => {
      const [committed, missing] = [transaction(), transaction()]
      await pass(bench, { transaction: committed, operation: 'action' })
      const check = { operation: 'check', inputHash: 'another body' } as const
      expect(told(await pass(bench, { transaction: committed, ...check }))).toBe('done {"decision":"commit"}')
      expect(told(await pass(bench, { transaction: missing, ...check }))).toBe('done {"decision":"rollback"}')
      expect(told(await pass(bench, { transaction: missing, ...check }))).toBe('done {"decision":"rollback"}')
      expect(told(await pass(bench, { transaction: missing, operation: 'action' }))).toBe('refused closed')
    })

    it('shuts an action out behind an XA rollback', async () => {
      const id = transaction()
      expect(told(await pass(bench, { transaction: id, operation: 'rollback' }))).toBe('done null')
      expect(told(await pass(bench, { transaction: id, operation: 'action' }))).toBe('refused closed')
    })

    // A database whose transactions never overlap cannot show what waits for what.
    if (concurrent) overlapping(() => bench, transaction)

    it('keeps action and compensate apart in any overlap: both happen in order, or neither', async () => {
      const rounds = Array.from({ length: 100 }, async (_, round) => {
        const id = transaction()
        const calls = (['action', 'compensate', 'action', 'compensate'] as const).map(async (operation, index) => {
          await new Promise((resolve) => setTimeout(resolve, (round * (index + 1)) % 7))
          return [
            operation,
            told(await pass(bench, { transaction: id, operation, other: index % 2 === 1, lockWaitMs: 20_000 })),
          ] as const
        })
        await Promise.all(calls)
        const effects = await bench.effects(id)
        const late = told(await pass(bench, { transaction: id, operation: 'action' }))
        expect(late).toBe('refused closed')
        expect([[], ['action', 'compensate']]).toContainEqual(effects)
      })
      await Promise.all(rounds)
    })

    it('keeps try, confirm and cancel apart in any overlap: cancelled never confirms', async () => {
      const rounds = Array.from({ length: 100 }, async (_, round) => {
        const id = transaction()
        const calls = (['try', 'confirm', 'cancel', 'try', 'confirm'] as const).map(async (operation, index) => {
          await new Promise((resolve) => setTimeout(resolve, (round * (index + 1)) % 5))
          return pass(bench, { transaction: id, operation, other: index % 2 === 1, lockWaitMs: 20_000 })
        })
        await Promise.all(calls)
        expect([[], ['try', 'confirm'], ['try', 'cancel']]).toContainEqual(await bench.effects(id))
      })
      await Promise.all(rounds)
    })
  })
}

/** Holds a business open: it has `entered`, and goes on when `held` is resolved. */
function gate() {
  const entered = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const inside = (): Promise<void> => {
    entered.resolve()
    return held.promise
  }
  return { entered, held, inside }
}

function overlapping(benchOf: () => Bench, transaction: () => string): void {
  it('makes a compensation wait for an action that is still open, and then undo it', async () => {
    const bench = benchOf()
    const id = transaction()
    const { entered, held, inside } = gate()
    const action = pass(bench, { transaction: id, operation: 'action', inside })
    await entered.promise
    let ended = false
    const compensate = pass(bench, { transaction: id, operation: 'compensate', other: true }).finally(() => {
      ended = true
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(ended).toBe(false)
    held.resolve()
    expect([told(await action), (await compensate).kind]).toEqual(['done {"after":null,"ran":"action"}', 'done'])
    expect(await bench.effects(id)).toEqual(['action', 'compensate'])
  })

  it('makes a compensation a no-op when the open action it waited for rolls back', async () => {
    const bench = benchOf()
    const id = transaction()
    const { entered, held, inside } = gate()
    const action = pass(bench, { transaction: id, operation: 'action', refuses: true, inside })
    await entered.promise
    const compensate = pass(bench, { transaction: id, operation: 'compensate', other: true })
    await new Promise((resolve) => setTimeout(resolve, 50))
    held.resolve()
    expect([told(await action), told(await compensate)]).toEqual(['refused business', 'done null'])
    expect([await bench.effects(id), told(await pass(bench, { transaction: id, operation: 'action' }))]).toEqual([
      [],
      'refused closed',
    ])
  })

  it('asks to come again when the key stays held longer than the lock wait', async () => {
    const bench = benchOf()
    const id = transaction()
    const { entered, held, inside } = gate()
    const action = pass(bench, { transaction: id, operation: 'action', inside })
    await entered.promise
    expect(told(await pass(bench, { transaction: id, operation: 'action', other: true, lockWaitMs: 100 }))).toBe(
      'pending',
    )
    held.resolve()
    expect(told(await action)).toBe('done {"after":null,"ran":"action"}')
  })
}
