import { expect, test } from 'vitest'
import { mayPass, NoAnswer } from './trouble.ts'

const refused = (code: string): Error => Object.assign(new Error(code), { code })
const unsent = (cause: Error): Error => new NoAnswer('no connection', { wasSent: false, cause })

test.each([
  ['the server stops', refused('57P01'), true],
  ['the server starts', refused('57P03'), true],
  ['too many connections', refused('53300'), true],
  ['two transactions of a serializable server in each other’s way', refused('40001'), true],
  ['a deadlock', refused('40P01'), true],
  ['a lock_timeout of the server', refused('55P03'), true],
  ['a statement_timeout of the server', refused('57014'), true],
  ['a standby that is being promoted', refused('25006'), true],
  ['a wrong password', refused('28P01'), false],
  ['a missing table', refused('42P01'), false],
  ['a value that is none', refused('22P02'), false],
  ['nobody listens', unsent(refused('ECONNREFUSED')), true],
  ['a wrong certificate', unsent(refused('ERR_TLS_CERT_ALTNAME_INVALID')), false],
  ['a client that wants a password', unsent(new Error('SASL: client password must be a string')), false],
  ['a pool that is ended', unsent(new Error('Cannot use a pool after calling end on the pool')), false],
  ['no answer', new NoAnswer('no answer in 5000 ms', { wasSent: true }), true],
  ['a defect', new TypeError('undefined is not a function'), false],
] as const)('%s', (_what, error, passes) => {
  expect(mayPass(error)).toBe(passes)
})
