/** Two ways in which nobody went on with a transaction that was ours: a wait that swallowed the next one, and an answer that came late. */
import { expect, it } from 'vitest'
import { branch, done, message, tcc, unknown, World } from './world.ts'

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

it('a change whose answer comes after our own claim of the row does not end what the claim has begun', async () => {
  const world = new World()
  const [one, two] = [await world.start(), await world.start()]
  await two.coordinator.begin(tcc('t', { deadline: 2_000 }))
  two.kill()
  let answer = () => {}
  one.store.after = () => new Promise((resolve) => void (answer = resolve))
  // Durable at once, and answered only when the deadline has passed and we have claimed the row for it.
  const registered = one.coordinator.register('t', branch('bank.a'))
  await world.time.advance(4_000)
  expect((await world.row('t')).epoch).toBe(3)
  one.store.after = () => {}
  answer()
  await registered
  expect((await world.settled('t', 3_000)).status).toBe('rolled-back')
  expect(world.participants.named()).toEqual(['a.cancel#1'])
})
