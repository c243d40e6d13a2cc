/** The transition table of the saga: one row is one state, one event, and all that must follow. Letters are steps, capitals plain. */
import { describe, expect, it } from 'vitest'
import { SagaRun, type StepSpec, steps } from '../../../test/coordinator/saga-run.ts'

const run = (letters: string, body: ConstructorParameters<typeof SagaRun>[1] = {}) => new SagaRun(steps(letters), body)
const both = { concurrent: true }
/** `ab` and the last step was refused: `b` first, then `a` must be compensated. */
const rollingBack = () => run('ab').woke().done('a').refused('b')

type Row = readonly [promise: string, run: () => SagaRun, expected: string]

const forward: readonly Row[] = [
  [
    'begin lets the first step leave',
    () => run('ab').woke(),
    'committing [active waiting] | a.action#1 nothing | next 600000',
  ],
  [
    'waking with a call out changes nothing',
    () => run('ab').woke().woke(),
    'committing [active waiting] | next 600000',
  ],
  [
    'done lets the next step leave',
    () => run('ab').woke().done('a'),
    'committing [done active] | b.action#1 nothing | next 600000',
  ],
  ['the last done commits', () => run('ab').woke().done('a').done('b'), 'committed [done done] | next -'],
  ['committed stays as it is', () => run('a').woke().done('a').woke(), 'committed [done] | next -'],
  [
    'concurrent steps leave together',
    () => run('ab', both).woke(),
    'committing [active active] | a.action#1 nothing | b.action#1 nothing | next 600000',
  ],
  [
    'a plain step waits for a durable predecessor',
    () => run('aB').woke().done('a'),
    'committing [done active] | B.action#1 state | next 600000',
  ],
  [
    'a step after a plain one waits for it to be durable',
    () => run('Ab').woke().done('A'),
    'committing [done active] | b.action#1 state | next 600000',
  ],
  [
    'unknown is tried again after its back-off',
    () => run('ab').woke().unknown('a'),
    'committing [active waiting] | next 100',
  ],
  [
    'a back-off that is over lets the call leave',
    () => run('a').woke().unknown('a').after(100).woke(),
    'committing [active] | a.action#2 nothing | next 599900',
  ],
  [
    'a back-off that is not over lets nothing leave',
    () => run('a').woke().unknown('a').after(99).woke(),
    'committing [active] | next 1',
  ],
  ['pending is asked again after a second', () => run('a').woke().pending('a'), 'committing [active] | next 1000'],
  [
    'pending is asked again when it says',
    () => run('a').woke().pending('a', 30_000),
    'committing [active] | next 30000',
  ],
  ['what did not leave waits again', () => run('a').woke().notSent('a'), 'committing [waiting] | next 500'],
  [
    'what did not leave keeps its number',
    () => run('a').woke().notSent('a').after(500).woke(),
    'committing [active] | a.action#1 nothing | next 599500',
  ],
]

const backward: readonly Row[] = [
  [
    'a refusal compensates, the refused barrier step first',
    rollingBack,
    'rolling-back [done refused] | b.compensate#1 status | next 600000',
  ],
  [
    'then what ran before it',
    () => rollingBack().done('b'),
    'rolling-back [done reversed] | a.compensate#1 status | next 600000',
  ],
  [
    'the last compensation ends it',
    () => rollingBack().done('b').done('a'),
    'rolled-back [reversed reversed] | next -',
  ],
  [
    'a refused plain step is not called',
    () => run('AB').woke().done('A').refused('B'),
    'rolling-back [done refused] | A.compensate#1 status | next 600000',
  ],
  [
    'a plain step refused at once leaves nothing to reverse',
    () => run('A').woke().refused('A'),
    'rolled-back [refused] | next -',
  ],
  [
    'a plain refusal after an unknown attempt is reversed',
    () => run('A').woke().unknown('A').after(200).woke().refused('A'),
    'rolling-back [refused] | A.compensate#1 status | next 599800',
  ],
  [
    'a plain refusal after "ask again" is not reversed',
    () => run('A').woke().pending('A').after(1000).woke().refused('A'),
    'rolled-back [refused] | next -',
  ],
  ['an unknown compensation backs off', () => rollingBack().unknown('b'), 'rolling-back [done refused] | next 100'],
  [
    'a pending compensation is asked again',
    () => rollingBack().pending('b', 7_000),
    'rolling-back [done refused] | next 7000',
  ],
  [
    'a compensation that did not leave waits',
    () => rollingBack().notSent('b'),
    'rolling-back [done refused] | next 500',
  ],
  [
    'a refused compensation is held at once',
    () => rollingBack().refused('b'),
    'rolling-back held:compensation-refused [done refused] | next -',
  ],
  [
    'an action in flight is waited for',
    () => run('ab', both).woke().refused('a'),
    'rolling-back [refused active] | a.compensate#1 status | next 600000',
  ],
  [
    'its late done is reversed',
    () => run('ab', both).woke().refused('a').done('b'),
    'rolling-back [refused done] | b.compensate#1 status | next 600000',
  ],
  [
    'its late refusal is reversed too, behind a barrier',
    () => run('ab', both).woke().refused('a').refused('b'),
    'rolling-back [refused refused] | b.compensate#1 status | next 600000',
  ],
  [
    'its late refusal is not, without one',
    () => run('aB', both).woke().refused('a').done('a').refused('B'),
    'rolled-back [reversed refused] | next -',
  ],
  [
    'its unknown end is reversed',
    () => run('ab', both).woke().refused('a').unknown('b'),
    'rolling-back [refused active] | b.compensate#1 status | next 600000',
  ],
  [
    'what did not leave after all is not reversed',
    () => run('aB', both).woke().refused('a').done('a').notSent('B'),
    'rolled-back [reversed waiting] | next -',
  ],
  [
    'what had left before is reversed, though its repeat did not leave',
    () => run('ab', both).woke().unknown('b').after(100).woke().refused('a').notSent('b'),
    'rolling-back [refused active] | b.compensate#1 status | next 599900',
  ],
]

const decisions: readonly Row[] = [
  ['cancel before anything left ends at once', () => run('ab').cancel(), 'rolled-back [waiting waiting] | next -'],
  [
    'cancel waits for the call that is out',
    () => run('ab').woke().cancel(),
    'rolling-back [active waiting] | next 600000',
  ],
  [
    'cancel compensates what is done',
    () => run('ab').woke().done('a').cancel().unknown('b'),
    'rolling-back [done active] | b.compensate#1 status | next 600000',
  ],
  ['a second cancel changes nothing', () => rollingBack().cancel(), 'rolling-back [done refused] | next 600000'],
  [
    'cancel after rolled-back changes nothing',
    () => run('A').woke().refused('A').cancel(),
    'rolled-back [refused] | next -',
  ],
  [
    'cancel after commit is refused',
    () => run('a').woke().done('a').cancel(),
    'committed [done] | LOCKSTEP_ALREADY_COMMITTING | next -',
  ],
  [
    'cancel while held is accepted',
    () => run('a').woke().hold().cancel(),
    'rolling-back held:operator [active] | next -',
  ],
  [
    'commit is never accepted',
    () => run('a').woke().commit(),
    'committing [active] | LOCKSTEP_ACTION_NOT_ALLOWED | next 600000',
  ],
  [
    'nor when it has committed',
    () => run('a').woke().done('a').commit(),
    'committed [done] | LOCKSTEP_ACTION_NOT_ALLOWED | next -',
  ],
]

const deadlines: readonly Row[] = [
  [
    'the deadline is the next moment',
    () => run('a', { deadline: 5000 }).woke(),
    'committing [active] | a.action#1 nothing | next 5000',
  ],
  [
    'a back-off before the deadline comes first',
    () => run('a', { deadline: 5000 }).woke().unknown('a'),
    'committing [active] | next 100',
  ],
  [
    'before anything left it ends the saga',
    () => run('a', { deadline: 5000 }).after(5000).woke(),
    'rolled-back [waiting] | next -',
  ],
  [
    'one millisecond before it decides nothing',
    () => run('a', { deadline: 5000 }).after(4999).woke(),
    'committing [active] | a.action#1 nothing | next 1',
  ],
  [
    'with a call out it waits for the call',
    () => run('a', { deadline: 5000 }).woke().after(5000).woke(),
    'rolling-back [active] | next 600000',
  ],
  [
    'between two attempts it compensates',
    () => run('a', { deadline: 50 }).woke().unknown('a').after(50).woke(),
    'rolling-back [active] | a.compensate#1 status | next 600000',
  ],
  [
    'a last done that comes after it still commits',
    () => run('a', { deadline: 5000 }).woke().after(6000).done('a'),
    'committed [done] | next -',
  ],
  [
    'a done in the middle that comes after it does not',
    () => run('ab', { deadline: 5000 }).woke().after(6000).done('a'),
    'rolling-back [done waiting] | a.compensate#1 status | next 599000',
  ],
  [
    'while held it decides nothing',
    () => run('a', { deadline: 5000 }).woke().hold().after(6000).unknown('a'),
    'committing held:operator [active] | next -',
  ],
  [
    'once rolling back it means nothing',
    () => run('ab', { deadline: 5000 }).woke().done('a').refused('b').after(6000).woke(),
    'rolling-back [done refused] | next 599000',
  ],
  [
    'it decides in a claim',
    () => run('a', { deadline: 50 }).woke().unknown('a').after(60).claim(),
    'rolling-back [active] | a.compensate#1 status | next 599990',
  ],
]

describe('forward', () => {
  it.each(forward)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
})
describe('backward', () => {
  it.each(backward)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
})
describe('decisions', () => {
  it.each(decisions)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
})
describe('the deadline', () => {
  it.each(deadlines)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
})

describe('what a rollback says of itself', () => {
  it('names the branch that refused, and its reason', () => {
    expect(rollingBack().saga.reason).toEqual({ branch: 'b', body: { code: 'no' } })
  })
  it('keeps the first reason when another branch refuses later', () => {
    const first = run('ab', both).woke().refused('b', { code: 'first' }).refused('a', { code: 'second' })
    expect(first.saga.reason).toEqual({ branch: 'b', body: { code: 'first' } })
  })
  it.each([
    ['cancelled', () => run('a').woke().cancel()],
    ['deadline', () => run('a', { deadline: 10 }).after(10).woke()],
    ['forced', () => run('a').woke().act('force-rollback')],
  ])('says %s when no branch caused it', (code, made) => {
    expect(made().saga.reason).toMatchObject({ branch: null, body: { code } })
  })
})

describe('a late answer', () => {
  const again = () => run('a').woke().unknown('a').after(200).woke()
  it.each([
    ['of an earlier attempt', () => again().answer('a', { kind: 'refused', reason: 'late' }, { number: 1 })],
    ['of a later attempt', () => again().answer('a', { kind: 'done', output: 1 }, { number: 3 })],
    [
      'of another operation',
      () => again().answer('a', { kind: 'done', output: 1 }, { operation: 'compensate', number: 2 }),
    ],
  ] as const)('%s changes nothing', (_, made) => {
    const before = again().saga
    expect({ ...made().saga, nextAt: before.nextAt }).toEqual(before)
  })
  it('that says "did not leave" of an earlier attempt changes nothing', () => {
    const before = again()
    const event = {
      kind: 'not-sent',
      branch: 'a',
      operation: 'action',
      number: 1,
      retryAt: before.now,
      missing: true,
    } as const
    expect(again().feed(event).saga).toEqual(before.saga)
  })
})

describe('in a graph', () => {
  /** `a`, then `b` and `c` at once, then `d`. */
  const diamond = () =>
    new SagaRun(steps('abcd', { a: { after: [] }, b: { after: ['a'] }, c: { after: ['a'] }, d: { after: ['b', 'c'] } }))
  it('a step waits for all that it comes after', () => {
    const started = diamond().woke().done('a')
    expect(started.calls()).toEqual(['b.action#1 nothing', 'c.action#1 nothing'])
    expect(started.done('c').calls()).toEqual([])
    expect(started.done('b').calls()).toEqual(['d.action#1 nothing'])
  })
  it('compensation runs in the reverse order, the two in the middle at once', () => {
    const back = diamond().woke().done('a').done('b').done('c').refused('d')
    expect(back.calls()).toEqual(['d.compensate#1 status'])
    expect(back.done('d').calls()).toEqual(['b.compensate#1 status', 'c.compensate#1 status'])
    expect(back.done('c').calls()).toEqual([])
    expect(back.done('b').calls()).toEqual(['a.compensate#1 status'])
    expect(back.done('a').saga.status).toBe('rolled-back')
  })
  it('a predecessor waits for a grandchild whose parent needs no reversal', () => {
    const withoutReverse: StepSpec = { name: 'b', action: 'http://x/b' }
    const back = new SagaRun([...steps('a'), withoutReverse, ...steps('c')]).woke().done('a').done('b').refused('c')
    expect(back.calls()).toEqual(['c.compensate#1 status'])
    expect(back.done('c').calls()).toEqual(['a.compensate#1 status'])
    expect(back.done('a').show()).toBe('rolled-back [reversed done reversed] | next -')
  })
})
