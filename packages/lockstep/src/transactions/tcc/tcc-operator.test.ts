/** What a new owner makes of what the old one may have started, and what an operator may do in each state: every state, every action. */
import { describe, expect, it } from 'vitest'
import { TccRun } from '../../../test/coordinator/tcc-run.ts'
import type { OperatorAction } from '../../ports/index.ts'
import { advance } from './tcc.ts'

const tcc = (letters: string, body: ConstructorParameters<typeof TccRun>[1] = {}) => new TccRun(letters, body)

describe('a takeover', () => {
  it.each([
    ['confirm', () => tcc('ab').commit()],
    ['cancel', () => tcc('ab').rollback()],
  ] as const)('sends each %s again at once, with an attempt for what may have left', (operation, decided) => {
    const run = decided().takeover()
    expect(run.calls()).toEqual([`a.${operation}#2 status`, `b.${operation}#2 status`])
    expect(run.attempts()).toEqual([`a.${operation}#1 takeover`, `b.${operation}#1 takeover`])
  })
  it('leaves a growing history of what kills its owner', () => {
    const run = tcc('a').commit().takeover().takeover().takeover()
    expect(run.attempts()).toEqual(['a.confirm#1 takeover', 'a.confirm#2 takeover', 'a.confirm#3 takeover'])
  })
  it('does not wait for the rest of a back-off', () => {
    expect(tcc('a').commit().unknown('a').takeover().calls()).toEqual(['a.confirm#3 status'])
  })
  it('leaves alone what is settled', () => {
    const run = tcc('abc').commit().done('a').unknown('b').act('skip', 'b').takeover()
    expect([run.calls(), run.attempts().slice(2)]).toEqual([['c.confirm#2 status'], ['c.confirm#1 takeover']])
  })
  it('of what is prepared adds nothing: nobody has called anybody', () => {
    const run = tcc('a').takeover()
    expect([run.show(), run.attempts()]).toEqual(['prepared [waiting] | next 60000', []])
  })
  it('in which the deadline turns out to have passed cancels, and has nothing to repeat', () => {
    const run = tcc('a').after(60_000).takeover()
    expect([run.calls(), run.attempts()]).toEqual([['a.cancel#1 status'], []])
  })
  it('by a decision from elsewhere takes the decision, and has nothing to repeat', () => {
    const run = tcc('a').feed({ kind: 'decide', decision: 'commit', claim: { takeover: true } })
    expect([run.calls(), run.attempts()]).toEqual([['a.confirm#1 status'], []])
  })
  it('adds no attempt while it is held, but what may have left is on record', () => {
    const run = tcc('a').commit().hold().takeover()
    expect([run.show(), run.attempts()]).toEqual([
      'committing held:operator [active] | next -',
      ['a.confirm#1 takeover'],
    ])
    expect(run.resume().calls()).toEqual(['a.confirm#2 status'])
  })
  it('of what has ended adds nothing', () => {
    for (const ended of [() => tcc('a').commit().done('a'), () => tcc('a').rollback().done('a')]) {
      expect(ended().takeover().transaction).toEqual(ended().transaction)
    }
  })
  it('a claim of what was parked adds no attempt and sends what is due', () => {
    const run = tcc('a').commit().unknown('a').after(200).claim()
    expect([run.calls(), run.attempts()]).toEqual([['a.confirm#2 status'], ['a.confirm#1 no answer']])
  })
  // The driver writes what has new attempts: a claim would cost a commit for nothing.
  it('a claim that notes nothing leaves nothing to write', () => {
    const { transaction, now } = tcc('a').commit().unknown('a').after(200)
    const claimed = advance(transaction, { kind: 'woke', claim: { takeover: false } }, now)
    expect(claimed.transaction.attempts).toBe(transaction.attempts)
  })
})

const no = 'LOCKSTEP_ACTION_NOT_ALLOWED'
/** Two branches: in the second phase `a` waits for its back-off, `b` is done. */
const states = {
  prepared: () => tcc('ab'),
  'prepared, held': () => tcc('ab').hold(),
  committing: () => tcc('ab').commit().done('b').unknown('a'),
  'committing, a call out': () => tcc('ab').commit().done('b'),
  'rolling-back': () => tcc('ab').rollback().done('b').unknown('a'),
  committed: () => tcc('ab').commit().done('a').done('b'),
  'rolled-back': () => tcc('ab').rollback().done('a').done('b'),
}
type State = keyof typeof states
const untouched: Readonly<Record<State, string>> = {
  prepared: 'prepared [waiting waiting] | next 60000',
  'prepared, held': 'prepared held:operator [waiting waiting] | next -',
  committing: 'committing [active done] | next 100',
  'committing, a call out': 'committing [active done] | next 660000',
  'rolling-back': 'rolling-back [active reversed] | next 100',
  committed: 'committed [done done] | next -',
  'rolled-back': 'rolled-back [reversed reversed] | next -',
}
const refused = (state: State) => untouched[state].replace(' | next', ` | ${no} | next`)

type Cell = readonly [state: State, action: OperatorAction, branch: string | null, expected: string]
const allowed: readonly Cell[] = [
  ['prepared', 'retry', null, untouched.prepared],
  ['prepared', 'retry', 'a', untouched.prepared],
  [
    'prepared',
    'force-commit',
    null,
    'committing [active active] | a.confirm#1 status | b.confirm#1 status | next 660000',
  ],
  [
    'prepared',
    'force-rollback',
    null,
    'rolling-back [active active] | a.cancel#1 status | b.cancel#1 status | next 660000',
  ],
  ['prepared, held', 'retry', null, untouched['prepared, held']],
  ['prepared, held', 'retry', 'a', untouched['prepared, held']],
  ['prepared, held', 'force-commit', null, 'committing held:operator [waiting waiting] | next -'],
  ['prepared, held', 'force-rollback', null, 'rolling-back held:operator [waiting waiting] | next -'],
  ['committing', 'retry', null, 'committing [active done] | a.confirm#2 status | next 660000'],
  ['committing', 'retry', 'a', 'committing [active done] | a.confirm#2 status | next 660000'],
  ['committing', 'retry', 'b', untouched.committing],
  ['committing', 'skip', 'a', 'committed [skipped done] | next -'],
  ['committing, a call out', 'retry', null, untouched['committing, a call out']],
  ['committing, a call out', 'retry', 'a', untouched['committing, a call out']],
  ['committing, a call out', 'retry', 'b', untouched['committing, a call out']],
  ['committing, a call out', 'skip', 'a', 'committing [skipped done] | next 660000'],
  ['rolling-back', 'retry', null, 'rolling-back [active reversed] | a.cancel#2 status | next 660000'],
  ['rolling-back', 'retry', 'a', 'rolling-back [active reversed] | a.cancel#2 status | next 660000'],
  ['rolling-back', 'retry', 'b', untouched['rolling-back']],
  ['rolling-back', 'skip', 'a', 'rolled-back [skipped reversed] | next -'],
]
/** Branches for which each action is asked; `z` is none. */
const asked: Readonly<Record<OperatorAction, readonly (string | null)[]>> = {
  retry: [null, 'a', 'b', 'z'],
  skip: [null, 'a', 'b', 'z'],
  'force-commit': [null],
  'force-rollback': [null],
}
const isAllowed = (state: State, action: OperatorAction, branch: string | null) =>
  allowed.some((cell) => cell[0] === state && cell[1] === action && cell[2] === branch)
const everything = (Object.keys(states) as State[]).flatMap((state) =>
  (Object.keys(asked) as OperatorAction[]).flatMap((action) =>
    asked[action].map((branch): Cell => [state, action, branch, refused(state)]),
  ),
)
const forbidden = everything.filter(
  // In `prepared`, `b` is a branch like `a`: a retry of it is as good as one of `a`.
  ([state, action, branch]) =>
    !isAllowed(state, action, branch) && !(action === 'retry' && branch === 'b' && state.startsWith('prepared')),
)

describe('what the operator may do', () => {
  it.each(allowed)('%s: %s %s', (state, action, branch, expected) => {
    expect(states[state]().act(action, branch).show()).toBe(expected)
  })
})
describe('what the operator may not do, and then changes nothing', () => {
  it.each(forbidden)('%s: %s %s', (state, action, branch, expected) => {
    const run = states[state]()
    const before = run.transaction
    expect(run.act(action, branch).show()).toBe(expected)
    expect(run.transaction).toEqual(before)
  })
})

describe('a skipped branch', () => {
  it('whose call is out stays skipped, whatever it answers, and the end waits for the answer', () => {
    const run = tcc('ab').commit().done('b').act('skip', 'a')
    expect(run.transaction.endedAt).toBeNull()
    expect(run.refused('a').show()).toBe('committed [skipped done] | next -')
    expect(run.attempts().at(-1)).toBe('a.confirm#1 {"code":"no"}')
  })
  it('stays skipped when its call did not leave', () => {
    expect(tcc('a').commit().act('skip', 'a').notSent('a').show()).toBe('committed [skipped] | next -')
  })
  it('does not end what is held, but the resume does', () => {
    const run = tcc('a').commit().unknown('a').hold().act('skip', 'a')
    expect(run.show()).toBe('committing held:operator [skipped] | next -')
    expect(run.resume().show()).toBe('committed [skipped] | next -')
  })
  it.each([
    ['phase-two-refused', () => tcc('a').commit().refused('a')],
    ['older-than-barrier', () => tcc('a').commit().unknown('a', { code: 'older-than-barrier' })],
    ['try-missing', () => tcc('a').commit().after(120_000).unknown('a', { code: 'try-missing' })],
  ] as const)('cures what is held as %s', (reason, made) => {
    const run = made()
    expect(run.transaction.held?.reason).toBe(reason)
    expect(run.letGo().act('skip', 'a').show()).toBe('committed [skipped] | next -')
  })
  it('cures what is too old for the barrier as a whole', () => {
    const run = new TccRun('ab', {}, { barrierRetentionMs: 3_600_000 }).commit().done('b').unknown('a')
    expect(run.after(3_600_000).woke().transaction.held?.reason).toBe('older-than-barrier')
    expect(run.letGo().act('skip', 'a').show()).toBe('committed [skipped done] | next -')
  })
})

it('a forced rollback says who wanted it', () => {
  expect(tcc('a').act('force-rollback').transaction.reason).toEqual({
    branch: null,
    body: { code: 'forced', reason: 'because' },
  })
})
