import { describe, expect, it } from 'vitest'
import { hostsText, readAddress, withoutPasswords, withoutSecretsOf } from './address.ts'

const rules = { usualPort: 6379, options: ['prefix'] }
const secret = 'hunter2'

describe('an address', () => {
  it('has credentials, hosts, a path and options, all of them decoded', () => {
    const address = readAddress('zookeeper://ops:p%40ss%2Fword:x@zk1,[::1]:2182/my%20locks?prefix=a%3Db', rules)
    expect(address).toMatchObject({ scheme: 'zookeeper', user: 'ops', password: 'p@ss/word:x', path: '/my locks' })
    expect([hostsText(address), address.options.get('prefix')]).toEqual(['zk1:6379,[::1]:2182', 'a=b'])
  })

  it('may have a password without a user', () => {
    expect(readAddress(`redis://:${secret}@host`, rules)).toMatchObject({ user: null, password: secret })
    expect(readAddress('redis://host', rules)).toMatchObject({ user: null, password: null, path: '' })
  })

  it('keeps an @ in a password that nobody has escaped', () => {
    expect(readAddress('redis://:a@b@host:1', rules)).toMatchObject({ password: 'a@b' })
  })

  it.each([
    ['no host', `redis://:${secret}@`],
    ['a port that is none', `redis://:${secret}@host:abc`],
    ['a port beyond all', `redis://:${secret}@host:70000`],
    ['a comma too many', `redis://:${secret}@one,`],
    ['a / in the password', `redis://:1/${secret}@host`],
    ['a # in the password', `redis://:1#${secret}@host`],
    ['a ? in the password', `redis://:1?${secret}@host`],
    ['a % in the password', `redis://:${secret}%zz@host`],
    ['an option that nobody knows', `redis://:${secret}@host?prefx=a`],
  ])('with %s is refused, and its password is not told', (_name, url) => {
    const refused = (): unknown => readAddress(url, rules)
    expect(refused).toThrow(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
    expect(refused).not.toThrow(new RegExp(secret))
  })

  it('of one server names one', () => {
    expect(() => readAddress('redis://a:1,b:2', { ...rules, hostsMax: 1 })).toThrow('several hosts')
  })
})

it.each([
  [`redis://:${secret}@a:1,redis://u:other@b:2/0`, `args beginning with: ${secret} other`, 'args beginning with: … …'],
  ['redis://u:p%40ss@a', 'sent p@ss and p%40ss', 'sent … and …'],
  ['redis://u:a@b@host/1', 'sent a@b', 'sent …'],
  ['redis://a', `"redis://u:${secret}@b"`, '"redis://…@b"'],
])('%s: no text says its password', (url, text, shown) => {
  expect(withoutSecretsOf(url, text)).toBe(shown)
})

it('a URL in a text is shown without its password', () => {
  expect(withoutPasswords(`got 1: redis://u:${secret}@h:1/2.`)).toBe('got 1: redis://…@h:1/2.')
})

describe('a backend', () => {
  it('that names a master of RedLock twice is refused', async () => {
    const { backendNamed } = await import('./compose.ts')
    const twice = backendNamed('redis://a:1,redis://b:1,redis://a:1')
    await expect(twice).rejects.toMatchObject({
      code: 'LOCKSTEP_CONFIGURATION',
      message: expect.stringContaining('same master twice'),
    })
  })
})
