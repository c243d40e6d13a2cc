/** Calls over one connection, whatever the client package is. */
import { expect, it } from 'vitest'
import { Calls } from '../../src/adapters/redis/calls.ts'
import { silentLogger } from '../../src/ports/index.ts'
import { VirtualTime } from '../coordinator/virtual-time.ts'

class ReplyError extends Error {}

/** A server that answers when the test says so. */
function open() {
  const time = new VirtualTime()
  const sent: { args: readonly string[]; answer: PromiseWithResolvers<unknown> }[] = []
  const raw = {
    open: async () => {},
    call(args: readonly string[]) {
      const answer = Promise.withResolvers<unknown>()
      sent.push({ args, answer })
      return answer.promise
    },
    subscribe: async () => {},
    unsubscribe: async () => {},
    destroy() {},
  }
  const environment = { ...time.process().environment, log: silentLogger }
  const calls = new Calls(
    () => raw,
    environment,
    () => {},
  )
  return { time, sent, calls, names: () => sent.map(({ args }) => args[0]) }
}

const script = { lua: 'return 1' }

it('a script that the server has forgotten is sent as text, once', async () => {
  const { time, sent, calls, names } = open()
  const first = calls.script(script, [], [], { timeoutMs: 1_000 })
  await time.advance(1)
  sent[0]?.answer.resolve(1)
  expect(await first).toBe(1)
  const second = calls.script(script, [], [], { timeoutMs: 1_000 })
  sent[1]?.answer.reject(new ReplyError('NOSCRIPT No matching script.'))
  await time.advance(1)
  sent[2]?.answer.resolve(1)
  expect([await second, names()]).toEqual([1, ['EVAL', 'EVALSHA', 'EVAL']])
  calls.close()
})

it('nothing that has timed out is sent again, though the server only says now that it does not know it', async () => {
  const { time, sent, calls, names } = open()
  const first = calls.script(script, [], [], { timeoutMs: 1_000 })
  await time.advance(1)
  sent[0]?.answer.resolve(1)
  await first
  const late = calls.script(script, [], [], { timeoutMs: 1_000 }).catch((error: { failure: string }) => error.failure)
  await time.advance(1_001)
  expect(await late).toBe('unknown')
  sent[1]?.answer.reject(new ReplyError('NOSCRIPT No matching script.'))
  await time.advance(10)
  expect(names()).toEqual(['EVAL', 'EVALSHA'])
  calls.close()
})
