/** Every reason for which the machine itself holds a saga, the alert before it, and how attempts are counted on the way there. */
import { describe, expect, it } from 'vitest'
import { beganAt, SagaRun, steps } from '../../../test/coordinator/saga-run.ts'
import { backOffMs } from '../back-off.ts'

const minute = 60_000
const day = 24 * 60 * minute
const limited = (limit: number) => new SagaRun(steps('a', { a: { retry: { limit } } }))
/** Lets `times` attempts end as `end` says. */
function attempts(run: SagaRun, times: number, end: (run: SagaRun) => SagaRun): SagaRun {
  for (let round = 0; round < times; round++) end(run.woke()).after(2 * minute)
  return run
}

describe('age', () => {
  it('alerts after ten minutes, once', () => {
    const run = new SagaRun(steps('a'))
      .woke()
      .after(10 * minute - 1)
      .woke()
    expect(run.alerts).toBe(0)
    expect(run.after(1).woke().alerts).toBe(1)
    expect(run.after(5 * minute).woke().alerts).toBe(1)
    expect(run.saga.nextAt).toBe(run.saga.ageFrom + day)
  })
  it('alerts again after a resume', () => {
    const run = new SagaRun(steps('a'))
      .woke()
      .after(10 * minute)
      .woke()
      .hold()
      .after(minute)
      .resume()
    expect(run.alerts).toBe(1)
    expect(run.after(10 * minute).woke().alerts).toBe(2)
  })
  it('holds after 24 hours as too-old, not a millisecond before', () => {
    const run = new SagaRun(steps('a'))
      .woke()
      .after(day - 1)
      .woke()
    expect(run.saga.held).toBeNull()
    expect(run.after(1).woke().show()).toBe('committing held:too-old [active] | next -')
  })
  it('holds a saga that rolls back as well', () => {
    const run = new SagaRun(steps('ab')).woke().done('a').refused('b').after(day).woke()
    expect(run.show()).toBe('rolling-back held:too-old [done refused] | next -')
  })
  it('starts at a deadline that lies ahead', () => {
    const run = new SagaRun(steps('a'), { deadline: '2d' })
      .woke()
      .after(day + minute)
      .woke()
    expect([run.saga.held, run.alerts]).toEqual([null, 0])
  })
  it('starts again with a resume', () => {
    const run = new SagaRun(steps('a')).woke().after(day).woke().resume()
    expect(run.saga.held).toBeNull()
    expect(run.after(day - 1).woke().saga.held).toBeNull()
    expect(run.after(1).woke().saga.held?.reason).toBe('too-old')
  })
  it('the last answer of a saga that is too old is recorded, and resume ends it', () => {
    const run = new SagaRun(steps('a')).woke().after(day).woke().done('a')
    expect(run.show()).toBe('committing held:too-old [done] | next -')
    expect(run.resume().show()).toBe('committed [done] | next -')
  })
})

describe('limit-spent', () => {
  it('holds at the attempt that spends it, and never retries at once', () => {
    expect(attempts(limited(3), 2, (run) => run.unknown('a')).saga.held).toBeNull()
    const spent = attempts(limited(3), 3, (run) => run.unknown('a'))
    expect(spent.show()).toMatch(/^committing held:limit-spent \[active\] \| next -/)
    expect(spent.saga.held?.detail).toBe('a: 3 attempts')
  })
  it.each([
    ['an attempt that never reached its endpoint', (run: SagaRun) => run.unknown('a', { unreached: true })],
    ['a call that did not leave', (run: SagaRun) => run.notSent('a')],
    ['"ask again"', (run: SagaRun) => run.pending('a')],
    ['a takeover', (run: SagaRun) => run.takeover()],
  ])('is not spent by %s', (_, end) => {
    const run = attempts(limited(1), 5, end)
    expect(run.saga.held).toBeNull()
    expect(run.woke().unknown('a').saga.held?.reason).toBe('limit-spent')
  })
  it('is counted anew after a resume', () => {
    const run = attempts(limited(2), 2, (one) => one.unknown('a')).resume()
    expect(
      run
        .after(2 * minute)
        .woke()
        .unknown('a').saga.held,
    ).toBeNull()
    expect(
      run
        .after(2 * minute)
        .woke()
        .unknown('a').saga.held?.reason,
    ).toBe('limit-spent')
  })
  it('counts the compensation by itself', () => {
    const run = limited(2).woke().unknown('a').after(minute).woke().refused('a')
    expect(run.unknown('a').saga.held).toBeNull()
    expect(run.after(minute).woke().unknown('a').saga.held?.reason).toBe('limit-spent')
  })
  it('without it nothing is held for a count', () => {
    const run = new SagaRun(steps('a'))
    for (let round = 0; round < 500; round++)
      run
        .after(2 * minute)
        .woke()
        .unknown('a')
    expect(run.saga.held).toBeNull()
    expect(run.step('a').action.count).toBe(500)
  })
})

describe('output-missing', () => {
  const refers = (path: string) => steps('ab', { b: { input: { x: { $output: 'a', path } } } })
  it('holds before the step leaves, and says what is missing', () => {
    const run = new SagaRun(refers('/none')).woke().done('a', { some: 1 })
    expect(run.show()).toBe('committing held:output-missing [done waiting] | next -')
    expect(run.saga.held?.detail).toContain('a/none')
  })
  it('a value of null is a value', () => {
    expect(new SagaRun(refers('/none')).woke().done('a', { none: null }).calls()).toEqual(['b.action#1 state'])
  })
  it('an output that is null as a whole is found by the empty pointer', () => {
    expect(new SagaRun(refers('')).woke().done('a', null).calls()).toEqual(['b.action#1 state'])
  })
  it('a skipped step has no output', () => {
    const run = new SagaRun(refers('')).woke().unknown('a').act('skip', 'a')
    expect(run.saga.held?.reason).toBe('output-missing')
  })
  it('a rollback leaves alone what never had its input', () => {
    const run = new SagaRun(refers('/none')).woke().done('a', {}).cancel().resume()
    expect(run.calls()).toEqual(['a.compensate#1 status'])
    expect(run.done('a').show()).toBe('rolled-back [reversed waiting] | next -')
  })
  it('also when somebody took it over before it was held', () => {
    const run = new SagaRun(refers('/none')).woke().done('a', {}).resume()
    // The resume was claimed, and its owner died before it could hold the saga again.
    run.saga = { ...run.saga, held: null }
    expect(run.takeover().saga.held?.reason).toBe('output-missing')
    run.cancel().resume()
    expect(run.calls()).toEqual(['a.compensate#1 status'])
    expect(run.done('a').saga.status).toBe('rolled-back')
  })
  it('a compensation gets its input although the step it refers to was skipped meanwhile', () => {
    const run = new SagaRun(steps('abc', { b: { input: { x: { $output: 'a', path: '/r' } } } }))
    run.woke().done('a', { r: 1 }).done('b').refused('c').act('skip', 'a').done('c')
    expect(run.commands).toMatchObject([{ branch: 'b', operation: 'compensate', input: { x: 1 } }])
  })
})

describe('pending-too-long', () => {
  it('holds what asks for patience for 24 hours, before the age of its deadline does', () => {
    const run = new SagaRun(steps('a'), { deadline: '2d' }).woke().pending('a').cancel()
    for (let hours = 0; hours < 24; hours++)
      run
        .pending('a', 60 * minute)
        .after(60 * minute)
        .woke()
    expect(run.saga.held).toBeNull()
    expect(run.pending('a').saga.held?.reason).toBe('pending-too-long')
  })
  it('is counted from the first of its kind: an unknown between starts it anew', () => {
    const run = new SagaRun(steps('a'))
      .woke()
      .pending('a')
      .after(minute)
      .woke()
      .unknown('a')
      .after(minute)
      .woke()
      .pending('a')
    expect(run.step('a').action.pendingFrom).toBe(run.now)
  })
  it('counts no failure: the back-off starts at its beginning', () => {
    const run = attempts(new SagaRun(steps('a')), 4, (one) => one.unknown('a'))
      .woke()
      .pending('a')
      .after(minute)
      .woke()
      .unknown('a')
    expect(run.step('a').action.failures).toBe(1)
  })
  it.each([
    ['at once', 0, 200],
    ['in the past', -5_000, 200],
    ['in a second', 1_000, 1_000],
  ])('is asked again %s no sooner than a back-off would', (_, retryAfterMs, afterMs) => {
    const run = new SagaRun(steps('a')).woke().pending('a', retryAfterMs)
    expect((run.step('a').action.retryAt ?? 0) - run.now).toBe(afterMs)
  })
  it('is asked more and more rarely: every attempt is stored', () => {
    const run = new SagaRun(steps('a')).woke().pending('a')
    for (let asked = 1; asked < 1_000 && run.now < beganAt + 12 * 3_600_000; asked++)
      run.after(10_000).woke().pending('a')
    expect((run.step('a').action.retryAt ?? 0) - run.now).toBe(10_000)
    expect(run.step('a').action.count).toBeLessThan(5_000)
  })
  it('asks for at most an hour of patience at a time', () => {
    expect(
      new SagaRun(steps('a'), { deadline: '3d' })
        .woke()
        .pending('a', 5 * 60 * minute)
        .show(),
    ).toMatch(/next 3600000$/)
  })
})

describe('participant-missing', () => {
  const missing = (run: SagaRun, forMs: number) => {
    for (let passed = 0; passed < forMs; passed += 5_000)
      run.woke().notSent('a', { missing: true, retryInMs: 5_000 }).after(5_000)
    return run
  }
  it('holds after a minute, and costs no attempt', () => {
    const run = missing(new SagaRun(steps('a')), minute)
    expect([run.saga.held, run.saga.attempts]).toEqual([null, []])
    expect(run.woke().notSent('a', { missing: true }).show()).toBe(
      'committing held:participant-missing [waiting] | next -',
    )
  })
  it('is counted anew once it could be called', () => {
    const run = missing(new SagaRun(steps('ab')), 30_000)
      .woke()
      .done('a')
      .after(day / 2)
    expect(run.notSent('b', { missing: true }).saga.held).toBeNull()
  })
  it('one step that answers does not hide another that nobody can call', () => {
    const run = new SagaRun(steps('ab'), { concurrent: true })
    for (let passed = 0; passed <= minute; passed += 5_000) {
      run.woke().notSent('a', { missing: true, retryInMs: 5_000 }).unknown('b').after(5_000)
    }
    expect(run.saga.held?.reason).toBe('participant-missing')
  })
  it('holds a compensation as well, however far ahead the deadline was', () => {
    const run = new SagaRun(steps('a'), { deadline: '3d' }).woke().unknown('a').cancel()
    expect(missing(run, minute).woke().notSent('a', { missing: true }).saga.held?.reason).toBe('participant-missing')
  })
  it('is counted anew after a resume', () => {
    const run = missing(new SagaRun(steps('a')), minute)
      .woke()
      .notSent('a', { missing: true })
      .after(minute)
      .resume()
    expect(run.notSent('a', { missing: true }).saga.held).toBeNull()
  })
  it('a breaker that is open is not a missing participant', () => {
    expect(attempts(new SagaRun(steps('a')), 3, (run) => run.notSent('a')).saga.held).toBeNull()
  })
})

describe('compensation-refused and older-than-barrier', () => {
  it('a refused compensation says what it was told, and resume tries it again', () => {
    const run = new SagaRun(steps('a')).woke().unknown('a').cancel().refused('a', { code: 'frozen' })
    expect(run.saga.held).toMatchObject({
      reason: 'compensation-refused',
      by: 'lockstep',
      detail: 'a: {"code":"frozen"}',
    })
    expect(run.resume().calls()).toEqual(['a.compensate#2 status'])
  })
  it.each([
    ['forward', () => new SagaRun(steps('a')).woke()],
    ['backward', () => new SagaRun(steps('a')).woke().unknown('a').cancel()],
  ])('what the barrier no longer remembers is held at once, %s', (_, made) => {
    expect(made().unknown('a', { code: 'older-than-barrier' }).saga.held?.reason).toBe('older-than-barrier')
  })
  it('while rolling back, the troubles of an action hold nothing', () => {
    const run = new SagaRun(steps('ab', { b: { retry: { limit: 1 } } }), { concurrent: true }).woke().refused('a')
    expect(run.unknown('b').saga.held).toBeNull()
  })
  it('a hold that is there already keeps its reason', () => {
    const run = limited(1).woke().hold('operator').unknown('a')
    expect(run.saga.held?.reason).toBe('operator')
  })
})

describe('back-off', () => {
  it.each([
    [1, 200],
    [2, 400],
    [9, 51_200],
    [10, minute],
    [1_000_000, minute],
  ])('after %i failures in a row it is anything up to %i ms', (failures, ceiling) => {
    expect(backOffMs(failures, 0)).toBe(0)
    expect(backOffMs(failures, 0.5)).toBe(ceiling / 2)
    expect(backOffMs(failures, 0.999_999_999)).toBe(ceiling)
  })
  it.each([
    [1_000, 1_000],
    [90 * minute, 60 * minute],
    [Number.POSITIVE_INFINITY, 60 * minute],
    [-5, 100],
  ])('Retry-After of %i ms is a lower bound, of an hour at most', (retryAfterMs, expected) => {
    expect(new SagaRun(steps('a')).woke().unknown('a', { retryAfterMs }).step('a').action.retryAt).toBe(
      beganAt + expected,
    )
  })
  it('grows with each failure, and starts anew after an answer', () => {
    const run = attempts(new SagaRun(steps('ab')), 4, (one) => one.unknown('a'))
      .woke()
      .done('a')
      .unknown('b')
    expect(run.step('a').action.failures).toBe(4)
    expect(run.step('b').action.retryAt).toBe(run.now + 100)
  })
})
