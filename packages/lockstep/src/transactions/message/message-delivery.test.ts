/** What becomes of the deliveries of a committed message: each by itself, delayed, refused, stuck. */
import { describe, expect, it } from 'vitest'
import { deliveries, local, MessageRun } from '../../../test/coordinator/message-run.ts'

type Specs = Parameters<typeof deliveries>[1]
const committed = (letters: string, more: Specs = {}, options: ConstructorParameters<typeof MessageRun>[2] = {}) =>
  new MessageRun(deliveries(letters, more), {}, options).commit()
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const delayed = { a: { delay: 5_000 } }

type Row = readonly [promise: string, run: () => MessageRun, expected: string]

const rows: readonly Row[] = [
  [
    'one that is answered waits for the other',
    () => committed('ab').done('a'),
    'committing [done active] | next 600000',
  ],
  ['the last one commits', () => committed('ab').done('b').done('a'), 'committed [done done] | next -'],
  [
    'an unknown answer keeps no other one back',
    () => committed('ab').unknown('a').done('b'),
    'committing [active done] | next 100',
  ],
  [
    'it is delivered again when its own back-off is over',
    () => committed('ab').unknown('a').after(100).woke(),
    'committing [active active] | a.deliver#2 status | next 599900',
  ],
  [
    '"not yet" is delivered again when it says',
    () => committed('a').pending('a', 30_000),
    'committing [active] | next 30000',
  ],
  [
    'what did not leave keeps its number',
    () => committed('a').notSent('a').after(500).woke(),
    'committing [active] | a.deliver#1 status | next 599500',
  ],
  [
    'waking with the calls out lets nothing leave',
    () => committed('ab').woke(),
    'committing [active active] | next 600000',
  ],
  [
    'a delayed one waits, and the other does not',
    () => committed('ab', delayed),
    'committing [waiting active] | b.deliver#1 status | next 5000',
  ],
  [
    'nor does it leave a millisecond too early',
    () => committed('a', delayed).after(4_999).woke(),
    'committing [waiting] | next 1',
  ],
  [
    'at its time it leaves',
    () => committed('a', delayed).after(5_000).woke(),
    'committing [active] | a.deliver#1 status | next 600000',
  ],
  [
    'a delay counts from the decision, not from the begin',
    () => new MessageRun(deliveries('a', delayed)).after(minute).commit(),
    'committing [waiting] | next 5000',
  ],
  [
    'a claim does not shorten it',
    () => committed('a', delayed).after(1_000).claim(),
    'committing [waiting] | next 4000',
  ],
  ['nor does a takeover', () => committed('a', delayed).after(1_000).takeover(), 'committing [waiting] | next 4000'],
  [
    'nor a decision that is made late by a check',
    () => new MessageRun(deliveries('a', delayed)).after(hour).woke().says('commit'),
    'committing [waiting] | next 5000',
  ],
  [
    'one that is refused sticks, and the others go on',
    () => committed('ab').refused('a'),
    'committing [refused active] | next 600000',
  ],
  [
    'it is not called again',
    () => committed('ab').refused('a').unknown('b').after(hour).woke().done('b'),
    'committing held:delivery-refused [refused done] | next -',
  ],
  [
    'the message is held once the others are through',
    () => committed('ab').refused('a').done('b'),
    'committing held:delivery-refused [refused done] | next -',
  ],
  [
    'alone, it holds the message at once',
    () => committed('a').refused('a'),
    'committing held:delivery-refused [refused] | next -',
  ],
  [
    'a delayed one still has its turn before that',
    () => committed('ab', delayed).refused('b').woke(),
    'committing [waiting refused] | next 5000',
  ],
  [
    'a resume delivers what was refused again',
    () => committed('ab').refused('a').done('b').resume(),
    'committing [active done] | a.deliver#2 status | next 600001',
  ],
  [
    'and when it is taken then, it commits',
    () => committed('a').refused('a').resume().done('a'),
    'committed [done] | next -',
  ],
  [
    'a retry of it delivers it again while the others are out',
    () => committed('ab').refused('a').act('retry', 'a'),
    'committing [active active] | a.deliver#2 status | next 600000',
  ],
  [
    'a retry of another one does not',
    () => committed('ab').refused('a').act('retry', 'b'),
    'committing [refused active] | next 600000',
  ],
  [
    'a takeover does not either: its answer is known',
    () => committed('ab').refused('a').takeover(),
    'committing [refused active] | b.deliver#2 status | next 600000',
  ],
  [
    'skipped, it is settled',
    () => committed('ab').refused('a').done('b').letGo().act('skip', 'a'),
    'committed [skipped done] | next -',
  ],
]

describe('deliveries', () => {
  it.each(rows)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
  it('leave with their own payload, to their own receiver', () => {
    const call = { kind: 'call', operation: 'deliver', number: 1, timeoutMs: 10_000, needs: 'status' }
    expect(committed('ab').commands).toEqual([
      { ...call, branch: 'a', target: 'bar.a', input: { to: 'a' } },
      { ...call, branch: 'b', target: 'bar.b', input: { to: 'b' } },
    ])
  })
  it('are all that must be callable once it is decided: the producer is asked no more', () => {
    const run = new MessageRun(deliveries('a', { a: { to: 'pln.a' } }))
    expect(run.transaction.needs).toEqual(['orders', 'pln'])
    expect(run.commit().transaction.needs).toEqual(['pln'])
  })
  it('back off each by itself', () => {
    const run = committed('ab')
    for (let round = 0; round < 5; round++) run.unknown('a').after(minute).woke()
    run.unknown('a').unknown('b')
    expect([run.delivery('a').errand.tries.failures, run.delivery('b').errand.tries.failures]).toEqual([6, 1])
  })
  it('no count of attempts ends anything', () => {
    const run = committed('a', { a: { delay: '3d' } })
      .after(3 * day)
      .woke()
    for (let round = 0; round < 500; round++) run.unknown('a').after(minute).woke()
    expect([run.transaction.held, run.delivery('a').errand.tries.count]).toEqual([null, 500])
  })
  it.each([
    ['of an earlier attempt', { number: 1 }],
    ['of a later one', { number: 3 }],
    ['of another operation', { operation: 'check', number: 2 }],
  ] as const)('an answer %s changes nothing', (_, of) => {
    const run = committed('a').unknown('a').after(200).woke()
    const before = run.transaction
    run.answer('a', { kind: 'refused', reason: 'late' }, of)
    expect({ ...run.transaction, nextAt: before.nextAt }).toEqual(before)
  })
})

describe('what is stuck', () => {
  it('alerts at once, and holds the message with the details of all of them', () => {
    const run = committed('abc').refused('a', { code: 'gone' })
    expect(run.commands).toEqual([
      { kind: 'alert', alert: 'branch-stuck', detail: 'delivery-refused: a: {"code":"gone"}' },
    ])
    run.done('b').refused('c', 'full')
    expect([run.alerts, run.transaction.held]).toMatchObject([
      2,
      { reason: 'delivery-refused', by: 'lockstep', detail: 'a: {"code":"gone"}; c: "full"' },
    ])
  })
  it('is told in a readable length', () => {
    const run = committed('ab').refused('a', 'x'.repeat(2_000)).refused('b', 'y'.repeat(2_000))
    expect(run.transaction.held?.detail?.length).toBe(500)
  })
  it.each([
    [
      'older-than-barrier, as the receiver says',
      'older-than-barrier',
      (run: MessageRun) => run.unknown('a', { code: 'older-than-barrier' }),
    ],
    ['pending-too-long', 'pending-too-long', (run: MessageRun) => run.pending('a').after(day).woke().pending('a')],
    [
      'participant-missing, after a minute',
      'participant-missing',
      (run: MessageRun) => {
        for (let passed = 0; passed <= minute; passed += 5_000)
          run.notSent('a', { missing: true, retryInMs: 5_000 }).after(5_000).woke()
        return run
      },
    ],
  ] as const)('is %s: the others go on, then the message is held for it', (_, reason, end) => {
    // The age of a delayed message starts when the last of it is due, so that it is not what holds this one.
    const run = end(committed('ab', { b: { delay: '2d' } }))
    expect([run.alerts, run.transaction.held, run.delivery('a').stuck?.reason]).toEqual([1, null, reason])
    run
      .after((run.delivery('b').dueAt ?? 0) - run.now)
      .woke()
      .done('b')
    expect(run.transaction.held).toMatchObject({ reason, detail: 'a' })
    run.resume()
    if (run.calls().length === 0) run.after(minute).woke()
    expect(run.calls()[0]).toMatch(/^a\.deliver/)
  })
  it('by a missing participant is counted anew after a resume', () => {
    const run = committed('a')
    for (let passed = 0; passed <= minute; passed += 5_000)
      run.notSent('a', { missing: true, retryInMs: 5_000 }).after(5_000).woke()
    expect(run.transaction.held?.reason).toBe('participant-missing')
    run.after(hour).resume().notSent('a', { missing: true })
    expect([run.transaction.held, run.delivery('a').stuck]).toEqual([null, null])
  })
  it('a message that the barrier has forgotten as a whole lets nothing leave', () => {
    const run = committed('a', {}, { barrierRetentionMs: hour }).unknown('a').after(hour).woke()
    expect(run.show()).toBe('committing held:older-than-barrier [active] | next -')
    expect(run.letGo().act('skip', 'a').show()).toBe('committed [skipped] | next -')
  })
})

describe('age', () => {
  it('alerts as old once it is decided, and holds as too-old', () => {
    const run = committed('a')
      .unknown('a')
      .after(10 * minute)
      .woke()
    expect(run.commands.filter(({ kind }) => kind === 'alert')).toMatchObject([{ alert: 'old' }])
    expect(run.after(day - 10 * minute).woke().transaction.held?.reason).toBe('too-old')
  })
  it('starts when the last delivery is due', () => {
    const run = committed('ab', { a: { delay: '2d' } })
      .done('b')
      .after(2 * day)
      .woke()
    expect([run.alerts, run.transaction.held, run.calls()]).toEqual([0, null, ['a.deliver#1 status']])
    expect(run.after(10 * minute).woke().alerts).toBe(1)
    expect(run.after(day - 10 * minute).woke().transaction.held?.reason).toBe('too-old')
  })
  it('the last answer of what is too old is recorded, and a resume ends it', () => {
    const run = committed('a').after(day).woke().done('a', 'r')
    expect(run.show()).toBe('committing held:too-old [done] | next -')
    expect(run.resume().describe()).toMatchObject({ output: { a: 'r' }, incomplete: false })
  })
})

describe('what a message shows', () => {
  it('its deliveries in order, and no check before it was asked', () => {
    expect(new MessageRun(deliveries('ba')).describe()).toEqual({
      branches: [
        { name: 'b', state: 'waiting', output: null },
        { name: 'a', state: 'waiting', output: null },
      ],
      output: null,
      incomplete: false,
    })
  })
  it('the check behind them once it was asked, active while it is undecided', () => {
    const run = new MessageRun(deliveries('a')).after(2_000).woke()
    const check = (state: string) => ({ name: local, state, output: null })
    expect(run.describe().branches[1]).toEqual(check('active'))
    expect(run.unknown(local).describe().branches[1]).toEqual(check('active'))
    expect(run.after(100).woke().says('rollback').describe().branches[1]).toEqual(check('done'))
  })
  it('at its end what the receivers have answered, by name', () => {
    expect(committed('ab').done('a', { n: 1 }).done('b').describe().output).toEqual({ a: { n: 1 }, b: null })
  })
  it('no output of a rollback', () => {
    const run = new MessageRun(deliveries('a'), { checkBack: null }).rollback()
    expect(run.describe()).toMatchObject({ output: null, incomplete: false })
  })
  it('that it is incomplete when a delivery was skipped', () => {
    expect(committed('a').unknown('a').act('skip', 'a').describe()).toMatchObject({ output: {}, incomplete: true })
  })
})
