/** The check-back: asked until it answers with a decision, and nothing else decides. One row is one state and one event. */
import { describe, expect, it } from 'vitest'
import { deliveries, local, MessageRun } from '../../../test/coordinator/message-run.ts'
import type { Json } from '../../ports/index.ts'

type Body = ConstructorParameters<typeof MessageRun>[1]
const message = (letters: string, body: Body = {}) => new MessageRun(deliveries(letters), body)
/** Nobody can be asked: the initiator alone decides. */
const unchecked = (letters: string) => message(letters, { checkBack: null })
/** Two seconds after its begin it is asked first. */
const firstAt = 2_000
const asked = (letters = 'ab') => message(letters).after(firstAt).woke()
const minute = 60_000

type Row = readonly [promise: string, run: () => MessageRun, expected: string]

const checks: readonly Row[] = [
  ['nothing is asked at once', () => message('a').woke(), 'prepared [waiting] | next 2000'],
  [
    'nor a millisecond too early',
    () =>
      message('a')
        .after(firstAt - 1)
        .woke(),
    'prepared [waiting] | next 1',
  ],
  ['after two seconds it is asked', () => asked('a'), 'prepared [waiting] | _local.check#1 nothing | next 598000'],
  [
    'or when the begin says',
    () => message('a', { checkAfter: 0 }).woke(),
    'prepared [waiting] | _local.check#1 nothing | next 600000',
  ],
  [
    'a claim that comes later asks at once',
    () => message('a').after(minute).claim(),
    'prepared [waiting] | _local.check#1 nothing | next 540000',
  ],
  ['never twice at a time', () => asked('a').woke(), 'prepared [waiting] | next 598000'],
  [
    'an unknown answer is asked again after its back-off',
    () => asked('a').unknown(local),
    'prepared [waiting] | next 100',
  ],
  [
    'and then with the next number',
    () => asked('a').unknown(local).after(100).woke(),
    'prepared [waiting] | _local.check#2 nothing | next 597900',
  ],
  ['"not yet" is asked again after a second', () => asked('a').pending(local), 'prepared [waiting] | next 1000'],
  ['or when it says', () => asked('a').pending(local, 30_000), 'prepared [waiting] | next 30000'],
  [
    'a check that did not leave waits, and keeps its number',
    () => asked('a').notSent(local),
    'prepared [waiting] | next 500',
  ],
  [
    'a check that says commit lets the deliveries leave',
    () => asked().says('commit'),
    'committing [active active] | a.deliver#1 status | b.deliver#1 status | next 600000',
  ],
  ['a check that says rollback ends it', () => asked().says('rollback'), 'rolled-back [waiting waiting] | next -'],
  [
    'without a check-back nobody is asked',
    () => unchecked('a').after(minute).woke(),
    'prepared [waiting] | next 540000',
  ],
]

describe('the check', () => {
  it.each(checks)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
  it('is asked of the check-back with the input of the message, under the reserved branch', () => {
    expect(asked('a').commands).toEqual([
      {
        kind: 'call',
        branch: '_local',
        operation: 'check',
        number: 1,
        target: 'orders',
        input: { order: 7 },
        timeoutMs: 10_000,
        needs: 'nothing',
      },
    ])
  })
  it('backs off to a minute, and no further', () => {
    const run = asked('a')
    run.jitter = 0.999_999
    const gaps: number[] = []
    for (let round = 0; round < 12; round++) {
      run.unknown(local)
      gaps.push((run.check.tries.retryAt ?? 0) - run.now)
      run.after(gaps.at(-1) ?? 0).woke()
    }
    expect(gaps).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, minute, minute, minute])
  })
  it('neither "not yet" nor silence parks it, however often: only its age does', () => {
    const run = asked('a')
    for (let round = 0; run.now < run.transaction.createdAt + 23 * 60 * minute; round++) {
      if (round % 2 === 0) run.pending(local)
      else run.unknown(local)
      run.after(5 * minute).woke()
    }
    expect([run.transaction.held, run.transaction.status]).toEqual([null, 'prepared'])
  })
  it('"not yet" of a day is no reason of its own to hold it', () => {
    const run = asked('a')
      .pending(local)
      .after(12 * 60 * minute)
      .hold()
      .resume()
    for (let hour = 0; hour < 23; hour++)
      run
        .after(60 * minute)
        .woke()
        .pending(local)
    expect(run.transaction.held).toBeNull()
  })
  it('a producer that nobody can call costs no attempt, and parks nothing', () => {
    const run = asked('a')
    for (let passed = 0; passed < 60 * minute; passed += 5_000)
      run.notSent(local, { missing: true, retryInMs: 5_000 }).after(5_000).woke()
    expect([run.transaction.held, run.attempts()]).toEqual([null, []])
  })
  it('that the barrier has forgotten is held, and decides nothing', () => {
    const run = asked('a').unknown(local, { code: 'older-than-barrier' })
    expect(run.show()).toBe('prepared held:older-than-barrier [waiting] | next -')
  })
  it('is recorded with what it answered', () => {
    const run = asked('a').pending(local).after(minute).woke().unknown(local).after(minute).woke().says('commit')
    expect(run.attempts()).toEqual(['_local.check#1 pending', '_local.check#2 no answer', '_local.check#3 done'])
  })
})

describe('only an explicit decision decides', () => {
  it.each<[string, Json]>([
    ['nothing', null],
    ['an empty object', {}],
    ['a text', 'commit'],
    ['a list', [{ decision: 'commit' }]],
    ['another word', { decision: 'COMMIT' }],
    ['a decision that is no text', { decision: true }],
    ['a decision at another place', { result: { decision: 'commit' } }],
    ['yes', { ok: true }],
  ])('a 200 with %s is unknown, and asked again', (_, output) => {
    const run = asked('a').done(local, output)
    expect(run.show()).toBe('prepared [waiting] | next 100')
    expect(run.attempts()).toEqual(['_local.check#1 The check was answered without a decision.'])
  })
  it.each<[Json]>([[{ decision: 'rollback' }], [{ code: 'closed' }], [null]])(
    'a 409 with %j is unknown, and rolls nothing back',
    (reason) => {
      const run = asked('a').refused(local, reason)
      expect(run.show()).toBe('prepared [waiting] | next 100')
      expect(run.transaction.attempts[0]?.outcome).toBe('unknown')
    },
  )
  it.each(['commit', 'rollback'])('a %s with more beside it is one', (decision) => {
    expect(asked('a').done(local, { decision, at: 'now' }).transaction.status).not.toBe('prepared')
  })
})
