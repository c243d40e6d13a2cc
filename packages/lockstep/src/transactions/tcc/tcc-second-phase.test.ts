/** Confirms and cancels: all at once, each by itself until it is answered. One row is one state, one event, and all that must follow. */
import { describe, expect, it } from 'vitest'
import { TccRun } from '../../../test/coordinator/tcc-run.ts'

const tcc = (letters: string, body: ConstructorParameters<typeof TccRun>[1] = {}) => new TccRun(letters, body)

type Row = readonly [promise: string, run: () => TccRun, expected: string]

const secondPhase: readonly Row[] = [
  [
    'one confirm answered waits for the other',
    () => tcc('ab').commit().done('b'),
    'committing [active done] | next 660000',
  ],
  ['the last confirm commits', () => tcc('ab').commit().done('b').done('a'), 'committed [done done] | next -'],
  [
    'the last cancel ends the rollback',
    () => tcc('ab').rollback().done('a').done('b'),
    'rolled-back [reversed reversed] | next -',
  ],
  [
    'waking with calls out lets nothing leave',
    () => tcc('ab').commit().woke(),
    'committing [active active] | next 660000',
  ],
  ['unknown backs off by itself', () => tcc('ab').commit().unknown('a'), 'committing [active active] | next 100'],
  [
    'when its back-off is over, it alone is called again',
    () => tcc('ab').commit().unknown('a').after(100).woke(),
    'committing [active active] | a.confirm#2 status | next 659900',
  ],
  [
    'pending is asked again after a second',
    () => tcc('a').rollback().pending('a'),
    'rolling-back [active] | next 1000',
  ],
  ['or when it says', () => tcc('a').commit().pending('a', 30_000), 'committing [active] | next 30000'],
  ['what did not leave waits again', () => tcc('a').commit().notSent('a'), 'committing [active] | next 500'],
  [
    'and keeps its number',
    () => tcc('a').commit().notSent('a').after(500).woke(),
    'committing [active] | a.confirm#1 status | next 659500',
  ],
  [
    'a resume lets the calls leave that a hold kept back',
    () => tcc('a').hold().commit().resume(),
    'committing [active] | a.confirm#1 status | next 660001',
  ],
]

describe('the second phase', () => {
  it.each(secondPhase)('%s', (_, made, expected) => expect(made().show()).toBe(expected))
  it('confirm and cancel get the body of the try, at the target that was registered for them', () => {
    const registered = { name: 'a', confirm: 'http://x/yes', cancel: 'http://x/no', input: { seat: '4A' } }
    const run = () => tcc('').register({ name: 'a', work: registered, needs: [] })
    const call = { branch: 'a', input: { seat: '4A' }, timeoutMs: 10_000, needs: 'status' }
    expect(run().commit().commands).toMatchObject([{ ...call, operation: 'confirm', target: 'http://x/yes' }])
    expect(run().rollback().commands).toMatchObject([{ ...call, operation: 'cancel', target: 'http://x/no' }])
  })
})

describe('a late answer', () => {
  const again = () => tcc('a').commit().unknown('a').after(200).woke()
  it.each([
    ['of an earlier attempt', () => again().answer('a', { kind: 'done', output: 1 }, { number: 1 })],
    ['of a later attempt', () => again().answer('a', { kind: 'refused', reason: 1 }, { number: 3 })],
    [
      'of another operation',
      () => again().answer('a', { kind: 'done', output: 1 }, { operation: 'cancel', number: 2 }),
    ],
    [
      'that says "did not leave" of an earlier attempt',
      () => again().feed({ kind: 'not-sent', branch: 'a', operation: 'confirm', number: 1, retryAt: 0, missing: true }),
    ],
    [
      'of a branch that nobody registered',
      () => again().feed({ kind: 'not-sent', branch: 'z', operation: 'confirm', number: 1, retryAt: 0, missing: true }),
    ],
  ])('%s changes nothing', (_, made) => {
    const before = again().transaction
    expect({ ...made().transaction, nextAt: before.nextAt }).toEqual(before)
  })
})

describe('what a TCC shows', () => {
  it('its branches in the order of their registration, waiting before the decision', () => {
    expect(tcc('ba').describe()).toEqual({
      branches: [
        { name: 'b', state: 'waiting', output: null },
        { name: 'a', state: 'waiting', output: null },
      ],
      output: null,
      incomplete: false,
    })
  })
  it('no output before the end, although a confirm has answered', () => {
    const shown = tcc('ab').commit().done('a', { seat: '4A' }).describe()
    expect(shown).toMatchObject({ output: null, branches: [{ output: { seat: '4A' } }, { output: null }] })
  })
  it('at the end what the confirms have answered, by name', () => {
    expect(tcc('ab').commit().done('a', 1).done('b', { r: 2 }).describe().output).toEqual({ a: 1, b: { r: 2 } })
  })
  it('no output of a rollback, though a cancel has answered something', () => {
    expect(tcc('a').rollback().done('a', 'x').describe()).toEqual({
      branches: [{ name: 'a', state: 'reversed', output: null }],
      output: null,
      incomplete: false,
    })
  })
  it('that it is incomplete when an operator has skipped a branch', () => {
    const shown = tcc('ab').commit().done('a', 1).unknown('b').act('skip', 'b').describe()
    expect(shown).toMatchObject({ output: { a: 1 }, incomplete: true, branches: [{}, { state: 'skipped' }] })
  })
})
