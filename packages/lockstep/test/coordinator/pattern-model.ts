/** What a model test draws from and asks of every pattern whose decision is taken once: events in any order, and what none of them may do. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Command, Operation, Outcome, Status, Transaction } from '../../src/ports/index.ts'
import type { PatternRun } from './pattern-run.ts'

export type Move<Run> = (run: Run) => void

export const anyTime = fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 5_000, max: 90_000_000 }))

export const troubles: fc.Arbitrary<Outcome> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Outcome>({ kind: 'refused', reason: 'no' }) },
  { weight: 1, arbitrary: fc.constant<Outcome>({ kind: 'pending', retryAfterMs: 5_000 }) },
  { weight: 2, arbitrary: fc.boolean().map((unreached): Outcome => ({ kind: 'unknown', error: 'x', unreached })) },
  { weight: 1, arbitrary: fc.constant<Outcome>({ kind: 'unknown', error: 'x', code: 'older-than-barrier' }) },
)

/** What happens to every pattern, whatever it is. `flying` names the branches with a call out. */
export function commonMoves<Run extends PatternRun<Transaction>>(
  flying: (run: Run) => readonly string[],
  answers: fc.Arbitrary<Outcome>,
): fc.WeightedArbitrary<Move<Run>>[] {
  const at = (nth: number, act: (run: Run, branch: string) => void): Move<Run> => {
    return (run) => {
      const out = flying(run)
      const branch = out[nth % Math.max(out.length, 1)]
      if (branch !== undefined) act(run, branch)
    }
  }
  const move = (weight: number, act: Move<Run>) => ({ weight, arbitrary: fc.constant(act) })
  const nth = fc.nat(4)
  return [
    {
      weight: 12,
      arbitrary: fc.tuple(answers, nth).map(([outcome, n]) => at(n, (run, branch) => void run.answer(branch, outcome))),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.boolean(), nth).map(([missing, n]) => at(n, (run, b) => void run.notSent(b, { missing }))),
    },
    {
      weight: 1,
      arbitrary: nth.map((n) => at(n, (run, b) => void run.answer(b, { kind: 'done', output: 9 }, { number: 99 }))),
    },
    {
      weight: 3,
      arbitrary: anyTime.map(
        (ms): Move<Run> =>
          (run) =>
            void run.after(ms).woke(),
      ),
    },
    move(1, (run) => run.takeover()),
    // What is parked has no call out.
    move(1, (run) => void (flying(run).length === 0 && run.claim())),
    move(1, (run) => void (run.transaction.endedAt === null && run.hold())),
    move(1, (run) => void (run.transaction.held !== null && run.resume())),
    {
      weight: 1,
      arbitrary: fc.boolean().map(
        (commits): Move<Run> =>
          (run) =>
            commits ? run.commit() : run.rollback(),
      ),
    },
  ]
}

const mayFollow: Readonly<Record<Status, readonly Status[]>> = {
  prepared: ['prepared', 'committing', 'committed', 'rolling-back', 'rolled-back'],
  committing: ['committing', 'committed'],
  committed: ['committed'],
  'rolling-back': ['rolling-back', 'rolled-back'],
  'rolled-back': ['rolled-back'],
}

/** What no single event may do, whatever it was. */
export function checkStep<T extends Transaction>(before: T, run: PatternRun<T>): void {
  const { transaction, now, commands } = run
  expect(mayFollow[before.status]).toContain(transaction.status)
  expect(transaction.endedAt !== null).toBe(transaction.status === 'committed' || transaction.status === 'rolled-back')
  // What has ended waits for nobody.
  if (transaction.endedAt !== null) expect(transaction.held).toBeNull()
  const rests = transaction.held !== null || transaction.endedAt !== null
  expect(transaction.nextAt === null).toBe(rests)
  if (transaction.nextAt !== null && transaction.nextAt !== before.nextAt)
    expect(transaction.nextAt).toBeGreaterThan(now)
  if (rests) expect(commands.filter((command) => command.kind !== 'alert')).toEqual([])
  if (run.refusal !== undefined || run.repeated) expect(commands).toEqual([])
  const last = new Map<string, number>()
  for (const { branch, operation, number } of transaction.attempts) {
    const key = `${branch}.${operation}`
    expect(number).toBeGreaterThan(last.get(key) ?? 0)
    last.set(key, number)
  }
}

/** Calls of the second phase leave after the decision only, and only of its kind. */
export function operationsIn(commands: readonly Command[]): Set<Operation> {
  return new Set(commands.flatMap((command) => (command.kind === 'call' ? [command.operation] : [])))
}
