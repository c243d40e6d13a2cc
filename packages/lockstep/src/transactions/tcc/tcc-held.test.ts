/** Every reason for which the machine itself holds a TCC, the alert before it, and what a resume makes of it. */
import { describe, expect, it } from 'vitest'
import { TccRun } from '../../../test/coordinator/tcc-run.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
/** Unless given, a TCC has a minute to be decided, and its age starts there. */
const deadline = minute
const tcc = (letters: string, body: ConstructorParameters<typeof TccRun>[1] = {}) => new TccRun(letters, body)
const bothWays = [
  ['confirm', () => tcc('ab').commit(), 'committing'],
  ['cancel', () => tcc('ab').rollback(), 'rolling-back'],
] as const

describe.each(bothWays)('a refused %s', (operation, decided, status) => {
  it('is held at once, is no rollback or commit, and says what it was told', () => {
    const run = decided().refused('a', { code: 'frozen' })
    expect(run.show()).toBe(`${status} held:phase-two-refused [active active] | next -`)
    expect(run.transaction.held).toMatchObject({ by: 'lockstep', detail: `a ${operation}: {"code":"frozen"}` })
    expect(run.attempts()).toEqual([`a.${operation}#1 {"code":"frozen"}`])
  })
  it('lets the other call that is out finish, and nothing else leave', () => {
    const run = decided().refused('a').unknown('b').after(hour).woke()
    expect(run.show()).toBe(`${status} held:phase-two-refused [active active] | next -`)
    expect(run.attempts()).toHaveLength(2)
  })
  it('is tried again by a resume, and ends once it is answered', () => {
    const run = decided().refused('a').done('b').after(hour).resume()
    expect(run.calls()).toEqual([`a.${operation}#2 status`])
    expect(run.done('a').transaction).toMatchObject({ endedAt: run.now, held: null })
  })
  it('is held again when it is refused again', () => {
    const run = decided().refused('a').done('b').resume().refused('a')
    expect(run.transaction.held?.reason).toBe('phase-two-refused')
  })
  it('is never flipped, however often it is refused and resumed', () => {
    const run = decided()
    for (let round = 0; round < 5; round++) run.refused('a').resume()
    expect(run.transaction.status).toBe(status)
    expect(new Set(run.transaction.attempts.map((attempt) => attempt.operation))).toEqual(new Set([operation]))
  })
  it('leaves the first reason where it is held already', () => {
    expect(decided().hold('operator').refused('a').transaction.held?.reason).toBe('operator')
  })
})

describe('try-missing', () => {
  const missing = { code: 'try-missing' } as const
  it('is tried again until a minute after the deadline: the try may still be on its way', () => {
    const run = tcc('a').commit().unknown('a', missing)
    expect(run.show()).toBe('committing [active] | next 100')
    run
      .after(deadline + minute - 1)
      .woke()
      .unknown('a', missing)
    expect(run.transaction.held).toBeNull()
  })
  it('is held from then on, with the branch', () => {
    const run = tcc('a')
      .commit()
      .after(deadline + minute)
      .unknown('a', missing)
    expect(run.show()).toBe('committing held:try-missing [active] | next -')
    expect(run.transaction.held?.detail).toBe('a')
  })
  it('counts from the deadline that was given', () => {
    const run = tcc('a', { deadline: '2d' })
      .commit()
      .after(2 * day)
    expect(run.unknown('a', missing).transaction.held).toBeNull()
  })
  it('guards a forced commit as well', () => {
    const run = tcc('a')
      .act('force-commit')
      .after(deadline + minute)
      .unknown('a', missing)
    expect(run.transaction.held?.reason).toBe('try-missing')
  })
  it('is tried again by a resume', () => {
    const run = tcc('a')
      .commit()
      .after(deadline + minute)
      .unknown('a', missing)
      .resume()
    run.after(100).woke()
    expect(run.calls()).toEqual(['a.confirm#2 status'])
  })
})

describe.each(bothWays)('older-than-barrier, at a %s', (operation, decided, status) => {
  it('is held at once when a participant says so: nobody guesses about the past', () => {
    const run = decided().unknown('a', { code: 'older-than-barrier' })
    expect(run.show()).toBe(`${status} held:older-than-barrier [active active] | next -`)
  })
  it('no call leaves any more once the transaction is that old', () => {
    const run = new TccRun('a', {}, { barrierRetentionMs: hour })
    run[operation === 'confirm' ? 'commit' : 'rollback']().unknown('a')
    expect(
      run
        .after(hour - 1)
        .woke()
        .calls(),
    ).toEqual([`a.${operation}#2 status`])
    expect(
      run
        .unknown('a')
        .after(2 * minute)
        .woke()
        .show(),
    ).toBe(`${status} held:older-than-barrier [active] | next -`)
  })
})

describe('pending-too-long', () => {
  it('holds what asks for patience for 24 hours', () => {
    const run = tcc('a', { deadline: '2d' }).commit().pending('a')
    for (let hours = 0; hours < 24; hours++) {
      expect(run.transaction.held).toBeNull()
      run.after(hour).woke().pending('a', hour)
    }
    expect(run.show()).toBe('committing held:pending-too-long [active] | next -')
  })
  it('is counted anew after a resume', () => {
    const run = tcc('a', { deadline: '3d' }).rollback().pending('a').after(day).woke().pending('a')
    expect(run.transaction.held?.reason).toBe('pending-too-long')
    expect(
      run
        .resume()
        .after(2 * hour)
        .woke()
        .pending('a').transaction.held,
    ).toBeNull()
  })
})

describe('participant-missing', () => {
  const missing = (run: TccRun, forMs: number) => {
    for (let passed = 0; passed < forMs; passed += 5_000)
      run.woke().notSent('a', { missing: true, retryInMs: 5_000 }).after(5_000)
    return run
  }
  it.each([
    ['a confirm', () => tcc('a', { deadline: '3d' }).commit(), 'committing'],
    ['a cancel', () => tcc('a', { deadline: '3d' }).rollback(), 'rolling-back'],
  ] as const)(
    'holds %s after a minute, however far ahead the deadline is, and costs no attempt',
    (_, decided, status) => {
      const run = missing(decided(), minute)
      expect([run.transaction.held, run.transaction.attempts]).toEqual([null, []])
      run.woke().notSent('a', { missing: true })
      expect(run.show()).toBe(`${status} held:participant-missing [active] | next -`)
    },
  )
  it('is not put off by a deadline that passes meanwhile', () => {
    const run = missing(tcc('a').commit(), minute).woke().notSent('a', { missing: true })
    expect(run.transaction.held?.reason).toBe('participant-missing')
  })
  it('is counted anew once it could be called', () => {
    const run = missing(tcc('a').commit(), minute).woke().unknown('a').after(minute).woke()
    expect(run.notSent('a', { missing: true }).transaction.held).toBeNull()
  })
  it('is counted anew after a resume', () => {
    const run = missing(tcc('a').commit(), minute).woke().notSent('a', { missing: true }).after(hour).resume()
    expect(run.notSent('a', { missing: true }).transaction.held).toBeNull()
  })
  it('a breaker that is open is not a missing participant', () => {
    const run = tcc('a').commit()
    for (let round = 0; round < 5; round++) run.notSent('a').after(hour).woke()
    expect(run.transaction.held).toBeNull()
  })
})

describe('age', () => {
  it('alerts ten minutes after the deadline, once', () => {
    const run = tcc('a')
      .commit()
      .after(deadline + 10 * minute - 1)
      .woke()
    expect(run.alerts).toBe(0)
    expect(run.after(1).woke().commands).toEqual([{ kind: 'alert', alert: 'old', detail: 'unfinished for 10 minutes' }])
    expect(run.after(5 * minute).woke().alerts).toBe(1)
    expect(run.transaction.nextAt).toBe(run.transaction.ageFrom + day)
  })
  it('holds 24 hours after the deadline as too-old, not a millisecond before', () => {
    const run = tcc('a')
      .rollback()
      .after(deadline + day - 1)
      .woke()
    expect(run.transaction.held).toBeNull()
    expect(run.after(1).woke().show()).toBe('rolling-back held:too-old [active] | next -')
  })
  it('counts from a deadline that lies far ahead', () => {
    const run = tcc('a', { deadline: '3d' })
      .commit()
      .after(3 * day)
      .woke()
    expect([run.transaction.held, run.alerts]).toEqual([null, 0])
    expect(run.after(10 * minute).woke().alerts).toBe(1)
  })
  it('starts again with a resume', () => {
    const run = tcc('a')
      .commit()
      .after(2 * day)
      .woke()
      .after(hour)
      .resume()
    expect(run.after(day - 1).woke().transaction.held).toBeNull()
    expect(run.after(1).woke().transaction.held?.reason).toBe('too-old')
  })
  it('alerts nobody of what waits for its decision: the deadline decides it', () => {
    const run = tcc('a', { deadline: '3d' })
      .after(2 * day)
      .woke()
    expect([run.alerts, run.show()]).toEqual([0, `prepared [waiting] | next ${day}`])
  })
  it('the last answer of what is too old is recorded, and a resume ends it', () => {
    const run = tcc('a')
      .commit()
      .after(2 * day)
      .woke()
      .done('a', 'r')
    expect(run.show()).toBe('committing held:too-old [done] | next -')
    expect(run.resume().show()).toBe('committed [done] | next -')
  })
})

it('no count of attempts ends anything', () => {
  const run = tcc('a', { deadline: '3d' }).commit()
  for (let round = 0; round < 500; round++)
    run
      .unknown('a')
      .after(2 * minute)
      .woke()
  expect([run.transaction.held, run.branch('a').errand.tries.count]).toEqual([null, 500])
})
