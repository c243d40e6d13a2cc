/** What the search has found in the scripts of shared locks, as fixed schedules with the times of a real server. */
import { expect, test } from 'vitest'
import { sharedScripts } from '../../packages/lockstep/src/locks/redis/shared-scripts.ts'
import { LuaRuntime } from '../../packages/testkit/src/redis-model/lua-runtime.ts'
import { RedisData } from '../../packages/testkit/src/redis-model/redis-data.ts'

function world() {
  let nowMs = 1_000_000
  const data = new RedisData({ nowMs: () => nowMs, publish: () => 1 })
  const runtime = new LuaRuntime()
  const keys = ['lock', 'token', 'queue', 'waiters']
  return {
    isGranted(member: string, ttlMs: number) {
      const args = [`${member} about`, String(ttlMs), '5000 0 channel']
      const reply = runtime.run(data, sharedScripts.acquire.lua, keys, args)
      return Array.isArray(reply) && reply[0] === 1
    },
    pass: (ms: number) => {
      nowMs += ms
    },
    queue: () => data.call('LRANGE', 'queue', '0', '-1'),
  }
}

test('a waiter that was away for longer than the list of waiters lasts queues again, while the holder keeps the hash', () => {
  const { isGranted, pass, queue } = world()
  expect([isGranted('w holder', 60_000), isGranted('w waiter', 10_000)]).toEqual([true, false])
  pass(5_001)
  expect(isGranted('w waiter', 10_000)).toBe(false)
  expect(queue()).toEqual(['w waiter about'])
})

test('a holder that has run out without hearing of it queues again, while one that waits keeps the hash', () => {
  const { isGranted, pass, queue } = world()
  expect([isGranted('w holder', 100), isGranted('w waiter', 10_000)]).toEqual([true, false])
  pass(1_200)
  expect(isGranted('w holder', 100)).toBe(false)
  expect(queue()).toEqual(['w holder about'])
})
