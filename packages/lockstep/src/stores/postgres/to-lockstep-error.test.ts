import { expect, test } from 'vitest'
import { isDataError, toLockstepError } from './to-lockstep-error.ts'

const driverError = (fields: object): Error => Object.assign(new Error('said the driver'), fields)

test.each([
  [{ code: '53100' }, 'LOCKSTEP_STORE_FAILED', 'unknown'], // no space left
  [{ code: '58030' }, 'LOCKSTEP_STORE_FAILED', 'unknown'], // read or write error
  [{ code: 'XX001' }, 'LOCKSTEP_STORE_FAILED', 'unknown'], // corrupted data
  [{ code: 'XX000', severity: 'PANIC' }, 'LOCKSTEP_STORE_FAILED', 'unknown'],
  [{ code: '42P01' }, 'LOCKSTEP_SCHEMA_MISMATCH', 'not-applied'],
  [{ code: '42601' }, 'LOCKSTEP_BUG', 'unknown'],
  [{ code: '22021' }, 'LOCKSTEP_INVALID_REQUEST', 'not-applied'],
  [{ code: '40001' }, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'],
  [{ code: '40P01' }, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'],
  [{ code: '55P03' }, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'],
  [{ code: '57014' }, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'],
  [{ code: '57P01' }, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'],
  [{ code: '25006' }, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'], // a standby after a failover
  [{ code: 'ECONNREFUSED' }, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'],
  [{}, 'LOCKSTEP_STORE_UNAVAILABLE', 'unknown'],
])('%o is %s, %s', (fields, code, outcome) => {
  expect(toLockstepError(driverError(fields), 'db-1/lockstep')).toMatchObject({ code, outcome })
})

test('only the data of an entry makes a batch run entry by entry', () => {
  for (const code of ['22021', '22001', '22P05', '23514', '54000'])
    expect(isDataError(driverError({ code }))).toBe(true)
  for (const code of ['40001', '53100', '57P01', 'ECONNRESET', undefined])
    expect(isDataError(driverError({ code }))).toBe(false)
  expect(isDataError(toLockstepError(driverError({ code: '22021' }), 'db-1'))).toBe(true)
})

test('a refused connection without a message still says why', () => {
  const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
  expect(toLockstepError(refused, 'db-1').message).toContain('ECONNREFUSED')
})
