/** Random events over random messages: whatever happens in whatever order, the laws that one message must keep by itself hold. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { deliveries, local, MessageRun } from '../../../test/coordinator/message-run.ts'
import { checkStep, commonMoves, type Move, operationsIn, troubles } from '../../../test/coordinator/pattern-model.ts'
import type { Json, Outcome } from '../../ports/index.ts'
import { isSettled } from './definition.ts'

const names = ['a', 'b', 'c']
const actions = ['retry', 'skip', 'force-commit', 'force-rollback'] as const

/** 1 to 3 deliveries, each delayed or not, with somebody to tell or not. */
const specs = fc
  .array(
    fc.record({
      delay: fc.constantFrom(0, 0, 5_000, 90_000_000),
      escalate: fc.option(fc.constant('orders.undo'), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((drawn) =>
    drawn.flatMap(({ delay, escalate }, at) =>
      deliveries(names[at] ?? '', { [names[at] ?? '']: { delay, ...(escalate === undefined ? {} : { escalate }) } }),
    ),
  )

const answers: fc.Arbitrary<Outcome> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .constantFrom<Json>({ decision: 'commit' }, { decision: 'commit' }, { decision: 'rollback' }, { r: 1 }, null)
      .map((output): Outcome => ({ kind: 'done', output })),
  },
  { weight: 5, arbitrary: troubles },
)

const isFlying = (run: MessageRun, name: string) =>
  (name === local ? run.check : run.delivery(name).errand).flight !== null
const branchesOf = (run: MessageRun) => run.transaction.definition.deliveries.map(({ name }) => name)
const flying = (run: MessageRun) => [...branchesOf(run), local].filter((name) => isFlying(run, name))
const asked = (run: MessageRun) => branchesOf(run).filter((name) => run.delivery(name).escalation === 'asked')

const moves: fc.Arbitrary<Move<MessageRun>> = fc.oneof(
  ...commonMoves<MessageRun>(flying, answers),
  {
    weight: 3,
    arbitrary: fc.constantFrom(null, null, 'the id is taken').map((refusal): Move<MessageRun> => {
      return (run) => {
        const [branch] = asked(run)
        if (branch !== undefined) run.begun(branch, refusal)
      }
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...actions), fc.constantFrom(...names, null)).map(
      ([action, branch]): Move<MessageRun> =>
        (run) =>
          run.act(action, action.startsWith('force') ? null : branch),
    ),
  },
)

/** What no single event may do to a message. */
function checkMessage(before: MessageRun['transaction'], run: MessageRun): void {
  checkStep(before, run)
  const { transaction, commands } = run
  const { status, state, definition } = transaction
  expect(definition).toEqual(before.definition)
  const operation = status === 'prepared' ? 'check' : 'deliver'
  expect([...operationsIn(commands)].filter((one) => one !== operation)).toEqual([])
  if (status !== 'committing') expect(run.begins()).toEqual([])
  if (status.startsWith('roll'))
    expect(state.deliveries.map((one) => one.state)).toEqual(
      names.slice(0, definition.deliveries.length).map(() => 'waiting'),
    )
  for (const [at, delivery] of state.deliveries.entries()) {
    const was = before.state.deliveries[at]
    if (was === undefined) continue
    if (isSettled(was)) expect(delivery).toMatchObject({ state: was.state, output: was.output })
    // Once begun, never asked for again.
    if (was.escalation === 'begun') expect(delivery.escalation).toBe('begun')
    // Only an operator's retry brings it forward, and nothing puts it off.
    if (before.status === 'committing') expect(delivery.dueAt).toBeLessThanOrEqual(was.dueAt ?? Number.NaN)
  }
  if (status === 'committed') expect(state.deliveries.every(isSettled)).toBe(true)
}

/** Everybody answers, a person cures what is held, and no new trouble comes. */
function settle(run: MessageRun, decision: 'commit' | 'rollback'): void {
  if (run.transaction.status === 'prepared') run.feed({ kind: 'decide', decision })
  for (let round = 0; round < 300 && run.transaction.endedAt === null; round++) {
    const { held } = run.transaction
    if (held !== null) cure(run, held.reason)
    const [branch] = flying(run)
    const [begun] = asked(run)
    if (begun !== undefined) run.begun(begun)
    else if (branch !== undefined) run.done(branch, { decision })
    else run.after(Math.max(1, (run.transaction.nextAt ?? 0) - run.now)).woke()
  }
}

/** What the barrier has forgotten is never called again, so a resume would only hold it again. */
function cure(run: MessageRun, reason: string): void {
  const open = branchesOf(run).find((name) => !isSettled(run.delivery(name)))
  if (reason !== 'older-than-barrier') run.resume()
  else if (run.transaction.status === 'prepared') run.letGo().act('force-commit')
  else if (open !== undefined) run.letGo().act('skip', open)
  else run.resume()
}

it('keeps its laws in every order of events, and ends when everybody answers', () => {
  const ends = { committed: 0, 'rolled-back': 0 }
  fc.assert(
    fc.property(
      specs,
      fc.constantFrom<Json>('orders', 'orders', 'http://orders/check', null),
      fc.array(moves, { maxLength: 40 }),
      fc.constantFrom('commit', 'rollback'),
      (given, checkBack, events, decision) => {
        const run = new MessageRun(given, { checkBack })
        for (const move of events) {
          const before = run.transaction
          move(run)
          checkMessage(before, run)
        }
        const { status } = run.transaction
        settle(run, decision)
        expect(run.transaction.endedAt).not.toBeNull()
        if (status !== 'prepared') expect(run.transaction.status.slice(0, 4)).toBe(status.slice(0, 4))
        if (run.transaction.status === 'committed') ends.committed += 1
        else ends['rolled-back'] += 1
      },
    ),
    { numRuns: 1_500 },
  )
  expect(Math.min(...Object.values(ends))).toBeGreaterThan(150)
})
