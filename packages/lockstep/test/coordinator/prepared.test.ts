/** What waits for a decision costs nothing (law 12), is found again by whoever is asked, and is driven by who can call it (law 11). */
import { describe, expect, it } from 'vitest'
import type { BeginBody } from '../../src/protocol/index.ts'
import { branch, errorOf, message, never, tcc, unchecked, World } from './world.ts'

const count = 3_000

/** Begins them in crowds of 500, more than the intake holds in all. */
async function beginAll(world: World, begin: (body: BeginBody) => Promise<unknown>, made: (n: number) => BeginBody) {
  for (let n = 0; n < count; n += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, k) => begin(made(n + k))))
  }
  await world.time.advance(100)
}

describe('law 12: 3,000 that wait for their decision', () => {
  it.each<[string, (n: number) => BeginBody]>([
    ['TCCs', (n) => tcc(`t${n}`, { deadline: '2h' })],
    ['messages that nobody can be asked about', (n) => unchecked(`t${n}`, 'bank.a')],
    ['messages that are checked late', (n) => ({ ...message(`t${n}`, 'bank.a'), checkAfter: '1h' })],
  ])('%s, with an intake of 1,000, are no work, no timer and no write', async (_, made) => {
    const world = new World()
    const instance = await world.start({ intake: 1_000 })
    const { coordinator, store } = instance
    await world.time.advance(10)
    const idle = instance.timers()
    await beginAll(world, (begin) => coordinator.begin(begin), made)
    const writes = store.batches.length
    await world.time.advance(9 * 60_000)
    expect([coordinator.activeCount, instance.timers(), store.batches.length, store.claims]).toEqual([
      0,
      idle,
      writes,
      0,
    ])
    expect(world.participants.calls).toEqual([])
    expect(await world.row('t0')).toMatchObject({ owner: null, status: 'prepared', epoch: 1 })
  })
  it('take their registrations and their decisions, also those that were put out of the memory', async () => {
    const world = new World()
    const { coordinator, store } = await world.start({ intake: 1_000 })
    await beginAll(
      world,
      (begin) => coordinator.begin(begin),
      (n) => tcc(`t${n}`, { deadline: '2h' }),
    )
    let reads = 0
    const { read } = store
    store.read = (ids) => {
      reads += 1
      return read(ids)
    }
    // The last one is at hand and costs no read; the first one was put out for others.
    for (const id of [`t${count - 1}`, 't0']) {
      expect((await coordinator.register(id, branch('bank.a'))).replayed).toBe(false)
      expect((await coordinator.decide(id, 'commit')).status).toBe('committing')
      expect((await world.settled(id)).status).toBe('committed')
    }
    expect(world.participants.named()).toEqual(['a.confirm#1', 'a.confirm#1'])
    expect([reads, coordinator.activeCount]).toEqual([1, 0])
  })
  it('do not use up the intake for others', async () => {
    const world = new World()
    const { coordinator } = await world.start({ intake: 16 })
    for (let n = 0; n < 100; n++) await coordinator.begin(tcc(`t${n}`))
    world.participants.on('bank.slow', () => never)
    for (let n = 0; n < 16; n++) {
      await coordinator.register(`t${n}`, branch('bank.slow'))
      await coordinator.decide(`t${n}`, 'commit')
    }
    // What is decided is at work, and counts.
    expect(coordinator.activeCount).toBe(16)
    expect((await errorOf(coordinator.begin(tcc('more')))).code).toBe('LOCKSTEP_BUSY')
    // Decisions and registrations of what has begun are taken all the same.
    await coordinator.register('t50', branch('bank.a'))
    expect((await coordinator.decide('t50', 'rollback')).status).toBe('rolling-back')
  })
  it('are decided by the thousand when their deadline comes, within the intake', async () => {
    const world = new World()
    const { coordinator } = await world.start({ intake: 100 })
    for (let n = 0; n < 1_000; n += 50)
      await Promise.all(Array.from({ length: 50 }, (_, k) => coordinator.begin(tcc(`t${n + k}`, { deadline: '10s' }))))
    let most = 0
    const { time } = world
    await time.advance(10_000)
    for (let ms = 0; ms < 30_000; ms += 100) {
      await time.advance(100)
      most = Math.max(most, coordinator.activeCount)
    }
    const rows = await world.rows.read(Array.from({ length: 1_000 }, (_, n) => `t${n}`))
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['rolled-back']))
    // One claim may go beyond by a batch.
    expect(most).toBeLessThanOrEqual(200)
  })
  it('a stop forgets them and waits for nothing', async () => {
    const world = new World()
    const one = await world.start()
    for (let n = 0; n < 50; n++) await one.coordinator.begin(tcc(`t${n}`))
    const stopped = one.coordinator.stop()
    await world.time.advance(10)
    await stopped
    expect(one.timers()).toBe(0)
    const two = await world.start()
    expect((await two.coordinator.decide('t7', 'commit')).status).toBe('committed')
  })
})

describe('law 11: an instance drives only what it can call', () => {
  it('a registration that brings a service it cannot call hands the transaction to one that can', async () => {
    const world = new World()
    const shopOnly = await world.start({}, ['shop'])
    const both = await world.start()
    await shopOnly.coordinator.begin(tcc('t'))
    await shopOnly.coordinator.register('t', branch('shop.a'))
    await shopOnly.coordinator.register('t', branch('bank.b'))
    await shopOnly.coordinator.register('t', branch('shop.c'))
    expect((await world.row('t')).needs).toEqual(['bank', 'shop'])
    expect((await shopOnly.coordinator.decide('t', 'commit')).status).toBe('committing')
    expect([(await world.row('t')).owner, shopOnly.coordinator.activeCount]).toEqual([null, 0])
    await world.time.advance(2_000)
    expect((await world.row('t')).status).toBe('committed')
    expect([shopOnly.store.claims, both.store.claims]).toEqual([0, 1])
    expect(world.participants.named().sort()).toEqual(['a.confirm#1', 'b.confirm#1', 'c.confirm#1'])
  })
  it('its deadline is kept by who can call it', async () => {
    const world = new World()
    const shopOnly = await world.start({}, ['shop'])
    await world.start()
    await shopOnly.coordinator.begin(tcc('t', { deadline: 5_000 }))
    await shopOnly.coordinator.register('t', branch('bank.a'))
    await world.time.advance(7_000)
    expect([(await world.row('t')).status, shopOnly.store.claims]).toEqual(['rolled-back', 0])
  })
  it('what nobody can call is held for a person, and a resume goes on once somebody can', async () => {
    const world = new World()
    const shopOnly = await world.start({}, ['shop'])
    world.participants.missing.add('bank.a')
    await shopOnly.coordinator.begin(tcc('t'))
    await shopOnly.coordinator.register('t', branch('bank.a'))
    await shopOnly.coordinator.decide('t', 'commit')
    const { held, status } = await world.settled('t', 200_000)
    expect([held?.reason, status]).toEqual(['participant-missing', 'committing'])
    expect(shopOnly.alerts.map(({ kind, reason }) => [kind, reason])).toEqual([['held', 'participant-missing']])
    world.participants.missing.clear()
    await world.start()
    await shopOnly.coordinator.act('t', { action: 'resume', reason: 'the bank is back' })
    expect((await world.settled('t')).status).toBe('committed')
  })
  it('a message is checked and delivered by who can call its producer and its receivers', async () => {
    const world = new World()
    const shopOnly = await world.start({}, ['shop'])
    const both = await world.start()
    world.participants.on('bank/check', () => ({ kind: 'pending', retryAfterMs: 60_000 }))
    await shopOnly.coordinator.begin(message('m', 'shop.a'))
    expect((await shopOnly.coordinator.rollback('m')).status).toBe('prepared')
    await world.time.advance(2_000)
    expect([world.participants.named('bank'), shopOnly.store.claims]).toEqual([['_local.check#1'], 0])
    expect((await shopOnly.coordinator.decide('m', 'commit')).status).toBe('committing')
    expect((await world.settled('m', 3_000)).status).toBe('committed')
    expect(both.store.claims).toBeGreaterThan(0)
  })
  it('a decided message is driven by who can call its receivers, though nobody can call its producer', async () => {
    const world = new World()
    const both = await world.start()
    await both.coordinator.begin(message('m', { to: 'shop.a', delay: '10s' }))
    await both.coordinator.decide('m', 'commit')
    expect((await world.row('m')).needs).toEqual(['shop'])
    both.kill()
    await world.start({}, ['shop'])
    expect((await world.settled('m', 15_000)).status).toBe('committed')
  })
})
