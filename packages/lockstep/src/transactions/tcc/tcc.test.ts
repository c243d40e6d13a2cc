/** The transition table of the TCC: one row is one state, one event, and all that must follow. One letter is one registered branch. */
import { describe, expect, it } from 'vitest'
import { TccRun } from '../../../test/coordinator/tcc-run.ts'

const tcc = (letters: string, body: ConstructorParameters<typeof TccRun>[1] = {}) => new TccRun(letters, body)
/** Unless given, the deadline of a TCC is a minute after its begin. */
const minute = 60_000

type Row = readonly [promise: string, run: () => TccRun, expected: string]

const prepared: readonly Row[] = [
  ['begun, it waits for its deadline', () => tcc('').woke(), 'prepared [] | next 60000'],
  ['a registered branch waits, and nothing is called', () => tcc('a'), 'prepared [waiting] | next 60000'],
  ['another one joins it', () => tcc('ab'), 'prepared [waiting waiting] | next 60000'],
  ['waking changes nothing', () => tcc('a').after(5_000).woke(), 'prepared [waiting] | next 55000'],
  ['the same branch again is repeated', () => tcc('a').add('a'), 'prepared [waiting] | repeated | next 60000'],
  [
    'a branch of that name with another input is another one',
    () => tcc('a').add('a', { input: { seat: '4B' } }),
    'prepared [waiting] | LOCKSTEP_ID_REUSED | next 60000',
  ],
  [
    'with another participant as well',
    () => tcc('a').add('a', { participant: 'bar.z' }),
    'prepared [waiting] | LOCKSTEP_ID_REUSED | next 60000',
  ],
  [
    'a claim of what is prepared adds nothing and calls nobody',
    () => tcc('a').claim(),
    'prepared [waiting] | next 60000',
  ],
]

const decisions: readonly Row[] = [
  [
    'commit lets every confirm leave at once, each after the status',
    () => tcc('ab').commit(),
    'committing [active active] | a.confirm#1 status | b.confirm#1 status | next 660000',
  ],
  [
    'rollback lets every cancel leave at once, each after the status',
    () => tcc('ab').rollback(),
    'rolling-back [active active] | a.cancel#1 status | b.cancel#1 status | next 660000',
  ],
  ['commit of nothing ends at once', () => tcc('').commit(), 'committed [] | next -'],
  ['rollback of nothing ends at once', () => tcc('').rollback(), 'rolled-back [] | next -'],
  [
    'the same commit again is repeated',
    () => tcc('a').commit().commit(),
    'committing [active] | repeated | next 660000',
  ],
  [
    'the same rollback again is repeated',
    () => tcc('a').rollback().rollback(),
    'rolling-back [active] | repeated | next 660000',
  ],
  ['commit at the end is repeated', () => tcc('a').commit().done('a').commit(), 'committed [done] | repeated | next -'],
  [
    'rollback at the end is repeated',
    () => tcc('a').rollback().done('a').rollback(),
    'rolled-back [reversed] | repeated | next -',
  ],
  [
    'rollback when committing is refused',
    () => tcc('a').commit().rollback(),
    'committing [active] | LOCKSTEP_ALREADY_COMMITTING | next 660000',
  ],
  [
    'rollback when committed is refused',
    () => tcc('').commit().rollback(),
    'committed [] | LOCKSTEP_ALREADY_COMMITTING | next -',
  ],
  [
    'commit when rolling back is refused',
    () => tcc('a').rollback().commit(),
    'rolling-back [active] | LOCKSTEP_ALREADY_ROLLING_BACK | next 660000',
  ],
  [
    'commit when rolled back is refused',
    () => tcc('').rollback().commit(),
    'rolled-back [] | LOCKSTEP_ALREADY_ROLLING_BACK | next -',
  ],
  [
    'a registration after the commit is refused',
    () => tcc('a').commit().add('b'),
    'committing [active] | LOCKSTEP_DECIDED | next 660000',
  ],
  [
    'a registration after the rollback is refused',
    () => tcc('a').rollback().add('b'),
    'rolling-back [active] | LOCKSTEP_DECIDED | next 660000',
  ],
  ['a registration at the end is refused', () => tcc('').commit().add('b'), 'committed [] | LOCKSTEP_DECIDED | next -'],
  [
    'what was registered is still repeated after the decision',
    () => tcc('a').commit().add('a'),
    'committing [active] | repeated | next 660000',
  ],
  [
    'and still refused with other content',
    () => tcc('a').commit().add('a', { input: 1 }),
    'committing [active] | LOCKSTEP_ID_REUSED | next 660000',
  ],
  [
    'commit while held is taken, and nothing leaves',
    () => tcc('a').hold().commit(),
    'committing held:operator [waiting] | next -',
  ],
  [
    'rollback while held is taken, and nothing leaves',
    () => tcc('a').hold().rollback(),
    'rolling-back held:operator [waiting] | next -',
  ],
  [
    'a registration while held is taken',
    () => tcc('a').hold().add('b'),
    'prepared held:operator [waiting waiting] | next -',
  ],
]

const deadlines: readonly Row[] = [
  [
    'one millisecond before it decides nothing',
    () =>
      tcc('a')
        .after(minute - 1)
        .woke(),
    'prepared [waiting] | next 1',
  ],
  [
    'it cancels every registered branch, answered or not',
    () => tcc('abc').after(minute).woke(),
    'rolling-back [active active active] | a.cancel#1 status | b.cancel#1 status | c.cancel#1 status | next 600000',
  ],
  ['with nothing registered it ends', () => tcc('').after(minute).woke(), 'rolled-back [] | next -'],
  [
    'it decides in a claim',
    () => tcc('a').after(minute).claim(),
    'rolling-back [active] | a.cancel#1 status | next 600000',
  ],
  [
    'a commit that comes after it, and first, still wins',
    () =>
      tcc('a')
        .after(2 * minute)
        .commit(),
    'committing [active] | a.confirm#1 status | next 540000',
  ],
  [
    'a commit that comes after its rollback is refused',
    () => tcc('a').after(minute).woke().commit(),
    'rolling-back [active] | LOCKSTEP_ALREADY_ROLLING_BACK | next 600000',
  ],
  [
    'a registration that comes after it cancels that branch as well',
    () => tcc('a').after(minute).add('b'),
    'rolling-back [active active] | a.cancel#1 status | b.cancel#1 status | next 600000',
  ],
  [
    'once committing it means nothing',
    () =>
      tcc('a')
        .commit()
        .after(2 * minute)
        .woke(),
    'committing [active] | next 540000',
  ],
  [
    'it runs on while held, and decides with the resume',
    () =>
      tcc('a')
        .hold()
        .after(2 * minute)
        .resume(),
    'rolling-back [active] | a.cancel#1 status | next 600000',
  ],
  [
    'while held it decides nothing by itself',
    () =>
      tcc('a')
        .hold()
        .after(2 * minute)
        .woke(),
    'prepared held:operator [waiting] | next -',
  ],
]

describe('prepared', () => {
  it.each(prepared)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
  it('a registration brings its service: an instance must be able to call it', () => {
    const run = tcc('b').add('a', { participant: 'pln.a' }).add('c', { participant: 'bar.c' })
    expect(run.transaction.needs).toEqual(['bar', 'pln'])
  })
  it('a branch by URL brings none', () => {
    const body = { participant: 'bar.x', confirm: 'http://x/1', cancel: 'http://x/2' }
    const { participant: _, ...urls } = body
    const run = tcc('').register({ name: 'a', work: { name: 'a', ...urls, input: null }, needs: [] })
    expect([run.transaction.needs, run.commit().commands]).toMatchObject([[], [{ target: 'http://x/1' }]])
  })
  it('500 branches are as many as there may be', () => {
    const run = tcc('')
    for (let n = 0; n < 500; n++) run.add(`b${n}`, { participant: 'bar.x' })
    expect([run.refusal, run.names().length]).toEqual([undefined, 500])
    expect(run.add('more').refusal?.code).toBe('LOCKSTEP_INVALID_REQUEST')
    expect(run.add('b0', { participant: 'bar.x' }).repeated).toBe(true)
  })
  it('begins no other transaction', () => {
    expect(tcc('a').feed({ kind: 'begun', branch: 'a', refusal: null }).refusal?.code).toBe(
      'LOCKSTEP_ACTION_NOT_ALLOWED',
    )
  })
})
describe('decisions', () => {
  it.each(decisions)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
})
describe('the deadline', () => {
  it.each(deadlines)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
})
describe('what a rollback says of itself', () => {
  it.each([
    ['cancelled', () => tcc('a').rollback()],
    ['deadline', () => tcc('a').after(minute).woke()],
    ['forced', () => tcc('a').act('force-rollback')],
  ])('%s', (code, made) => expect(made().transaction.reason).toMatchObject({ branch: null, body: { code } }))
  it('a commit says nothing', () => expect(tcc('a').commit().transaction.reason).toBeNull())
})
