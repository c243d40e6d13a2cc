/** Ways in which nobody went on with a transaction that was ours, though its owner lived. */
import { expect, it } from 'vitest'
import { branch, done, message, tcc, unknown, type WatchedStore, World } from './world.ts'

/** What is committed from now on is durable, and answered when this is called. */
function holdBack(store: WatchedStore): () => void {
  const answers: (() => void)[] = []
  store.after = () => new Promise((resolve) => answers.push(resolve))
  return () => {
    store.after = () => {}
    for (const answer of answers) answer()
  }
}

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
  const open = holdBack(one.store)
  // Durable at once, and answered only when the deadline has passed and we have claimed the row for it.
  const registered = one.coordinator.register('t', branch('bank.a'))
  await world.time.advance(4_000)
  expect((await world.row('t')).epoch).toBe(3)
  open()
  await registered
  expect((await world.settled('t', 3_000)).status).toBe('rolled-back')
  expect(world.participants.named()).toEqual(['a.cancel#1'])
})

it('what is ours is not kept at hand when the estimate of the store clock is put back', async () => {
  const world = new World()
  const { coordinator, store } = await world.start()
  let aheadMs = 5_000
  const { heartbeat } = store
  store.heartbeat = async (request) => {
    const answer = await heartbeat(request)
    return { ...answer, now: answer.now + aheadMs }
  }
  await world.time.advance(2_000)
  let open = () => {}
  world.participants.on('bank/check', ({ attempt }) => {
    if (attempt > 1) return done({ decision: 'rollback' })
    open = holdBack(store)
    aheadMs = 0
    return { kind: 'pending', retryAfterMs: 1_000 }
  })
  await coordinator.begin({ ...message('m', 'bank.a'), checkAfter: 0 })
  await world.time.until(() => world.participants.calls.length === 1, 10_000)
  // Written as ours, since it is due within a second; answered when it has become due in more than five.
  await world.time.advance(2_000)
  open()
  expect((await world.settled('m', 10_000)).status).toBe('rolled-back')
})
