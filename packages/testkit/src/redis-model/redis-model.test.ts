import { expect, test } from 'vitest'
import { LuaRuntime } from './lua-runtime.ts'
import { RedisData } from './redis-data.ts'

test('scripts see replies as Redis shows them, and their results come back likewise', () => {
  let nowMs = 5_000.25
  const heard: string[] = []
  const data = new RedisData({ nowMs: () => nowMs, publish: (channel, text) => heard.push(`${channel}:${text}`) })
  const run = (lua: string, ...args: string[]) => new LuaRuntime().run(data, lua, ['k'], args)
  expect(
    run(
      "return { redis.call('GET', KEYS[1]) == false, redis.call('SET', KEYS[1], 7, 'NX', 'PX', 1000 + ARGV[1]).ok, 2.9, nil, 3 }",
      '5',
    ),
  ).toEqual([1, 'OK', 2])
  expect(
    run("return { redis.call('SET', KEYS[1], 8, 'NX', 'PX', 5), redis.call('PTTL', KEYS[1]), redis.call('TIME') }"),
  ).toEqual([null, 1005, ['5', '250']])
  expect(run("return string.format('%.0f', redis.call('TIME')[1] * 1000000 + 5)")).toBe('5000005')
  expect(() => run("return redis.call('LLEN', KEYS[1])")).toThrow('WRONGTYPE')
  expect(run("return type(redis.pcall('LLEN', KEYS[1]))")).toBe('table')
  expect(() => run("return redis.error_reply('STALE 7')")).toThrow('STALE 7')
  expect([run("return redis.call('PUBLISH', 'c', 'x')"), heard]).toEqual([1, ['c:x']])
  nowMs += 1_005
  expect([run("return redis.call('GET', KEYS[1])"), data.keys()]).toEqual([null, []])
})
