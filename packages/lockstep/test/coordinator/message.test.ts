/** A reliable message under the real coordinator: half message, decision, check-back and delay, and what a death leaves of them. */
import { describe, expect, it } from 'vitest'
import { done, errorOf, message, never, unchecked, unknown, World } from './world.ts'

const says = (decision: string) => () => done({ decision })
/** The clock jumps over it: every second of a day would only make a test slow. */
const day = 24 * 3_600_000
const notYet = (retryAfterMs: number) => () => ({ kind: 'pending', retryAfterMs }) as const
describe('how much is written', () => {
  it('a message alone makes two batches until its commit is answered, beside its local transaction', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    world.participants.on('bank.a', () => never)
    await coordinator.begin(message('m', 'bank.a'))
    await coordinator.decide('m', 'commit')
    expect(store.batches.map((batch) => batch.map(({ kind }) => kind))).toEqual([['insert'], ['advance']])
  })
  it('and one more until its deliveries are through', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(message('m', 'bank.a', 'bank.b'))
    await coordinator.decide('m', 'commit')
    expect((await world.settled('m')).status).toBe('committed')
    expect(store.batches).toHaveLength(3)
  })
})

describe('the decision', () => {
  it.each([
    ['where it was begun', 0],
    ['on another instance', 1],
  ] as const)('commit %s lets the deliveries leave, once it is durable (law 1)', async (_, at) => {
    const world = new World()
    const instances = [await world.start(), await world.start()]
    const there = instances[at]
    await instances[0]?.coordinator.begin(message('m', 'bank.a', 'bank.b'))
    let open = () => {}
    if (there !== undefined) there.store.before = () => new Promise((resolve) => (open = resolve))
    const deciding = there?.coordinator.decide('m', 'commit')
    await world.time.advance(1_000)
    expect(world.participants.calls).toEqual([])
    if (there !== undefined) there.store.before = () => {}
    open()
    expect((await deciding)?.status).toBe('committing')
    expect((await world.settled('m')).status).toBe('committed')
    expect(world.participants.calls.map((call) => [call.operation, call.input, call.durable?.status])).toEqual([
      ['deliver', { to: 'bank.a' }, 'committing'],
      ['deliver', { to: 'bank.b' }, 'committing'],
    ])
  })
  it('rollback of what can be checked has it checked now, and that answer decides', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank/check', says('rollback'))
    await one.coordinator.begin({ ...message('m', 'bank.a'), checkAfter: '1h' })
    expect((await two.coordinator.rollback('m')).status).toBe('prepared')
    expect(await world.settled('m', 500)).toMatchObject({ status: 'rolled-back', endedAt: expect.any(Number) })
    expect(world.participants.named()).toEqual(['_local.check#1'])
    expect((await errorOf(one.coordinator.decide('m', 'commit'))).code).toBe('LOCKSTEP_ALREADY_ROLLING_BACK')
  })
  it('rollback of what the producer has committed all the same delivers it', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank/check', says('commit'))
    await coordinator.begin({ ...message('m', 'bank.a'), checkAfter: '1h' })
    await coordinator.rollback('m')
    expect((await world.settled('m', 500)).status).toBe('committed')
    expect((await errorOf(coordinator.rollback('m'))).code).toBe('LOCKSTEP_ALREADY_COMMITTING')
  })
  it('rollback of what nobody can be asked about decides', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    await coordinator.begin(unchecked('m', 'bank.a'))
    expect(await coordinator.rollback('m')).toMatchObject({ status: 'rolled-back', held: null })
    expect(world.participants.calls).toEqual([])
  })
  it.each([
    ['of the initiator', async (world: World) => (await world.start()).coordinator.rollback('m')],
    [
      'of an operator',
      async (world: World) =>
        (await world.start()).coordinator.act('m', { action: 'force-rollback', reason: 'because' }),
    ],
  ])('a rollback %s while it is held leaves nothing that has ended among what is held', async (by, roll) => {
    const world = new World()
    const { coordinator } = await world.start()
    await coordinator.begin(unchecked('m', 'bank.a'))
    await coordinator.act('m', { action: 'hold', reason: 'because' })
    await roll(world)
    if (by === 'of the initiator') await coordinator.act('m', { action: 'resume', reason: 'because' })
    expect(await world.settled('m', 3_000)).toMatchObject({ status: 'rolled-back', held: null })
    expect((await coordinator.list({ held: true })).items).toEqual([])
  })
  it('may be waited for', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? unknown() : done({ points: 5 })))
    await coordinator.begin(message('m', 'bank.a'))
    const decided = coordinator.decide('m', 'commit', { waitMs: 5_000 })
    await world.time.advance(5_000)
    expect(await decided).toMatchObject({ status: 'committed', output: { a: { points: 5 } } })
  })
})

describe('the check', () => {
  it('is asked of the check-back with what the message says, and its answer is durable before anything is delivered', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank/check', says('commit'))
    await coordinator.begin(message('m', 'bank.a'))
    expect((await world.settled('m', 4_000)).status).toBe('committed')
    const [check, delivery] = world.participants.calls
    expect(check).toMatchObject({
      branch: '_local',
      operation: 'check',
      attempt: 1,
      input: { order: 7 },
      target: 'bank',
    })
    expect(delivery?.durable?.status).toBe('committing')
    expect((await coordinator.get('m'))?.branches.map(({ name, state }) => [name, state])).toEqual([
      ['a', 'done'],
      ['_local', 'done'],
    ])
  })
  it('is asked by another instance when the first one died: nobody owns what is undecided', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank/check', says('commit'))
    await one.coordinator.begin(message('m', 'bank.a'))
    await world.time.advance(500)
    one.kill()
    await world.time.advance(3_000)
    expect([(await world.row('m')).status, two.coordinator.takeovers]).toEqual(['committed', 0])
  })
  it('that was out when its owner died is asked again within 6 s, and leaves a trace', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank/check', ({ attempt }) => (attempt === 1 ? never : done({ decision: 'rollback' })))
    await one.coordinator.begin(message('m', 'bank.a'))
    // Whichever of the two has claimed it dies at the very call.
    await world.time.until(() => world.participants.calls.length === 1, 5_000)
    const [owner, other] = one.coordinator.activeCount === 1 ? [one, two] : [two, one]
    owner.kill()
    await world.time.until(() => world.participants.calls.length === 2, 6_000)
    expect((await world.settled('m')).status).toBe('rolled-back')
    const local = (await other.coordinator.get('m'))?.branches.find(({ name }) => name === '_local')
    expect(local?.attempts).toMatchObject([{ error: 'takeover' }, { number: 2, outcome: 'done' }])
  })
  it('an initiator that commits while it is out does not wait for it, and its late answer flips nothing', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    let answer = (_: ReturnType<typeof done>) => {}
    world.participants.on('bank/check', () => new Promise((resolve) => (answer = resolve)))
    world.participants.on('bank.a', notYet(800))
    await coordinator.begin(message('m', 'bank.a'))
    await world.time.until(() => world.participants.calls.length === 1, 5_000)
    expect((await coordinator.decide('m', 'commit')).status).toBe('committing')
    answer(done({ decision: 'rollback' }))
    await world.time.advance(500)
    expect((await world.row('m')).status).toBe('committing')
    world.participants.on('bank.a', () => done())
    expect((await world.settled('m')).status).toBe('committed')
  })
  it('an undecided message that is held still takes its decision, and is let go by it', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank/check', notYet(3_600_000))
    await one.coordinator.begin(message('m', 'bank.a'))
    await world.time.advance(5_000)
    world.time.nowMs += day
    expect((await world.settled('m')).held?.reason).toBe('undecided')
    await world.time.advance(60_000)
    expect(await two.coordinator.decide('m', 'commit')).toMatchObject({ status: 'committing', held: null })
    expect(await world.settled('m', 1_000)).toMatchObject({ status: 'committed', held: null })
  })
  it('a rollback lets it go as well, and has it checked', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank/check', notYet(3_600_000))
    await coordinator.begin(message('m', 'bank.a'))
    await world.time.advance(5_000)
    world.time.nowMs += day
    expect((await world.settled('m')).held?.reason).toBe('undecided')
    world.participants.on('bank/check', says('rollback'))
    expect(await coordinator.rollback('m')).toMatchObject({ status: 'prepared', held: null })
    expect((await world.settled('m', 500)).status).toBe('rolled-back')
  })
  it('a hold of an operator stays, whatever is decided', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    await coordinator.begin(message('m', 'bank.a'))
    await coordinator.act('m', { action: 'hold', reason: 'because' })
    expect(await coordinator.decide('m', 'commit')).toMatchObject({
      status: 'committing',
      held: { reason: 'operator' },
    })
    await world.time.advance(60_000)
    expect(world.participants.calls).toEqual([])
    await coordinator.act('m', { action: 'resume', reason: 'because' })
    expect((await world.settled('m')).status).toBe('committed')
  })
})

describe('a delay', () => {
  it('counts from the decision, and survives the death of whoever took it', async () => {
    const world = new World()
    const [one] = [await world.start(), await world.start()]
    await one.coordinator.begin(message('m', { to: 'bank.a', delay: '30s' }, 'bank.b'))
    await world.time.advance(1_000)
    await one.coordinator.decide('m', 'commit')
    const decidedAt = world.time.nowMs
    await world.time.advance(10_000)
    one.kill()
    await world.time.advance(19_000)
    expect(world.participants.named('bank.a')).toEqual([])
    expect((await world.settled('m', 5_000)).status).toBe('committed')
    const [call] = world.participants.calls.filter(({ target }) => target === 'bank.a')
    expect((call?.at ?? 0) - decidedAt).toBeGreaterThanOrEqual(30_000)
    expect((call?.at ?? 0) - decidedAt).toBeLessThanOrEqual(31_500)
  })
  it('waits without cost: no work, no write', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(message('m', { to: 'bank.a', delay: '5m' }))
    await coordinator.decide('m', 'commit')
    await world.time.advance(1_000)
    const writes = store.batches.length
    await world.time.advance(290_000)
    expect([coordinator.activeCount, store.batches.length]).toEqual([0, writes])
    expect((await world.settled('m', 15_000)).status).toBe('committed')
  })
})
