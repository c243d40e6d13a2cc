/** What a new owner makes of what the old one may have started, and what an operator may do in each state: every state, every action. */
import { describe, expect, it } from 'vitest'
import { deliveries, local, MessageRun } from '../../../test/coordinator/message-run.ts'
import type { OperatorAction } from '../../ports/index.ts'
import { advance } from './message.ts'

type Specs = Parameters<typeof deliveries>[1]
const message = (letters: string, more: Specs = {}) => new MessageRun(deliveries(letters, more))
const unchecked = (letters: string) => new MessageRun(deliveries(letters), { checkBack: null })
const asked = (letters = 'ab') => message(letters).after(2_000).woke()

describe('a takeover', () => {
  it('of an undecided message asks again at once, with an attempt for the check that may have left', () => {
    const run = asked().takeover()
    expect([run.calls(), run.attempts()]).toEqual([['_local.check#2 nothing'], ['_local.check#1 takeover']])
    expect(run.takeover().attempts()).toEqual(['_local.check#1 takeover', '_local.check#2 takeover'])
  })
  it('does not wait for the rest of a back-off', () => {
    expect(asked().unknown(local).takeover().calls()).toEqual(['_local.check#3 nothing'])
  })
  it('of an undecided message without a check-back adds nothing', () => {
    const run = unchecked('a').takeover()
    expect([run.calls(), run.attempts()]).toEqual([[], []])
  })
  it('delivers again at once, with an attempt for each delivery that may have left', () => {
    const run = message('ab').commit().takeover()
    expect(run.calls()).toEqual(['a.deliver#2 status', 'b.deliver#2 status'])
    expect(run.attempts()).toEqual(['a.deliver#1 takeover', 'b.deliver#1 takeover'])
  })
  it('leaves alone what is settled, what is refused, and what is not due', () => {
    const run = message('abcde', { d: { delay: '1h' } })
      .commit()
      .done('a')
      .refused('b')
      .unknown('c')
      .act('skip', 'c')
    run.takeover()
    expect([run.calls(), run.attempts().slice(3)]).toEqual([['e.deliver#2 status'], ['e.deliver#1 takeover']])
  })
  // The driver writes what has new attempts: a claim would cost a commit for nothing.
  it('that is only a claim of what was parked leaves nothing to write', () => {
    for (const run of [asked().unknown(local).after(200), message('a').commit().unknown('a').after(200)]) {
      const claimed = advance(run.transaction, { kind: 'woke', claim: { takeover: false } }, run.now)
      expect(claimed.transaction.attempts).toBe(run.transaction.attempts)
    }
  })
  it('leaves alone what is stuck: no call of it was out', () => {
    const run = message('ab').commit().unknown('a', { code: 'older-than-barrier' }).takeover()
    expect(run.calls()).toEqual(['b.deliver#2 status'])
  })
  it('by a decision from elsewhere takes it, and leaves the check that may have left on record', () => {
    const run = asked('a').feed({ kind: 'decide', decision: 'commit', claim: { takeover: true } })
    expect([run.calls(), run.attempts()]).toEqual([['a.deliver#1 status'], ['_local.check#1 takeover']])
  })
  it('while it is held lets nothing leave before the resume', () => {
    const run = asked('a').hold().takeover()
    expect(run.show()).toBe('prepared held:operator [waiting] | next -')
    expect(run.resume().calls()).toEqual(['_local.check#2 nothing'])
  })
  it('of what has ended adds nothing', () => {
    for (const ended of [() => message('a').commit().done('a'), () => asked('a').says('rollback')]) {
      expect(ended().takeover().transaction).toEqual(ended().transaction)
    }
  })
  it('a claim of what was parked adds no attempt and sends what is due', () => {
    const run = message('a').commit().unknown('a').after(200).claim()
    expect([run.calls(), run.attempts()]).toEqual([['a.deliver#2 status'], ['a.deliver#1 no answer']])
  })
})

const no = 'LOCKSTEP_ACTION_NOT_ALLOWED'
/** Two deliveries; once it is committed, `a` waits for its back-off and `b` is done. */
const states = {
  prepared: () => message('ab'),
  'prepared, asked': () => asked('ab').unknown(local),
  'prepared, a check out': () => asked('ab'),
  'prepared, nobody to ask': () => unchecked('ab'),
  'prepared, held': () => message('ab').hold(),
  committing: () => message('ab').commit().done('b').unknown('a'),
  'committing, a call out': () => message('ab').commit().done('b'),
  'committing, refused': () => message('ab').commit().refused('a'),
  'committing, told': () =>
    message('ab', { a: { escalate: 'x.undo' } })
      .commit()
      .refused('a')
      .begun('a')
      .unknown('b'),
  'rolling-back, held': () => unchecked('ab').hold().rollback(),
  committed: () => message('ab').commit().done('a').done('b'),
  'rolled-back': () => unchecked('ab').rollback(),
}
type State = keyof typeof states
const untouched: Readonly<Record<State, string>> = {
  prepared: 'prepared [waiting waiting] | next 2000',
  'prepared, asked': 'prepared [waiting waiting] | next 100',
  'prepared, a check out': 'prepared [waiting waiting] | next 598000',
  'prepared, nobody to ask': 'prepared [waiting waiting] | next 600000',
  'prepared, held': 'prepared held:operator [waiting waiting] | next -',
  committing: 'committing [active done] | next 100',
  'committing, a call out': 'committing [active done] | next 600000',
  'committing, refused': 'committing [refused active] | next 600000',
  'committing, told': 'committing [refused active] | next 100',
  'rolling-back, held': 'rolling-back held:operator [waiting waiting] | next -',
  committed: 'committed [done done] | next -',
  'rolled-back': 'rolled-back [waiting waiting] | next -',
}
const refused = (state: State) => untouched[state].replace(' | next', ` | ${no} | next`)

type Cell = readonly [state: State, action: OperatorAction, branch: string | null, expected: string]
const delivering = (next: number) =>
  `committing [active active] | a.deliver#1 status | b.deliver#1 status | next ${next}`
const checking = (number: number, next: number) =>
  `prepared [waiting waiting] | _local.check#${number} nothing | next ${next}`
const allowed: readonly Cell[] = [
  ['prepared', 'retry', null, checking(1, 600_000)],
  ['prepared', 'retry', 'a', checking(1, 600_000)],
  ['prepared', 'force-commit', null, delivering(600_000)],
  ['prepared', 'force-rollback', null, checking(1, 600_000)],
  ['prepared, asked', 'retry', null, checking(2, 598_000)],
  ['prepared, asked', 'retry', 'a', checking(2, 598_000)],
  ['prepared, asked', 'force-commit', null, delivering(600_000)],
  ['prepared, asked', 'force-rollback', null, checking(2, 598_000)],
  ['prepared, a check out', 'retry', null, untouched['prepared, a check out']],
  ['prepared, a check out', 'retry', 'a', untouched['prepared, a check out']],
  ['prepared, a check out', 'force-commit', null, delivering(600_000)],
  ['prepared, a check out', 'force-rollback', null, untouched['prepared, a check out']],
  ['prepared, nobody to ask', 'retry', null, untouched['prepared, nobody to ask']],
  ['prepared, nobody to ask', 'retry', 'a', untouched['prepared, nobody to ask']],
  ['prepared, nobody to ask', 'force-commit', null, delivering(600_000)],
  ['prepared, nobody to ask', 'force-rollback', null, 'rolled-back [waiting waiting] | next -'],
  ['prepared, held', 'retry', null, untouched['prepared, held']],
  ['prepared, held', 'retry', 'a', untouched['prepared, held']],
  ['prepared, held', 'force-commit', null, 'committing held:operator [waiting waiting] | next -'],
  ['prepared, held', 'force-rollback', null, untouched['prepared, held']],
  ['committing', 'retry', null, 'committing [active done] | a.deliver#2 status | next 600000'],
  ['committing', 'retry', 'a', 'committing [active done] | a.deliver#2 status | next 600000'],
  ['committing', 'retry', 'b', untouched.committing],
  ['committing', 'skip', 'a', 'committed [skipped done] | next -'],
  ['committing, a call out', 'retry', null, untouched['committing, a call out']],
  ['committing, a call out', 'retry', 'a', untouched['committing, a call out']],
  ['committing, a call out', 'retry', 'b', untouched['committing, a call out']],
  ['committing, a call out', 'skip', 'a', 'committing [skipped done] | next 600000'],
  ['committing, refused', 'retry', null, 'committing [active active] | a.deliver#2 status | next 600000'],
  ['committing, refused', 'retry', 'a', 'committing [active active] | a.deliver#2 status | next 600000'],
  ['committing, refused', 'retry', 'b', untouched['committing, refused']],
  ['committing, refused', 'skip', 'a', 'committing [skipped active] | next 600000'],
  ['committing, refused', 'skip', 'b', 'committing [refused skipped] | next 600000'],
  ['committing, told', 'retry', null, 'committing [refused active] | b.deliver#2 status | next 600000'],
  ['committing, told', 'retry', 'a', untouched['committing, told']],
  ['committing, told', 'retry', 'b', 'committing [refused active] | b.deliver#2 status | next 600000'],
  ['committing, told', 'skip', 'b', 'committed [refused skipped] | next -'],
  ['rolling-back, held', 'retry', null, untouched['rolling-back, held']],
  ['rolling-back, held', 'retry', 'a', untouched['rolling-back, held']],
]
/** Branches for which each action is asked; `z` and the check are none. */
const branches: Readonly<Record<OperatorAction, readonly (string | null)[]>> = {
  retry: [null, 'a', 'b', 'z', local],
  skip: [null, 'a', 'b', 'z', local],
  'force-commit': [null],
  'force-rollback': [null],
}
const isAllowed = (state: State, action: OperatorAction, branch: string | null) =>
  allowed.some((cell) => cell[0] === state && cell[1] === action && cell[2] === branch)
const forbidden = (Object.keys(states) as State[])
  .flatMap((state) =>
    (Object.keys(branches) as OperatorAction[]).flatMap((action) =>
      branches[action].map((branch): Cell => [state, action, branch, refused(state)]),
    ),
  )
  // While nothing is delivered, `b` is a delivery like `a`: a retry of it is as good.
  .filter(([state, action, branch]) => {
    const asGood = action === 'retry' && branch === 'b' && /^(prepared|rolling-back)/.test(state)
    return !isAllowed(state, action, branch) && !asGood
  })

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

describe('a forced rollback of a message that can be checked', () => {
  it('only has it asked: nobody may roll back what the producer has committed', () => {
    const run = message('a').act('force-rollback')
    expect(run.says('commit').calls()).toEqual(['a.deliver#1 status'])
  })
  it('rolls back when the check says so', () => {
    expect(message('a').act('force-rollback').says('rollback').transaction.status).toBe('rolled-back')
  })
  it('of what is held as undecided has it asked at once', () => {
    const run = message('a')
      .after(24 * 3_600_000)
      .woke()
    expect(run.transaction.held?.reason).toBe('undecided')
    expect(run.letGo().act('force-rollback').calls()).toEqual(['_local.check#1 nothing'])
  })
})

describe('a message whose check the barrier has forgotten', () => {
  const retention = { barrierRetentionMs: 3_600_000 }
  it.each([
    ['as the producer says', () => asked('a').unknown(local, { code: 'older-than-barrier' })],
    ['by its own age', () => new MessageRun(deliveries('a'), {}, retention).after(3_600_000).woke()],
  ] as const)('%s, is decided by force, either way: nobody can be asked any more', (_, made) => {
    expect(made().show()).toBe('prepared held:older-than-barrier [waiting] | next -')
    expect(made().letGo().act('force-rollback').show()).toBe('rolled-back [waiting] | next -')
    expect(made().letGo().act('force-commit').transaction.status).toBe('committing')
  })
  it('is held again when the initiator only believes that it was rolled back', () => {
    const run = asked('a').unknown(local, { code: 'older-than-barrier' }).letGo().rollback()
    expect(run.calls()).toEqual(['_local.check#2 nothing'])
    expect(run.unknown(local, { code: 'older-than-barrier' }).transaction.held?.reason).toBe('older-than-barrier')
  })
})

describe('a skipped delivery', () => {
  it('whose call is out stays skipped, whatever it answers, and the end waits for the answer', () => {
    const run = message('a').commit().act('skip', 'a')
    expect(run.transaction.endedAt).toBeNull()
    expect(run.refused('a').show()).toBe('committed [skipped] | next -')
  })
  it('stays skipped when its call did not leave, though nobody can call it', () => {
    expect(message('a').commit().act('skip', 'a').notSent('a', { missing: true }).show()).toBe(
      'committed [skipped] | next -',
    )
  })
  it('of the last one that is not stuck leaves the message held for the rest', () => {
    const run = message('ab').commit().refused('a').act('skip', 'b').unknown('b')
    expect(run.show()).toBe('committing held:delivery-refused [refused skipped] | next -')
  })
})
