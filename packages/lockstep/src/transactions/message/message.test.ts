/** How a message is decided: by the initiator, or by the check that is asked until it answers. One row is one state and one event. */
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
    'committing [active active] | a.deliver#1 status | b.deliver#1 status | next 598000',
  ],
  ['a check that says rollback ends it', () => asked().says('rollback'), 'rolled-back [waiting waiting] | next -'],
  [
    'without a check-back nobody is asked',
    () => unchecked('a').after(minute).woke(),
    'prepared [waiting] | next 540000',
  ],
]

const decisions: readonly Row[] = [
  [
    'commit lets every delivery leave at once, each after the status',
    () => message('ab').commit(),
    'committing [active active] | a.deliver#1 status | b.deliver#1 status | next 600000',
  ],
  [
    'commit while the check is out does not wait for it',
    () => asked('a').commit(),
    'committing [active] | a.deliver#1 status | next 598000',
  ],
  [
    'the same commit again is repeated',
    () => message('a').commit().commit(),
    'committing [active] | repeated | next 600000',
  ],
  [
    'commit at the end is repeated',
    () => message('a').commit().done('a').commit(),
    'committed [done] | repeated | next -',
  ],
  [
    'rollback when committing is refused',
    () => message('a').commit().rollback(),
    'committing [active] | LOCKSTEP_ALREADY_COMMITTING | next 600000',
  ],
  [
    'rollback when committed is refused',
    () => message('a').commit().done('a').rollback(),
    'committed [done] | LOCKSTEP_ALREADY_COMMITTING | next -',
  ],
  [
    'rollback only has the check asked now: another send of this id may have committed',
    () => message('a').rollback(),
    'prepared [waiting] | _local.check#1 nothing | next 600000',
  ],
  [
    'rollback does not wait for a back-off either',
    () => asked('a').unknown(local, { retryAfterMs: minute }).rollback(),
    'prepared [waiting] | _local.check#2 nothing | next 598000',
  ],
  [
    'rollback while the check is out is repeated',
    () => asked('a').rollback(),
    'prepared [waiting] | repeated | next 598000',
  ],
  [
    'a second rollback as well',
    () => message('a').rollback().rollback(),
    'prepared [waiting] | repeated | next 600000',
  ],
  [
    'a commit after such a rollback still commits',
    () => message('a').rollback().commit(),
    'committing [active] | a.deliver#1 status | next 600000',
  ],
  ['without a check-back rollback decides', () => unchecked('a').rollback(), 'rolled-back [waiting] | next -'],
  [
    'and the same again is repeated',
    () => unchecked('a').rollback().rollback(),
    'rolled-back [waiting] | repeated | next -',
  ],
  [
    'commit when rolled back is refused',
    () => unchecked('a').rollback().commit(),
    'rolled-back [waiting] | LOCKSTEP_ALREADY_ROLLING_BACK | next -',
  ],
  [
    'also when the check has said so',
    () => asked('a').says('rollback').commit(),
    'rolled-back [waiting] | LOCKSTEP_ALREADY_ROLLING_BACK | next -',
  ],
  [
    'rollback after the check has said so is repeated',
    () => asked('a').says('rollback').rollback(),
    'rolled-back [waiting] | repeated | next -',
  ],
  [
    'commit while held is taken, and nothing leaves',
    () => message('a').hold().commit(),
    'committing held:operator [waiting] | next -',
  ],
  [
    'rollback while held has the check asked once it is let go',
    () => message('a').hold().rollback().resume(),
    'prepared [waiting] | _local.check#1 nothing | next 600001',
  ],
  [
    'a second one while held is repeated',
    () => message('a').hold().rollback().rollback(),
    'prepared held:operator [waiting] | repeated | next -',
  ],
  [
    'without a check-back a rollback while held is taken, and ends it once it is let go',
    () => unchecked('a').hold().rollback().resume(),
    'rolled-back [waiting] | next -',
  ],
  [
    'until then it stays held: what has ended is no matter for a person',
    () => unchecked('a').hold().rollback(),
    'rolling-back held:operator [waiting] | next -',
  ],
  [
    'a commit after it is refused',
    () => unchecked('a').hold().rollback().commit(),
    'rolling-back held:operator [waiting] | LOCKSTEP_ALREADY_ROLLING_BACK | next -',
  ],
  [
    'an answer that rolls back while held waits for the resume as well',
    () => asked('a').hold().says('rollback'),
    'rolling-back held:operator [waiting] | next -',
  ],
  ['and then ends', () => asked('a').hold().says('rollback').resume(), 'rolled-back [waiting] | next -'],
  [
    'an answer that commits while held is taken, and nothing leaves',
    () => asked('a').hold().says('commit'),
    'committing held:operator [waiting] | next -',
  ],
  [
    'no branch is registered',
    () => message('a').register({ name: 'b', work: null, needs: [] }),
    'prepared [waiting] | LOCKSTEP_ACTION_NOT_ALLOWED | next 2000',
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

describe('decisions', () => {
  it.each(decisions)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
  it('a late check answer flips nothing: it is recorded', () => {
    const run = asked('a').commit().says('rollback')
    expect([run.transaction.status, run.attempts()]).toEqual(['committing', ['_local.check#1 done']])
  })
  it.each([
    ['of an earlier check', () => asked('a').unknown(local).after(100).woke(), 1],
    ['of a later one', () => asked('a'), 2],
  ] as const)('an answer %s decides nothing', (_, made, number) => {
    const run = made()
    const before = run.transaction
    run.answer(local, { kind: 'done', output: { decision: 'commit' } }, { operation: 'check', number })
    expect({ ...run.transaction, nextAt: before.nextAt }).toEqual(before)
  })
  it.each([
    ['by the initiator', () => unchecked('a').rollback(), { branch: null, body: { code: 'cancelled' } }],
    ['by the check', () => asked('a').says('rollback'), { branch: '_local', body: { code: 'rolled-back-by-check' } }],
    [
      'by force',
      () => unchecked('a').act('force-rollback'),
      { branch: null, body: { code: 'forced', reason: 'because' } },
    ],
    [
      'while held',
      () => asked('a').hold().says('rollback'),
      { branch: '_local', body: { code: 'rolled-back-by-check' } },
    ],
  ])('a rollback %s says so', (_, made, reason) => expect(made().transaction.reason).toEqual(reason))
})

describe('undecided', () => {
  const day = 24 * 60 * minute
  it.each([
    ['with a check-back', () => message('a')],
    ['without one', () => unchecked('a')],
  ] as const)('%s, it alerts after ten minutes, once, and is held after a day', (_, made) => {
    const run = made()
      .after(10 * minute - 1)
      .woke()
    expect(run.alerts).toBe(0)
    const alert = { kind: 'alert', alert: 'undecided', detail: 'unfinished for 10 minutes' }
    expect(
      run
        .after(1)
        .woke()
        .commands.filter(({ kind }) => kind === 'alert'),
    ).toEqual([alert])
    run.after(day - 10 * minute - 1).woke()
    expect([run.alerts, run.transaction.held]).toEqual([1, null])
    expect(run.after(1).woke().show()).toBe('prepared held:undecided [waiting] | next -')
  })
  it('its check is asked before it is held, however late it was to come', () => {
    const run = message('a', { checkAfter: '12h' })
      .after(day / 2)
      .woke()
    expect(run.calls()).toEqual(['_local.check#1 nothing'])
  })
  it('held, it is let go by a resume, asked at once, and has another day', () => {
    const run = message('a').after(day).woke().after(minute).resume()
    expect(run.calls()).toEqual(['_local.check#1 nothing'])
    expect(run.after(day - 1).woke().transaction.held).toBeNull()
    expect(run.after(1).woke().transaction.held?.reason).toBe('undecided')
  })
  it('a decision that lets it go commits it', () => {
    expect(message('a').after(day).woke().letGo().commit().calls()).toEqual(['a.deliver#1 status'])
  })
  it('a rollback that lets it go has the check asked, also when somebody had it asked before', () => {
    const run = message('a').rollback().takeover().hold().takeover()
    // It was on its way when its owner died, and nobody came for a day.
    expect(run.after(day).letGo().rollback().calls()).toEqual(['_local.check#3 nothing'])
  })
})
