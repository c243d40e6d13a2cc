/** The store fails or is slow, time passes: what a coordinator does then, and what it keeps. */
import { describe, expect, it } from 'vitest'
import { isLockstepError } from '../../src/errors.ts'
import { body, done, errorOf, failed, never, unavailable, unknown, World } from './world.ts'

describe('a row that this version cannot drive', () => {
  it('is held where a person sees it, and the others of its claim go on', async () => {
    const world = new World()
    const row = (id: string, more: object) => ({ kind: 'insert' as const, row: { ...base, id, ...more } })
    const due = world.time.storeClock().now()
    const base = {
      contentHash: 'x',
      needs: [],
      labels: {},
      traceparent: null,
      pattern: 'saga' as const,
      definition: JSON.stringify({ input: null, steps: [] }),
      status: 'committing' as const,
      state: JSON.stringify({ state: { steps: [], missingFrom: null }, attempts: [], alertedFor: null, spilled: 0 }),
      reason: null,
      createdAt: due,
      updatedAt: due,
      endedAt: null,
      nextAt: due,
      owner: null,
      held: null,
      deadlineAt: null,
      ageFrom: due,
    }
    const batch = [
      row('a', { pattern: 'xa' }),
      row('b', {}),
      row('c', { state: '{}' }),
      row('d', { definition: 'no JSON' }),
      row('e', {}),
    ]
    await world.rows.commit(batch, { instance: 'later version', number: 1, repeat: false })
    const { coordinator } = await world.start()
    await world.time.advance(3_000)
    const ends = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map(async (id) => (await world.row(id)).held?.reason ?? (await world.row(id)).status),
    )
    expect(ends).toEqual(['internal-error', 'committed', 'internal-error', 'internal-error', 'committed'])
    expect(coordinator.activeCount).toBe(0)
  })
})

describe('a failed disk', () => {
  it('stops everything: waiters are answered, onFailed is called once, no call leaves any more', async () => {
    const world = new World()
    const one = await world.start()
    let answer = (_: ReturnType<typeof done>) => {}
    world.participants.on('bank.a', () => new Promise((resolve) => (answer = resolve)))
    const waiting = one.coordinator.begin({ ...body('t', 'bank.a', 'bank.b'), wait: 30_000 })
    await world.time.advance(100)
    one.store.before = () => Promise.reject(failed())
    const refusals = await Promise.allSettled(['u', 'v'].map((id) => one.coordinator.begin(body(id, 'bank.a'))))
    expect(
      refusals.map((end) => end.status === 'rejected' && isLockstepError(end.reason, 'LOCKSTEP_STORE_FAILED')),
    ).toEqual([true, true])
    expect((await waiting).transaction.status).toBe('committing')
    answer(done())
    await world.time.advance(60_000)
    expect([one.failures.length, one.coordinator.notReady, one.coordinator.activeCount, one.timers()]).toEqual([
      1,
      'failed',
      0,
      0,
    ])
    expect(world.participants.named()).toEqual(['a.action#1'])
    await one.coordinator.stop()
  })
  it('a claim that was on its way then drives nothing', async () => {
    const world = new World()
    const one = await world.start()
    const other = await world.start({}, ['shop'])
    await world.time.advance(10)
    let open = () => {}
    one.store.claiming = () => new Promise((resolve) => (open = resolve))
    await world.time.advance(1_500)
    await other.coordinator.begin(body('t', 'bank.a'))
    one.store.before = () => Promise.reject(failed())
    await errorOf(one.coordinator.begin(body('u', 'bank.a')))
    open()
    await world.time.advance(10_000)
    expect(world.participants.calls).toEqual([])
    await world.start()
    expect((await world.settled('t')).status).toBe('committed')
  })
})

describe('a store that comes and goes', () => {
  it('a claim whose answer was lost leaves nothing undriven', async () => {
    const world = new World()
    const other = await world.start({}, ['shop'])
    const one = await world.start()
    const { claim } = one.store
    one.store.claim = async (request) => {
      const claimed = await claim(request)
      if (claimed.length === 0) return claimed
      one.store.claim = claim
      throw unavailable()
    }
    await other.coordinator.begin(body('t', 'bank.a'))
    expect((await world.settled('t', 10_000)).status).toBe('committed')
    expect(one.warnings).toContain('a claim failed')
  })
  it('results wait for it, and are written once it answers', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(body('t', 'bank.a', 'bank.b', 'bank.c'))
    store.before = () => Promise.reject(unavailable())
    await world.time.advance(3_000)
    store.before = () => {}
    expect((await world.settled('t', 5_000)).status).toBe('committed')
    expect(world.participants.named()).toEqual(['a.action#1', 'b.action#1', 'c.action#1'])
  })
  it('a start against a store that does not answer fails, and may be tried again', async () => {
    const world = new World()
    const one = world.make({})
    one.store.heartbeat = () => Promise.reject(unavailable())
    await expect(one.coordinator.start()).rejects.toThrow('no connection')
    expect((await errorOf(one.coordinator.begin(body('t', 'bank.a')))).code).toBe('LOCKSTEP_STOPPING')
    one.store.heartbeat = world.rows.heartbeat
    await one.coordinator.start()
    expect((await one.coordinator.begin({ ...body('t', 'bank.a'), wait: 1_000 })).transaction.status).toBe('committed')
  })
})

describe('time', () => {
  it('30 days of sagas leave a bounded store', async () => {
    const world = new World()
    const { coordinator } = await world.start({ barrierRetention: '1d', retention: { finished: '1d', ids: '3d' } })
    for (let day = 0; day < 30; day++) {
      for (let n = 0; n < 5; n++) await coordinator.begin({ ...body(`d${day}-${n}`, 'bank.a'), wait: 1_000 })
      await coordinator.rollback(`d${day}-tombstone`)
      // The clock jumps: a sweep a minute would only make the test slow.
      world.time.nowMs += 24 * 3_600_000
      await world.time.advance(61_000)
    }
    const { items } = await coordinator.list({ limit: 500 })
    expect(items.length).toBeLessThanOrEqual(4 * 6)
    expect((await coordinator.get('d29-0').catch((error) => error.code)) as unknown).toBe('LOCKSTEP_EXPIRED')
  })
  it('a sweep that fails is warned of, and tried again', async () => {
    const world = new World()
    const { coordinator, store, warnings } = await world.start({
      barrierRetention: '1h',
      retention: { finished: '1m', ids: '1h' },
    })
    await coordinator.begin({ ...body('t', 'bank.a'), wait: 1_000 })
    const { retire } = store
    store.retire = () => Promise.reject(unavailable())
    await world.time.advance(130_000)
    expect(warnings).toContain('old transactions were not reduced this time')
    store.retire = retire
    await world.time.advance(60_000)
    expect((await errorOf(coordinator.get('t'))).code).toBe('LOCKSTEP_EXPIRED')
  })
  it('what nobody answers alerts after ten minutes, and is held after 24 hours', async () => {
    const world = new World()
    const { coordinator, warnings } = await world.start()
    world.participants.on('bank.a', () => unknown())
    await coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(11 * 60_000)
    expect(warnings.filter((message) => message.includes('unfinished for long'))).toHaveLength(1)
    const row = await world.settled('t', 24 * 3_600_000)
    expect(row.held?.reason).toBe('too-old')
    const attempts = (await coordinator.get('t'))?.branches[0]?.attempts ?? []
    // Every attempt is kept, in order: the first ones were moved out of the row.
    expect(attempts.length).toBeGreaterThan(1_000)
    expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, n) => n + 1))
    expect(JSON.parse(row.state).attempts).toHaveLength(20)
  })
  it('a call that never ends is given up after its timeout, and tried again', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? never : done()))
    await coordinator.begin(body('t', { participant: 'bank.a', timeout: 3_000 }))
    await world.time.advance(2_999)
    expect(world.participants.calls).toHaveLength(1)
    await world.settled('t', 2_000)
    expect((await coordinator.get('t'))?.branches[0]?.attempts).toMatchObject([
      { outcome: 'unknown', durationMs: 3_000 },
      { outcome: 'done' },
    ])
  })
})
