/** Random events over random TCCs: whatever happens in whatever order, the laws that one TCC must keep by itself hold. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkStep, commonMoves, type Move, operationsIn, troubles } from '../../../test/coordinator/pattern-model.ts'
import { TccRun } from '../../../test/coordinator/tcc-run.ts'
import type { Outcome } from '../../ports/index.ts'
import { isSettled } from './definition.ts'

const names = ['a', 'b', 'c', 'd']
const actions = ['retry', 'skip', 'force-commit', 'force-rollback'] as const

const answers: fc.Arbitrary<Outcome> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Outcome>({ kind: 'done', output: { r: 1 } }) },
  { weight: 5, arbitrary: troubles },
  { weight: 1, arbitrary: fc.constant<Outcome>({ kind: 'unknown', error: 'x', code: 'try-missing' }) },
)

const flying = (run: TccRun) => run.names().filter((name) => run.branch(name).errand.flight !== null)

const moves: fc.Arbitrary<Move<TccRun>> = fc.oneof(
  ...commonMoves<TccRun>(flying, answers),
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...names), fc.nat(9)).map(
      ([name, input]): Move<TccRun> =>
        (run) =>
          run.add(name, input === 0 ? { input } : {}),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...actions), fc.constantFrom(...names, null)).map(
      ([action, branch]): Move<TccRun> =>
        (run) =>
          run.act(action, action.startsWith('force') ? null : branch),
    ),
  },
)

/** What no single event may do to a TCC. */
function checkTcc(before: TccRun['transaction'], run: TccRun): void {
  checkStep(before, run)
  const { transaction } = run
  const { branches } = transaction.definition
  // Law 8: registered before the decision or not at all, and never forgotten.
  expect(branches.slice(0, before.definition.branches.length)).toEqual(before.definition.branches)
  if (before.status !== 'prepared') expect(branches).toEqual(before.definition.branches)
  expect(transaction.state.branches).toHaveLength(branches.length)
  const operation = transaction.status.startsWith('commit') ? 'confirm' : 'cancel'
  expect([...operationsIn(run.commands)].filter((one) => one !== operation)).toEqual([])
  if (transaction.status === 'prepared') expect(run.calls()).toEqual([])
  for (const { operation: made } of transaction.attempts) expect([operation, made]).toEqual([operation, operation])
  for (const [at, branch] of transaction.state.branches.entries()) {
    const was = before.state.branches[at]
    if (was !== undefined && isSettled(was)) expect(branch).toMatchObject({ state: was.state, output: was.output })
    if (branch.state === 'done') expect(transaction.status).toMatch(/^commit/)
    if (branch.state === 'reversed') expect(transaction.status).toMatch(/^roll/)
  }
  if (transaction.endedAt !== null) expect(transaction.state.branches.every(isSettled)).toBe(true)
}

/** Everybody answers, a person cures what is held, and no new trouble comes. */
function settle(run: TccRun): void {
  for (let round = 0; round < 200 && run.transaction.endedAt === null; round++) {
    const { held } = run.transaction
    if (held !== null) cure(run, held.reason)
    const [branch] = flying(run)
    if (branch !== undefined) run.done(branch, { r: 1 })
    else run.after(Math.max(1, (run.transaction.nextAt ?? 0) - run.now)).woke()
  }
}

/** What the barrier has forgotten is never called again, so a resume would only hold it again. */
function cure(run: TccRun, reason: string): void {
  const open = run.names().find((name) => !isSettled(run.branch(name)))
  if (reason !== 'older-than-barrier' || open === undefined) run.resume()
  else run.letGo().act('skip', open)
}

it('keeps its laws in every order of events, and ends when everybody answers', () => {
  const ends = { committed: 0, 'rolled-back': 0 }
  fc.assert(
    fc.property(
      fc.constantFrom('', 'a', 'ab', 'abc'),
      fc.constantFrom<number | string>(1, 5_000, '1m', '3d'),
      fc.array(moves, { maxLength: 40 }),
      (letters, deadline, events) => {
        const run = new TccRun(letters, { deadline })
        for (const move of events) {
          const before = run.transaction
          move(run)
          checkTcc(before, run)
        }
        const { status } = run.transaction
        settle(run)
        expect(run.transaction.endedAt).not.toBeNull()
        if (status !== 'prepared')
          expect(run.transaction.status).toBe(status.startsWith('commit') ? 'committed' : 'rolled-back')
        if (run.transaction.status === 'committed') ends.committed += 1
        else ends['rolled-back'] += 1
      },
    ),
    { numRuns: 1_500 },
  )
  expect(Math.min(...Object.values(ends))).toBeGreaterThan(150)
})
