/** Who drives what: takeover after a death, handing back at a stop, and waiting for what another instance drives. */
import { describe, expect, it } from 'vitest'
import { body, done, errorOf, never, unavailable, unknown, World } from './world.ts'

const hanging = (world: World) =>
  world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? never : done('second')))

describe('after a crash', () => {
  it('another instance takes over within 6 s, and the lost call leaves an attempt', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    hanging(world)
    await one.coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(1_000)
    one.kill()
    const diedAt = world.time.nowMs
    await world.time.until(() => world.participants.calls.length === 2, 6_000)
    expect(world.time.nowMs - diedAt).toBeLessThanOrEqual(6_000)
    await world.settled('t')
    expect((await two.coordinator.get('t'))?.branches[0]?.attempts).toMatchObject([
      { number: 1, outcome: 'unknown', error: 'takeover' },
      { number: 2, outcome: 'done' },
    ])
    expect(two.coordinator.takeovers).toBe(1)
  })
  it('a begin that is answered only after somebody has claimed it is driven by that one alone', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a', () => never)
    let answer = () => {}
    one.store.after = () => {
      // Durable, and the answer is lost; the repeat waits until the lease is over and the other has it.
      one.store.after = () => {}
      one.store.before = () => new Promise((resolve) => (answer = resolve))
      one.store.heartbeat = () => Promise.reject(unavailable())
      return Promise.reject(unavailable())
    }
    const begun = one.coordinator.begin(body('t', { participant: 'bank.a', timeout: '1h' }))
    begun.catch(() => undefined)
    await world.time.until(async () => (await world.row('t').catch(() => null))?.epoch === 2, 20_000)
    one.store.before = () => {}
    answer()
    await world.time.advance(3_000)
    expect([one.coordinator.activeCount, two.coordinator.activeCount]).toEqual([0, 1])
    expect((await world.row('t')).epoch).toBe(2)
  })
  it('what was held when its owner died goes on once it is resumed', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a', () => never)
    await one.coordinator.begin(body('t', { participant: 'bank.a', timeout: '1h' }))
    await two.coordinator.act('t', { action: 'hold', reason: 'because' })
    await world.time.advance(2_000)
    one.kill()
    await world.time.advance(10_000)
    world.participants.on('bank.a', () => done())
    await two.coordinator.act('t', { action: 'resume', reason: 'because' })
    expect((await world.settled('t')).status).toBe('committed')
  })
  it('nothing is taken from an owner that lives', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a', () => never)
    await one.coordinator.begin(body('t', { participant: 'bank.a', timeout: '1h' }))
    await world.time.advance(600_000)
    expect([two.coordinator.takeovers, (await world.row('t')).epoch]).toEqual([0, 1])
  })
  it('a step that kills whoever calls it leaves a growing history', async () => {
    const world = new World()
    let current = await world.start()
    world.participants.on('bank.poison', () => never)
    await current.coordinator.begin(body('t', { participant: 'bank.poison', timeout: '1h' }))
    for (let death = 1; death <= 25; death++) {
      await world.time.until(() => world.participants.calls.length === death, 10_000)
      // At the very call: nothing that is written later survives.
      current.kill()
      current = await world.start()
    }
    await world.time.until(() => world.participants.calls.length === 26, 10_000)
    await world.time.advance(200)
    const attempts = (await current.coordinator.get('t'))?.branches[0]?.attempts ?? []
    expect(attempts.map(({ number, error }) => [number, error])).toEqual(
      Array.from({ length: 25 }, (_, n) => [n + 1, 'takeover']),
    )
    expect(world.participants.calls.at(-1)?.attempt).toBe(26)
  })
  it('its late write is refused by the epoch: the new owner is not disturbed', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    let late = (_: ReturnType<typeof done>) => {}
    world.participants.on('bank.a/action', () => new Promise((resolve) => (late = resolve)))
    await one.coordinator.begin(body('t', { participant: 'bank.a', timeout: '1h' }))
    await world.time.advance(500)
    // The second one cancels: it takes the saga from the first, whose call is still out.
    expect((await two.coordinator.rollback('t')).status).toBe('rolling-back')
    late(done('late'))
    await world.time.advance(2_000)
    expect((await world.settled('t')).status).toBe('rolled-back')
    expect(one.coordinator.activeCount).toBe(0)
    const shown = await one.coordinator.get('t')
    expect(shown?.branches[0]).toMatchObject({ state: 'reversed', output: null })
  })
  it('the reverse of a plain step waits until the lost call must be over', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('shop.a/action', () => never)
    await one.coordinator.begin(body('t', { participant: 'shop.a', timeout: 8_000 }))
    await world.time.advance(1_000)
    one.kill()
    const from = world.time.nowMs
    await two.coordinator.rollback('t')
    await world.settled('t')
    const reverse = world.participants.calls.find((call) => call.operation === 'compensate')
    expect((reverse?.at ?? 0) - from).toBeGreaterThanOrEqual(8_000)
  })
  it('an instance whose lease is over lets no call leave', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    store.heartbeat = () => Promise.reject(unavailable())
    await world.time.advance(5_000)
    expect(coordinator.notReady).toBe('the store does not answer')
    await coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(3_000)
    expect(world.participants.calls).toEqual([])
    store.heartbeat = world.rows.heartbeat
    expect((await world.settled('t')).status).toBe('committed')
    expect(coordinator.notReady).toBeNull()
  })
})

describe('a stop', () => {
  it('hands everything back, and another instance goes on at once', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => unknown({ retryAfterMs: 900 }))
    await one.coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(100)
    const stopped = one.coordinator.stop()
    await world.time.settle()
    await stopped
    expect(await world.row('t')).toMatchObject({ owner: null, status: 'committing' })
    world.participants.on('bank.a', () => done())
    await world.start()
    expect((await world.settled('t', 2_500)).status).toBe('committed')
    expect(one.timers()).toBe(0)
  })
  it('waits for the call that is out, records it, and lets no other leave', async () => {
    const world = new World()
    const one = await world.start()
    let answer = (_: ReturnType<typeof done>) => {}
    world.participants.on('bank.a', () => new Promise((resolve) => (answer = resolve)))
    await one.coordinator.begin(body('t', 'bank.a', 'bank.b'))
    await world.time.advance(100)
    const stopped = one.coordinator.stop()
    await world.time.advance(1_000)
    answer(done('kept'))
    await world.time.advance(200)
    await stopped
    expect(world.participants.named()).toEqual(['a.action#1'])
    expect(JSON.parse((await world.row('t')).state).state.steps[0]).toMatchObject({ state: 'done', output: 'kept' })
    expect((await world.row('t')).owner).toBeNull()
  })
  it('of a slow call is left to the next owner, whose claim says so', async () => {
    const world = new World()
    const one = await world.start()
    hanging(world)
    await one.coordinator.begin(body('t', { participant: 'bank.a', timeout: '1h' }))
    const stopped = one.coordinator.stop()
    await world.time.advance(11_000)
    await stopped
    const two = await world.start()
    expect((await world.settled('t', 2_500)).status).toBe('committed')
    expect(two.coordinator.takeovers).toBe(1)
  })
  it('ends although two calls are out and one answers while the rest is flushed', async () => {
    const world = new World()
    const one = await world.start()
    let answer = (_: ReturnType<typeof done>) => {}
    world.participants.on('bank.a', () => new Promise((resolve) => (answer = resolve)))
    world.participants.on('bank.b', () => never)
    await one.coordinator.begin({
      ...body('t', { participant: 'bank.a', timeout: '1h' }, { participant: 'bank.b', timeout: '1h' }),
      concurrent: true,
    })
    await world.time.advance(100)
    let open = () => {}
    one.store.before = () => new Promise((resolve) => (open = resolve))
    void one.coordinator.begin(body('u', 'bank.c')).catch(() => {})
    await world.time.advance(10)
    const stopped = one.coordinator.stop()
    await world.time.advance(5_500)
    answer(done())
    await world.time.settle()
    one.store.before = () => {}
    open()
    await world.time.advance(12_000)
    await stopped
    expect(JSON.parse((await world.row('t')).state).state.steps[0].state).toBe('done')
  })
  it('ends although the store never answers', async () => {
    const world = new World()
    const one = await world.start()
    await world.time.advance(10)
    one.store.claiming = () => never
    one.store.resign = () => never
    one.store.close = () => never
    await world.time.advance(3_000)
    let over = false
    void one.coordinator.stop().then(() => (over = true))
    await world.time.advance(30_000)
    expect(over).toBe(true)
  })
  it('lets nobody wait, and refuses what comes', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => never)
    const waiting = one.coordinator.begin({ ...body('t', 'bank.a'), wait: 60_000 })
    await world.time.advance(100)
    const stopped = one.coordinator.stop()
    expect((await errorOf(one.coordinator.begin(body('u', 'bank.a')))).code).toBe('LOCKSTEP_STOPPING')
    await world.time.advance(11_000)
    await stopped
    expect((await waiting).transaction).toMatchObject({ status: 'committing' })
    expect((await errorOf(one.coordinator.get('t'))).code).toBe('LOCKSTEP_STOPPING')
  })
  it('drives nothing that a late claim brings', async () => {
    const world = new World()
    const one = await world.start()
    await world.time.advance(10)
    let open = () => {}
    one.store.claiming = () =>
      new Promise((resolve) => {
        open = resolve
      })
    await world.time.advance(1_500)
    const other = await world.start({}, ['shop'])
    await other.coordinator.begin(body('t', 'bank.a'))
    const stopped = one.coordinator.stop()
    await world.time.advance(20_000)
    await stopped
    open()
    await world.time.advance(1_000)
    expect(world.participants.calls).toEqual([])
    await world.start()
    expect((await world.settled('t', 10_000)).status).toBe('committed')
  })
  it('called twice, both wait for the same end', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => never)
    await one.coordinator.begin(body('t', { participant: 'bank.a', timeout: '1h' }))
    const ends: string[] = []
    void one.coordinator.stop().then(() => ends.push('first'))
    void one.coordinator.stop().then(() => ends.push('second'))
    await world.time.advance(1_000)
    expect(ends).toEqual([])
    await world.time.advance(10_000)
    expect(ends).toEqual(['first', 'second'])
    expect(one.coordinator.notReady).toBe('stopped')
  })
  it('before the start, and a second one, do no harm', async () => {
    const world = new World()
    const made = world.make({})
    await made.coordinator.stop()
    await made.coordinator.stop()
    const one = await world.start()
    const both = [one.coordinator.stop(), one.coordinator.stop()]
    await world.time.settle()
    await Promise.all(both)
    expect(one.coordinator.notReady).toBe('stopped')
  })
})

describe('waiting', () => {
  it('works across two instances on one store', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? unknown({ retryAfterMs: 3_000 }) : done('r')))
    await one.coordinator.begin(body('t', 'bank.a'))
    const waiting = two.coordinator.get('t', { waitMs: 30_000 })
    await world.time.until(async () => (await world.row('t')).endedAt !== null, 10_000)
    await world.time.advance(300)
    expect(await waiting).toMatchObject({ status: 'committed', output: { a: 'r' } })
  })
  it('ends when its time is up', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => never)
    await coordinator.begin(body('t', 'bank.a'))
    const waiting = coordinator.get('t', { waitMs: 1_000 })
    await world.time.advance(1_000)
    expect(await waiting).toMatchObject({ status: 'committing' })
  })
})
