import { describe, expect, test } from 'vitest'
import { parseServers, ServerRotation, serverName } from './servers.ts'

const badArguments = expect.objectContaining({ code: 'BAD_ARGUMENTS', outcome: 'not-applied' })

describe('a list of servers', () => {
  test.for<[string | string[], string[]]>([
    ['a', ['a:2181']],
    ['a:1,b:2', ['a:1', 'b:2']],
    [
      [' a.example:1 ', '10.0.0.1'],
      ['a.example:1', '10.0.0.1:2181'],
    ],
    [
      ['[::1]:3', '[fe80::1]'],
      ['[::1]:3', '[fe80::1]:2181'],
    ],
  ])('%j is understood', ([given, names]) => {
    expect(parseServers(given).map(serverName)).toEqual(names)
  })

  test.for(['', ',', 'a:0', 'a:65536', 'a:b', '::1', 'a b:1', 'zk://a:1', 'a:1/root'])('"%s" is refused', (given) => {
    expect(() => parseServers(given)).toThrow(badArguments)
  })

  test('without a server is refused', () => {
    expect(() => parseServers([])).toThrow(badArguments)
  })
})

describe('servers in turn', () => {
  const rotationOf = (names: string, sessionTimeoutMs = 10_000) =>
    new ServerRotation(parseServers(names), sessionTimeoutMs, { fraction: () => 1 })
  const next = (rotation: ServerRotation): [string, number] => {
    const { server, afterMs } = rotation.next()
    return [server.host, afterMs]
  }

  test('are tried at once within a round, and after a growing, bounded pause in the next', () => {
    const rotation = rotationOf('a,b,c')
    const tries = Array.from({ length: 24 }, () => next(rotation))
    expect(tries.slice(0, 3)).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ])
    expect(tries.map(([host]) => host).join('')).toBe('abc'.repeat(8))
    expect(tries.filter((_, index) => index % 3 === 0).map(([, afterMs]) => afterMs)).toEqual([
      0, 50, 100, 200, 400, 800, 1_000, 1_000,
    ])
    expect(tries.filter(([, afterMs], index) => index % 3 !== 0 && afterMs !== 0)).toEqual([])
  })

  test('pause no longer than a tenth of a short session', () => {
    const rotation = rotationOf('a', 2_000)
    expect(Array.from({ length: 6 }, () => next(rotation)[1])).toEqual([0, 50, 100, 200, 200, 200])
  })

  test('begin a new round at once when a connection has held', () => {
    const rotation = rotationOf('a,b')
    for (let tried = 0; tried < 7; tried += 1) next(rotation)
    rotation.hasHeld()
    expect(next(rotation)).toEqual(['b', 0])
    expect(next(rotation)).toEqual(['a', 0])
    expect(next(rotation)[1]).toBeGreaterThan(0)
  })

  test('stand in another order for another client', () => {
    const draws = [0.9, 0.1, 0.5]
    const rotation = new ServerRotation(parseServers('a,b,c'), 10_000, { fraction: () => draws.shift() ?? 0 })
    expect([next(rotation)[0], next(rotation)[0], next(rotation)[0]]).toEqual(['b', 'c', 'a'])
  })
})
