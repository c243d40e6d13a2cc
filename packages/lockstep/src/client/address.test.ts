import { expect, it } from 'vitest'
import { type AddressSettings, readAddress } from './address.ts'

const canary = 'canary-2718'
const url = 'http://127.0.0.1:4600'

it('an address keeps the path in front of the API, and the headers in lower case', () => {
  const headers = { 'X-Tenant': 'a' }
  expect(readAddress({ url: 'https://lockstep.test/a/b/', key: 'id.secret', headers })).toEqual({
    origin: 'https://lockstep.test',
    base: '/a/b',
    headers: ['accept', 'application/json', 'authorization', 'Bearer id.secret', 'x-tenant', 'a'],
  })
  expect(readAddress({ url, headers: { authorization: 'Basic x' } }).headers).toContain('Basic x')
})

it.each<[string, Partial<AddressSettings>]>([
  ['another scheme', { url: `ftp://${canary}` }],
  ['no URL', { url: canary }],
  ['credentials in the URL', { url: `http://u:${canary}@127.0.0.1` }],
  ['a query', { url: `http://127.0.0.1?${canary}` }],
  ['a fragment', { url: `http://127.0.0.1#${canary}` }],
  ['a key over two lines', { key: `${canary}\r\nx: y` }],
  ['an empty key', { key: '' }],
  ['a header that is ours', { headers: { 'Content-Type': canary } }],
  ['a second authorization', { key: canary, headers: { Authorization: canary } }],
  ['a header over two lines', { headers: { 'x-tenant': `${canary}\nx: y` } }],
  ['a header without a name', { headers: { '': canary } }],
])('an address with %s is refused, in words that give no secret away', (_name, settings) => {
  expect(() => readAddress({ url, ...settings })).toThrowError(
    expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION', message: expect.not.stringContaining(canary) }),
  )
})
