/** How a message is decided, by whom, and how long it may stay undecided. One row is one state and one event. */
import { describe, expect, it } from 'vitest'
import { deliveries, local, MessageRun } from '../../../test/coordinator/message-run.ts'

type Body = ConstructorParameters<typeof MessageRun>[1]
const message = (letters: string, body: Body = {}) => new MessageRun(deliveries(letters), body)
/** Nobody can be asked: the initiator alone decides. */
const unchecked = (letters: string) => message(letters, { checkBack: null })
/** Two seconds after its begin it is asked first. */
const firstAt = 2_000
const asked = (letters = 'ab') => message(letters).after(firstAt).woke()
const minute = 60_000

type Row = readonly [promise: string, run: () => MessageRun, expected: string]

const decisions: readonly Row[] = [
  [
    'commit lets every delivery leave at once, each after the status',
    () => message('ab').commit(),
    'committing [active active] | a.deliver#1 status | b.deliver#1 status | next 600000',
  ],
  [
    'commit while the check is out does not wait for it',
    () => asked('a').commit(),
    'committing [active] | a.deliver#1 status | next 600000',
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
    // A check that is out is heard first.
    run.after(1)
    const ended = run.transaction.state.check.flight === null ? run.woke() : run.unknown('_local')
    expect(ended.show()).toBe('prepared held:undecided [waiting] | next -')
  })
  it('a decision by a check that was out when the day was over is taken at once', () => {
    const run = message('a')
      .after(day - 1)
      .woke()
      .after(2)
      .woke()
    expect(run.transaction.held).toBeNull()
    expect(run.done('_local', { decision: 'commit' }).calls()).toEqual(['a.deliver#1 status'])
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
    expect(run.after(1).unknown('_local').transaction.held?.reason).toBe('undecided')
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
