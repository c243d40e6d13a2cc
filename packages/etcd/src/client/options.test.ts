import { isLockstepError } from 'lockstep'
import { expect, test } from 'vitest'
import { type EtcdOptions, openEtcd } from '../index.ts'

const endpoints = 'http://127.0.0.1:1'

function mistakeOf(options: Partial<EtcdOptions>): string {
  try {
    openEtcd({ endpoints, ...options }).close()
  } catch (error) {
    if (isLockstepError(error, 'LOCKSTEP_CONFIGURATION')) return `${error.message} ${error.next}`
    throw error
  }
  return 'none'
}

test('a header that HTTP cannot carry is told when the client is opened, without what it carries', () => {
  const mistake = mistakeOf({ headers: { 'x-proxy': 'fine', 'x-key': 'secret\n' } })
  expect(mistake).toMatch(/headers.*"x-key".*line break/s)
  expect(mistake).not.toContain('secret')
  expect(mistakeOf({ headers: { 'x key': 'v' } })).toContain('"x key"')
  expect(mistakeOf({ headers: { 'x-key': 'v' } })).toBe('none')
})

test('a certificate or a key that is none is told when the client is opened, also where no endpoint uses TLS', () => {
  expect(mistakeOf({ tls: { cert: '/etc/etcd/client.pem' } })).toMatch(/tls.*PEM.*not the name of a file/s)
  expect(mistakeOf({ tls: { key: 'no key' }, endpoints: 'https://127.0.0.1:1' })).toMatch(/tls.*PEM/s)
  expect(mistakeOf({ tls: { servername: 'etcd.example' } })).toBe('none')
})

test('a passphrase of the wrong type is told without the passphrase', () => {
  const passphrase = 271828 as unknown as string
  const mistake = mistakeOf({ tls: { key: 'no key', passphrase } })
  expect(mistake).toContain('passphrase')
  expect(mistake).not.toContain('271828')
})
