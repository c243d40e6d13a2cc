/** A wait that ended while nobody drove the transaction must not swallow the next one. */
import { expect, it } from 'vitest'
import { done, message, unknown, World } from './world.ts'

it('what waited at hand when its time came is asked again after the next try', async () => {
  const world = new World()
  const { coordinator } = await world.start()
  world.participants.on('bank/check', ({ attempt }) =>
    attempt === 1 ? { kind: 'pending', retryAfterMs: 60_000 } : unknown(),
  )
  await coordinator.begin({ ...message('m', 'bank.a'), checkAfter: 0 })
  // The first check says "not yet" for a minute: the message waits at hand while the second that its call was given goes by.
  await world.time.advance(3_000)
  expect(world.participants.named()).toEqual(['_local.check#1'])
  await coordinator.decide('m', 'rollback')
  await world.time.advance(1_000)
  world.participants.on('bank/check', () => done({ decision: 'rollback' }))
  expect((await world.settled('m', 2_000)).status).toBe('rolled-back')
})
