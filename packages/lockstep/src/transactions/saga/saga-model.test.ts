/** Random events over random sagas: whatever happens in whatever order, the laws that one saga must keep by itself hold. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SagaRun, type StepSpec } from '../../../test/coordinator/saga-run.ts'
import type { Json, Outcome } from '../../ports/index.ts'

const names = ['a', 'b', 'c', 'd', 'e']

/** 1 to 5 steps; each goes through a barrier or not, can be reversed or not, and follows any earlier ones. */
const sagas = fc
  .array(
    fc.record({
      barrier: fc.boolean(),
      reversible: fc.boolean(),
      refers: fc.boolean(),
      limit: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      after: fc.option(fc.array(fc.nat(3), { maxLength: 2 }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((drawn) =>
    drawn.map(({ barrier, reversible, refers, limit, after }, at): StepSpec => {
      const service = barrier ? 'bar' : 'pln'
      const before = after?.filter((position) => position < at) ?? (at === 0 ? [] : [at - 1])
      const [first] = before
      const target = `${service}.${names[at]}`
      return {
        name: names[at] ?? '',
        ...(reversible ? { participant: target } : { action: target }),
        after: before.map((position) => names[position] ?? ''),
        ...(limit === undefined ? {} : { retry: { limit } }),
        ...(refers && first !== undefined ? { input: { $output: names[first] ?? '', path: '/r' } as Json } : {}),
      }
    }),
  )

const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Outcome>({ kind: 'done', output: { r: 1 } }) },
  { weight: 1, arbitrary: fc.constant<Outcome>({ kind: 'refused', reason: 'no' }) },
  { weight: 1, arbitrary: fc.constant<Outcome>({ kind: 'pending', retryAfterMs: 5_000 }) },
  { weight: 2, arbitrary: fc.boolean().map((unreached): Outcome => ({ kind: 'unknown', error: 'x', unreached })) },
)

type Move = (run: SagaRun) => void
const step = fc.nat(4)
const flying = (run: SagaRun, nth: number): string | undefined => {
  const out = run.saga.definition.steps.filter((_, at) => run.saga.state.steps[at]?.flight !== null)
  return out[nth % Math.max(out.length, 1)]?.name
}
const inFlight =
  (act: (run: SagaRun, branch: string) => void) =>
  (nth: number): Move =>
  (run) => {
    const branch = flying(run, nth)
    if (branch !== undefined) act(run, branch)
  }
const actions = ['retry', 'skip', 'force-commit', 'force-rollback'] as const

const moves: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(outcomes, step)
      .map(([outcome, nth]) => inFlight((run, branch) => run.answer(branch, outcome))(nth)),
  },
  { weight: 2, arbitrary: step.map(inFlight((run, branch) => run.notSent(branch))) },
  {
    weight: 1,
    arbitrary: step.map(inFlight((run, branch) => run.answer(branch, { kind: 'done', output: 9 }, { number: 99 }))),
  },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 1, max: 90_000 }).map(
      (ms): Move =>
        (run) =>
          run.after(ms).woke(),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Move>((run) => run.takeover()) },
  { weight: 1, arbitrary: fc.constant<Move>((run) => run.cancel()) },
  { weight: 1, arbitrary: fc.constant<Move>((run) => run.hold()) },
  { weight: 1, arbitrary: fc.constant<Move>((run) => run.resume()) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...actions), step).map(
      ([action, at]): Move =>
        (run) =>
          run.act(action, action === 'skip' ? (run.saga.definition.steps[at]?.name ?? null) : null),
    ),
  },
)

const mayFollow: Readonly<Record<string, readonly string[]>> = {
  committing: ['committing', 'committed', 'rolling-back', 'rolled-back'],
  'rolling-back': ['rolling-back', 'rolled-back'],
  committed: ['committed'],
  'rolled-back': ['rolled-back'],
}

/** Calls that were out when an operator ended it still land: they leave an attempt, and nothing else. */
function endOf({ status, endedAt, reason, state }: SagaRun['saga']): unknown {
  return { status, endedAt, reason, steps: state.steps.map((step) => [step.state, step.output]) }
}

/** What no single event may do, whatever it was. */
function checkStep(before: SagaRun['saga'], run: SagaRun): void {
  const { saga } = run
  expect(mayFollow[before.status]).toContain(saga.status)
  expect(saga.endedAt !== null).toBe(saga.status === 'committed' || saga.status === 'rolled-back')
  if (before.endedAt !== null) expect(endOf(saga)).toEqual(endOf(before))
  if (saga.endedAt === null) expect(saga.held !== null).toBe(saga.nextAt === null)
  if (saga.nextAt !== null && saga.nextAt !== before.nextAt) expect(saga.nextAt).toBeGreaterThan(run.now)
  if (saga.held !== null || saga.endedAt !== null) expect(run.calls()).toEqual([])
  for (const [at, { sent, state, output, flight }] of saga.state.steps.entries()) {
    const was = before.state.steps[at]
    const takenBack = was?.flight?.first === true && flight === null
    if (was?.sent === true && !takenBack) expect(sent).toBe(true)
    if (output !== null) expect(['done', 'reversed', 'skipped']).toContain(state)
    if (state === 'done' || state === 'refused') expect(sent).toBe(true)
  }
  for (const command of run.commands) {
    if (command.kind !== 'call') continue
    const at = saga.definition.steps.findIndex((plan) => plan.name === command.branch)
    expect(saga.state.steps[at]?.flight).toMatchObject({ operation: command.operation, number: command.number })
    expect(command.operation).toBe(saga.status === 'committing' ? 'action' : 'compensate')
  }
}

it('keeps its laws in every order of events, and ends when everything answers', () => {
  fc.assert(
    fc.property(sagas, fc.array(moves, { maxLength: 40 }), (given, events) => {
      const run = new SagaRun(given).woke()
      for (const move of events) {
        const before = run.saga
        move(run)
        checkStep(before, run)
      }
      settle(run)
      expect(run.saga.endedAt).not.toBeNull()
      checkEnd(run)
    }),
    { numRuns: 1_500 },
  )
})

/** Everybody answers, a person lets go of what is held, and no new trouble comes. */
function settle(run: SagaRun): void {
  for (let round = 0; round < 200 && run.saga.endedAt === null; round++) {
    if (run.saga.held?.reason === 'output-missing') run.cancel()
    if (run.saga.held !== null) run.resume()
    const branch = flying(run, 0)
    if (branch === undefined) run.after(61_000).woke()
    else run.done(branch, { r: 1 })
  }
}

function checkEnd(run: SagaRun): void {
  const states = run.saga.state.steps.map((one, at) => ({ ...one, plan: run.saga.definition.steps[at] }))
  if (run.saga.status === 'committed') {
    expect(states.every(({ state }) => state === 'done' || state === 'skipped')).toBe(true)
    return
  }
  for (const { sent, state, plan, doubtful } of states) {
    const owed = sent && plan?.compensate !== null && (state !== 'refused' || plan?.barrier === true || doubtful)
    if (owed) expect(['reversed', 'skipped']).toContain(state)
  }
}
