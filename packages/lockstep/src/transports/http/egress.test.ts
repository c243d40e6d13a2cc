import { describe, expect, it } from 'vitest'
import { guardedLookup } from './egress.ts'
import { httpUrl } from './services.ts'

describe('egress', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://0251.0376.0251.0376/',
    'http://169.254.43518/',
    'http://①⑥⑨.254.169.254/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[fe80::1]/',
    'http://[fd00:ec2::254]/',
    'http://100.100.100.200/',
    'ftp://bank-a/',
    'file:///etc/passwd',
    'http://user@bank-a/',
    'http://:secret@bank-a/',
    '//bank-a/',
    'bank-a',
  ])('never goes to %s', (url) => expect(httpUrl(url)).toBeNull())

  it.each([
    'http://127.0.0.1:4000/',
    'http://10.0.0.7/',
    'https://bank-a.internal/debit',
    'http://[::1]/',
    'http://[fd12::1]/',
  ])('may go to %s', (url) => expect(httpUrl(url)).not.toBeNull())

  const resolve = (hostname: string, all: boolean): Promise<string> =>
    new Promise((done) => {
      guardedLookup(hostname, { all }, (error, address) => {
        done(error === null ? 'resolved' : `${error.message} ${JSON.stringify(address)}`)
      })
    })

  it.each([true, false])('stops a name that leads there, asked for all addresses: %s', async (all) => {
    // The system resolves a literal to itself, as a hostile DNS server would a name.
    expect(await resolve('169.254.169.254', all)).toContain('never called')
    expect(await resolve('fe80::1', all)).toContain('never called')
    expect(await resolve('127.0.0.1', all)).toBe('resolved')
    expect(await resolve('localhost', all)).toBe('resolved')
    expect(await resolve('no-such-host.invalid', all)).not.toContain('never called')
  })
})
