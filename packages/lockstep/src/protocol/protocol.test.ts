import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLockstepError } from '../errors.ts'
import { canonicalJson } from './canonical-json.ts'
import { durationMs, parseDurationMs } from './duration.ts'
import { isBranchHeader, isName, isTransactionId, splitParticipantName } from './names.ts'
import { parseJson } from './parse-json.ts'

describe('names', () => {
  it.each([
    ['order-42', true],
    ['a'.repeat(128), true],
    ['a'.repeat(129), false],
    ['', false],
    ['.', false],
    ['..', false],
    ['...', true],
    ['_x', true],
    ['a b', false],
    ['a\n', false],
    ['é', false],
    ['a/b', false],
    ['a~b:c.d_e-f', true],
  ])('transaction id %j: %s', (id, valid) => expect(isTransactionId(id)).toBe(valid))

  it('keeps names with a leading underscore for itself', () => {
    expect([isName('_local'), isBranchHeader('_local'), isName('debit'), isName('a'.repeat(65))]).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  it('parts a participant at the first dot', () => {
    expect(splitParticipantName('bank-a.debit')).toEqual({ service: 'bank-a', name: 'debit' })
    expect(splitParticipantName('bank-a.account.debit')).toEqual({ service: 'bank-a', name: 'account.debit' })
    for (const bad of ['debit', '.debit', 'bank-a.', 'bank-a..', 'bank-a._x', 'http://x.y'])
      expect(splitParticipantName(bad)).toBeNull()
  })
})

describe('canonical JSON', () => {
  it('writes the examples of RFC 8785', () => {
    const value = {
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    }
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
    const sorted = {
      '\u20ac': 'E',
      '\r': 'C',
      '\ufb33': 'H',
      '1': 'O',
      '\ud83d\ude00': 'S',
      '\u0080': 'X',
      '\u00f6': 'L',
    }
    expect(Object.values(JSON.parse(canonicalJson(sorted)))).toEqual(['O', 'C', 'X', 'L', 'E', 'S', 'H'])
  })

  it('is the same for equal content in any order, and comes back equal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // What JavaScript cannot hold exactly is refused, and has tests of its own.
        fc.pre(!JSON.stringify(value).match(/\d{16}/))
        const text = canonicalJson(value)
        expect(canonicalJson(JSON.parse(text))).toBe(text)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 500 },
    )
  })

  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  it.each([
    ['NaN', Number.NaN],
    ['Infinity', [Number.POSITIVE_INFINITY]],
    ['an integer beyond 2^53', { a: 2 ** 53 + 2 }],
    ['a bigint', 1n],
    ['undefined', undefined],
    ['a function', () => 1],
    ['a Date', { at: new Date() }],
    ['a Map', new Map()],
    ['half a surrogate pair', 'x\ud83d'],
    ['half a surrogate pair as a key', { '\udc00': 1 }],
    ['a cycle', cyclic],
  ])('refuses %s', (_name, value) => {
    expect(() => canonicalJson(value)).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_INVALID_REQUEST' }))
  })
})

describe('a body from outside', () => {
  it.each([
    ['broken JSON', '{"a":'],
    ['a prototype', '{"a":{"__proto__":{"b":1}}}'],
    ['an escaped prototype', '{"\\u005f_proto__":1}'],
    ['a constructor with a prototype', '[{"constructor":{"prototype":{}}}]'],
    ['depth 33', '['.repeat(33) + ']'.repeat(33)],
    ['2,001 keys', JSON.stringify(Object.fromEntries(Array.from({ length: 2_001 }, (_, n) => [`k${n}`, 1])))],
    ['an integer that loses digits', '{"id":12345678901234567890}'],
    ['a fraction that loses digits', '0.12345678901234567891'],
    ['a number beyond all doubles', '1e400'],
  ])('with %s is refused', (_name, text) => {
    expect(() => parseJson(text)).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_INVALID_REQUEST' }))
  })

  it.each([
    '{"constructor":"Frank"}',
    '1e3',
    '1.50',
    '-0',
    '0.0',
    '9007199254740991',
    '1E+2',
    '100000000000000000000',
    '"12345678901234567890"',
    `${'['.repeat(32)}${']'.repeat(32)}`,
  ])('%s is taken as it is', (text) => expect(parseJson(text)).toEqual(JSON.parse(text)))

  it('does not spread a payload through error messages', () => {
    try {
      parseJson('{"secret":"4711"')
    } catch (error) {
      expect(isLockstepError(error) && error.message).not.toContain('4711')
    }
    expect.assertions(1)
  })
})

describe('durations', () => {
  it.each([
    [250, 250],
    ['250ms', 250],
    ['2s', 2_000],
    ['2.3s', 2_300],
    ['10m', 600_000],
    ['1.5h', 5_400_000],
    ['3d', 259_200_000],
    [0, 0],
  ])('%j is %d ms', (text, ms) => expect([durationMs(text, 'wait'), parseDurationMs(text)]).toEqual([ms, ms]))

  it.each([
    '10',
    '',
    '-1s',
    '1w',
    '1e3s',
    ' 1s',
    '0.3ms',
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '999999d',
    null,
    {},
  ])('%j is refused', (value) => {
    expect(() => durationMs(value, 'wait')).toThrowError(/^wait must be/)
    expect(() => parseDurationMs(value)).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_INVALID_REQUEST' }))
  })
})
