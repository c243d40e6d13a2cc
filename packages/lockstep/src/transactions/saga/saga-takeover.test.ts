/** What a new owner makes of what the old one may have started (law 4), and what an operator may do in each state. */
import { describe, expect, it } from 'vitest'
import { SagaRun, steps } from '../../../test/coordinator/saga-run.ts'
import { sagaPattern } from './index.ts'

const run = (letters: string, body: ConstructorParameters<typeof SagaRun>[1] = {}) => new SagaRun(steps(letters), body)
const both = { concurrent: true }
const attemptsOf = (of: SagaRun) =>
  of.saga.attempts.map(({ branch, operation, number, error }) => `${branch}.${operation}#${number} ${error}`)

describe('a takeover while going forward', () => {
  it('repeats the call at once and leaves an attempt, so that a poisonous call has a history', () => {
    const taken = run('a').woke().takeover()
    expect(taken.calls()).toEqual(['a.action#2 nothing'])
    expect(attemptsOf(taken)).toEqual(['a.action#1 takeover'])
    expect(attemptsOf(taken.takeover())).toEqual(['a.action#1 takeover', 'a.action#2 takeover'])
  })
  it('does not wait for the rest of a back-off', () => {
    expect(run('a').woke().unknown('a').takeover().calls()).toEqual(['a.action#3 nothing'])
  })
  it('counts as started what may have run ahead over barrier edges, and no more', () => {
    const taken = run('abCd').woke().takeover()
    expect(attemptsOf(taken)).toEqual(['a.action#1 takeover', 'b.action#1 takeover'])
  })
  it('does not count a step that refers to an output as run ahead', () => {
    const taken = new SagaRun(steps('ab', { b: { input: { x: { $output: 'a', path: '' } } } })).woke().takeover()
    expect(attemptsOf(taken)).toEqual(['a.action#1 takeover'])
  })
  it('a claim of what was parked adds no attempt and sends what is due', () => {
    const claimed = run('ab').woke().unknown('a').after(200).claim()
    expect([claimed.calls(), claimed.saga.attempts.length]).toEqual([['a.action#2 nothing'], 1])
    expect(claimed.step('b').sent).toBe(false)
  })
})

describe('a rollback after a takeover', () => {
  it('reverses every step that was maybe started, the later one first', () => {
    const back = run('ab').woke().takeover().cancel()
    expect(back.calls()).toEqual(['b.compensate#1 status'])
    expect(back.unknown('a').done('b').calls()).toEqual(['a.compensate#1 status'])
  })
  it('also after further takeovers', () => {
    const back = run('ab').woke().takeover().takeover().cancel()
    expect(back.calls()).toEqual(['b.compensate#1 status'])
  })
  it('also a plain step that is then refused: the first call may still be on the wire', () => {
    const back = run('A').woke().takeover().refused('A')
    expect(back.show()).toBe('rolling-back [refused] | next 10000')
    expect(back.after(10_000).woke().calls()).toEqual(['A.compensate#1 status'])
  })
  it('leaves alone what cannot have been started', () => {
    expect(run('aBc').woke().takeover().cancel().unknown('a').done('a').show()).toBe(
      'rolled-back [reversed waiting waiting] | next -',
    )
  })
})

describe('a step whose calls certainly never got there', () => {
  it('is not compensated', () => {
    const back = new SagaRun(steps('A')).woke().unknown('A', { unreached: true }).cancel()
    expect([back.calls(), back.saga.status]).toEqual([[], 'rolled-back'])
  })

  it('is compensated when an earlier call may have', () => {
    const back = new SagaRun(steps('A'))
      .woke()
      .unknown('A')
      .after(60_000)
      .woke()
      .unknown('A', { unreached: true })
      .cancel()
    expect(back.calls()).toEqual(['A.compensate#1 status'])
  })
})

describe('the quiet time before the reverse of a plain step', () => {
  const plain = (body = {}) => new SagaRun(steps('A', { A: { timeout: 3_000 } }), body)
  it('is the timeout of that step, from the takeover on', () => {
    const back = plain().woke().takeover().cancel().unknown('A')
    expect(back.show()).toBe('rolling-back [active] | next 3000')
    expect(back.after(2_999).woke().calls()).toEqual([])
    expect(back.after(1).woke().calls()).toEqual(['A.compensate#1 status'])
  })
  it('is not there without a takeover, nor behind a barrier', () => {
    expect(plain().woke().unknown('A').cancel().calls()).toEqual(['A.compensate#1 status'])
    expect(run('a').woke().takeover().cancel().unknown('a').calls()).toEqual(['a.compensate#1 status'])
  })
  it('is kept when the claim itself cancels or forces the rollback', () => {
    for (const event of [
      { kind: 'decide', decision: 'rollback' },
      { kind: 'act', action: 'force-rollback', branch: null, reason: 'r' },
    ] as const) {
      const back = plain()
        .woke()
        .feed({ ...event, claim: { takeover: true } })
      expect(back.show()).toBe('rolling-back [active] | next 3000')
    }
  })
  it('is kept when the owner dies after the rollback was decided with the action still out', () => {
    const back = new SagaRun(steps('aB', { B: { timeout: 3_000 } }), both).woke().refused('a').takeover()
    expect(back.calls()).toEqual(['a.compensate#2 status'])
    expect(back.after(3_000).woke().calls()).toEqual(['B.compensate#2 status'])
  })
  it('is not shortened by a retry', () => {
    expect(plain().woke().takeover().cancel().unknown('A').act('retry').calls()).toEqual([])
  })
})

describe('a takeover while rolling back', () => {
  it('repeats the compensation that was out, with an attempt', () => {
    const back = run('a').woke().unknown('a').cancel().takeover()
    expect(back.calls()).toEqual(['a.compensate#2 status'])
    expect(attemptsOf(back).at(-1)).toBe('a.compensate#1 takeover')
  })
  it('does not call again what is reversed', () => {
    const back = run('ab').woke().done('a').refused('b').done('b').takeover()
    expect(back.calls()).toEqual(['a.compensate#2 status'])
  })
  it('makes no further action leave', () => {
    expect(run('ab', both).woke().refused('a').takeover().calls().join()).not.toContain('action')
  })
})

it('a takeover of what has ended adds nothing', () => {
  for (const ended of [() => run('a').woke().done('a'), () => run('a').woke().unknown('a').cancel().done('a')]) {
    expect(ended().takeover().saga).toEqual(ended().saga)
  }
})

describe('what the operator may do', () => {
  const running = () => run('ab').woke().done('a').unknown('b')
  const rolling = () => run('ab').woke().done('a').refused('b').unknown('b')
  const over = () => run('a').woke().done('a')
  const no = 'LOCKSTEP_ACTION_NOT_ALLOWED'
  it.each([
    [
      'retry lets an action leave now',
      () => running().act('retry'),
      'committing [done active] | b.action#2 nothing | next 600000',
    ],
    [
      'retry of that step as well',
      () => running().act('retry', 'b'),
      'committing [done active] | b.action#2 nothing | next 600000',
    ],
    ['retry of another step does not', () => running().act('retry', 'a'), 'committing [done active] | next 100'],
    [
      'retry with the call out sends no second one',
      () => run('a').woke().act('retry'),
      'committing [active] | next 600000',
    ],
    [
      'retry of a compensation',
      () => rolling().act('retry'),
      'rolling-back [done refused] | b.compensate#2 status | next 600000',
    ],
    ['retry of an unknown step', () => running().act('retry', 'z'), `committing [done active] | ${no} | next 100`],
    ['retry at the end', () => over().act('retry'), `committed [done] | ${no} | next -`],
    ['skip lets the rest go on', () => running().act('skip', 'b'), 'committed [done skipped] | next -'],
    [
      'skip lets the next step leave',
      () => run('ab').woke().unknown('a').act('skip', 'a'),
      'committing [skipped active] | b.action#1 nothing | next 100',
    ],
    [
      'skip of a step that waits',
      () => run('ab').woke().act('skip', 'b').done('a'),
      'committed [done skipped] | next -',
    ],
    ['skip of a done step', () => running().act('skip', 'a'), `committing [done active] | ${no} | next 100`],
    ['skip without a branch', () => running().act('skip'), `committing [done active] | ${no} | next 100`],
    [
      'skip of what must be reversed',
      () => rolling().act('skip', 'b'),
      'rolling-back [done skipped] | a.compensate#1 status | next 100',
    ],
    [
      'skip of what needs no reversal',
      () => run('AB').woke().done('A').refused('B').act('skip', 'B'),
      `rolling-back [done refused] | ${no} | next 600000`,
    ],
    ['skip at the end', () => over().act('skip', 'a'), `committed [done] | ${no} | next -`],
    ['force-commit skips what is left', () => running().act('force-commit'), 'committed [done skipped] | next -'],
    ['force-commit before anything ran', () => run('ab').act('force-commit'), 'committed [skipped skipped] | next -'],
    [
      'force-commit never flips a rollback',
      () => rolling().act('force-commit'),
      `rolling-back [done refused] | ${no} | next 100`,
    ],
    ['force-commit at the end', () => over().act('force-commit'), `committed [done] | ${no} | next -`],
    [
      'force-rollback starts compensation',
      () => running().act('force-rollback'),
      'rolling-back [done active] | b.compensate#1 status | next 600000',
    ],
    [
      'force-rollback skips what is left of it',
      () => rolling().act('force-rollback'),
      'rolled-back [skipped skipped] | next -',
    ],
    [
      'force-rollback waits for the call that is out',
      () => run('a').woke().unknown('a').cancel().act('force-rollback'),
      'rolling-back [skipped] | next 600000',
    ],
    ['force-rollback never flips a commit', () => over().act('force-rollback'), `committed [done] | ${no} | next -`],
  ] as const)('%s', (_, made, expected) => expect(made().show()).toBe(expected))

  it('a call that is out while its step is skipped is recorded, and changes nothing else', () => {
    const skipped = run('ab').woke().act('skip', 'a')
    expect(skipped.calls()).toEqual(['b.action#1 nothing'])
    expect(skipped.refused('a').show()).toBe('committing [skipped active] | next 600000')
    expect(attemptsOf(skipped)).toEqual(['a.action#1 {"code":"no"}'])
  })
  it('a step that is skipped before its first call could leave stays skipped', () => {
    expect(run('ab').woke().act('skip', 'a').notSent('a').show()).toBe('committing [skipped active] | next 500')
  })
  it('a skipped step stays unreversed, and the end says that it is incomplete', () => {
    const skipped = run('ab').woke().unknown('a').act('skip', 'a').refused('b').done('b')
    expect(skipped.show()).toBe('rolled-back [skipped reversed] | next -')
    expect(sagaPattern.describe(skipped.saga)).toMatchObject({ incomplete: true, output: null })
  })
})

describe('what a saga shows', () => {
  it('its output at the end, of done steps by name', () => {
    const shown = sagaPattern.describe(run('ab').woke().done('a', { r: 1 }).act('force-commit').saga)
    expect(shown).toEqual({
      branches: [
        { name: 'a', state: 'done', output: { r: 1 } },
        { name: 'b', state: 'skipped', output: null },
      ],
      output: { a: { r: 1 } },
      incomplete: true,
    })
  })
  it('no output before the end', () => {
    expect(sagaPattern.describe(run('ab').woke().done('a', 1).saga)).toMatchObject({ output: null, incomplete: false })
  })
  it('an attempt with what ended it, cut to a readable length', () => {
    const told = run('ab')
      .woke()
      .unknown('a', { error: 'x', code: 'timeout' })
      .after(200)
      .woke()
      .refused('a', 'y'.repeat(2_000))
    expect(attemptsOf(told)[0]).toBe('a.action#1 timeout: x')
    expect(told.saga.attempts[1]?.error?.length).toBe(500)
  })
  it('an error of any length is cut as well: it is stored with the transaction', () => {
    const told = run('a')
      .woke()
      .unknown('a', { error: 'e'.repeat(1_000_000) })
    expect(told.saga.attempts[0]?.error?.length).toBeLessThanOrEqual(500)
  })
})
