/** The laws of the coordinator (docs/laws.md), each as a promise that one test keeps. */
import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../src/ports/index.ts'
import { body, done, errorOf, never, refused, unavailable, unknown, World } from './world.ts'

describe('law 1: durable before act', () => {
  it('no call leaves before the begin is durable', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    let open = () => {}
    store.before = () => new Promise((resolve) => (open = resolve))
    const begun = coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(1_000)
    expect(world.participants.calls).toEqual([])
    store.before = () => {}
    open()
    expect((await begun).transaction.status).toBe('committing')
    await world.settled('t')
    expect(world.participants.calls[0]?.durable?.status).toBe('committing')
  })
  it('no compensation leaves before `rolling-back` is durable', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    world.participants.on('bank.b/action', () => refused())
    let open = () => {}
    store.before = (batch) => {
      const turns = batch.some((entry) => entry.kind === 'advance' && entry.progress.status === 'rolling-back')
      return turns ? new Promise((resolve) => (open = resolve)) : undefined
    }
    await coordinator.begin(body('t', 'bank.a', 'bank.b'))
    await world.time.advance(1_000)
    expect(world.participants.named()).toEqual(['a.action#1', 'b.action#1'])
    store.before = () => {}
    open()
    expect((await world.settled('t')).status).toBe('rolled-back')
    const reverse = world.participants.calls.filter((call) => call.operation === 'compensate')
    expect(reverse.map((call) => call.durable?.status)).toEqual(['rolling-back', 'rolling-back'])
  })
  it.each([
    ['a plain step', ['bank.a', 'shop.b']],
    ['a step that uses an output', ['bank.a', { participant: 'bank.b', input: { x: { $output: 'a', path: '' } } }]],
  ] as const)('%s does not leave before the result before it is durable', async (_, targets) => {
    const world = new World()
    const { coordinator } = await world.start()
    await coordinator.begin(body('t', ...targets))
    await world.settled('t')
    const second = world.participants.calls[1]?.durable
    expect(JSON.parse(second?.state ?? '{}').state.steps[0].state).toBe('done')
  })
  it('nothing is answered as ended before it is', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    store.before = (batch) => (batch.some((entry) => entry.kind === 'advance') ? never : undefined)
    const begun = coordinator.begin({ ...body('t', 'bank.a'), wait: 2_000 })
    await world.time.advance(2_500)
    expect((await begun).transaction).toMatchObject({ status: 'committing', endedAt: null })
    expect(await coordinator.get('t')).toMatchObject({ status: 'committing' })
  })
})

describe('law 2: one id, one story', () => {
  it('the same content is the same transaction, whatever the order of keys and however long the wait', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    const first = await coordinator.begin(body('t', 'bank.a'))
    const { id, pattern, input, steps } = body('t', 'bank.a')
    const again = await coordinator.begin({ steps, input, wait: 1_000, pattern, id } as never)
    expect([first.replayed, again.replayed]).toEqual([false, true])
    await world.settled('t')
    expect(world.participants.calls).toHaveLength(1)
  })
  it.each([
    ['another input', { input: { amount: 6 } }],
    ['another step', { steps: [] }],
    ['another label', { labels: { order: '42' } }],
    ['a deadline', { deadline: 5_000 }],
  ])('%s is refused as another content', async (_, other) => {
    const world = new World()
    const { coordinator } = await world.start()
    await coordinator.begin(body('t', 'bank.a'))
    const steps = [{ name: 'a', participant: 'bank.other' }]
    const changed = { ...body('t', 'bank.a'), ...('steps' in other ? { steps } : other) }
    expect((await errorOf(coordinator.begin(changed as never))).code).toBe('LOCKSTEP_ID_REUSED')
  })
  it('is kept beyond the details: 410 with the end status, and 422 for other content', async () => {
    const world = new World()
    const { coordinator } = await world.start({ barrierRetention: '1h', retention: { finished: '1h', ids: '2h' } })
    await coordinator.begin(body('t', 'bank.a'))
    await coordinator.rollback('tombstone')
    await world.time.advance(3_700_000)
    for (const asked of [
      coordinator.begin(body('t', 'bank.a')),
      coordinator.get('t'),
      coordinator.rollback('t'),
      coordinator.decide('t', 'commit'),
    ]) {
      expect(await errorOf(asked)).toMatchObject({
        code: 'LOCKSTEP_EXPIRED',
        details: { id: 't', status: 'committed' },
      })
    }
    expect((await errorOf(coordinator.begin(body('t', 'bank.b')))).code).toBe('LOCKSTEP_ID_REUSED')
    expect((await errorOf(coordinator.begin(body('tombstone', 'bank.a')))).code).toBe('LOCKSTEP_EXPIRED')
    await world.time.advance(3_700_000)
    expect(await coordinator.get('t')).toBeNull()
  })
  it('two begins at once begin one', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    const answers = await Promise.all([one, one, two].map(({ coordinator }) => coordinator.begin(body('t', 'bank.a'))))
    expect(answers.map(({ replayed }) => replayed).sort()).toEqual([false, true, true])
    await world.settled('t')
    expect(world.participants.calls).toHaveLength(1)
  })
})

describe('law 8: first come', () => {
  it('a rollback of an unknown id leaves a tombstone, and the late begin is refused', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    expect(await coordinator.rollback('t')).toMatchObject({ status: 'rolled-back', branches: [] })
    expect(await coordinator.rollback('t')).toMatchObject({ status: 'rolled-back' })
    expect((await errorOf(coordinator.begin(body('t', 'bank.a')))).code).toBe('LOCKSTEP_DECIDED')
    expect((await errorOf(coordinator.decide('t', 'commit'))).code).toBe('LOCKSTEP_ALREADY_ROLLING_BACK')
  })
  it('a commit of an unknown id is not found', async () => {
    const { coordinator } = await new World().start()
    expect((await errorOf(coordinator.decide('t', 'commit'))).code).toBe('LOCKSTEP_NOT_FOUND')
  })
  it('a begin and a rollback at once end one way, and both are told the same', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a/action', () => never)
    const begun = one.coordinator.begin(body('t', 'bank.a')).then(
      ({ transaction }) => transaction.status,
      (error) => error.code,
    )
    const rolled = two.coordinator.rollback('t')
    expect((await rolled).status).toMatch(/^roll/)
    expect(['committing', 'LOCKSTEP_DECIDED']).toContain(await begun)
    await world.settled('t')
    expect((await world.row('t')).status).toBe('rolled-back')
  })
  it('after the last step nobody can cancel, on whichever instance', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    await one.coordinator.begin({ ...body('t', 'bank.a'), wait: 5_000 })
    for (const { coordinator } of [one, two]) {
      expect((await errorOf(coordinator.rollback('t'))).code).toBe('LOCKSTEP_ALREADY_COMMITTING')
    }
  })
})

describe('law 9: nothing is dropped, and a dead endpoint costs no attempt', () => {
  it('a hold that another instance has set is not lifted by the answer to an older change', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    const { time, participants } = world
    let answerB = (_: Outcome) => {}
    participants.on('bank.b', () => new Promise((resolve) => (answerB = resolve)))
    let release = () => {}
    one.store.after = (batch) =>
      batch[0]?.kind === 'advance' ? new Promise((resolve) => (release = resolve)) : undefined
    await one.coordinator.begin(body('t', 'bank.a', 'bank.b', 'bank.c'))
    // What a answered is durable, and that answer is still on its way when the hold comes by the heartbeat.
    await time.advance(300)
    await two.coordinator.act('t', { action: 'hold', reason: 'because' })
    await time.advance(1_500)
    one.store.after = () => {}
    release()
    await time.advance(10)
    answerB(done())
    await time.advance(5_000)
    expect(participants.named()).toEqual(['a.action#1', 'b.action#1'])
    expect((await world.row('t')).held?.reason).toBe('operator')
  })
  it('a hold is not lifted by the answer to an older change', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    const { time, participants } = world
    const after = (ms: number, outcome: Outcome) => (): Promise<Outcome> =>
      new Promise((resolve) => void time.process().environment.timers.after(ms, () => resolve(outcome)))
    participants.on('bank.a', after(150, unknown()))
    participants.on('bank.c', () => ({ kind: 'pending', retryAfterMs: 400 }))
    participants.on('bank.d', after(600, done()))
    const gates: (() => void)[] = []
    store.before = (batch) => (batch[0]?.kind === 'advance' ? new Promise((resolve) => gates.push(resolve)) : undefined)
    const limited = { participant: 'bank.a', retry: { limit: 1 } }
    await coordinator.begin({ ...body('t', limited, 'bank.b', 'bank.c', 'bank.d'), concurrent: true })
    await time.advance(200)
    // What b answered is on its way to the store, and a has just spent its limit.
    expect(gates.length).toBe(1)
    gates[0]?.()
    // The answer of d is an event at which c, whose patience has ended, would be called again.
    await time.advance(1_000)
    expect(participants.named('bank.c')).toEqual(['c.action#1'])
    store.before = () => {}
    for (const open of gates) open()
    expect((await world.settled('t')).held?.reason).toBe('limit-spent')
  })
  it('the breaker keeps back what would only fail, so that a limit is not spent', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.dead', () => unknown({ unreached: true }))
    const limited = { participant: 'bank.dead', retry: { limit: 2 } }
    for (let n = 0; n < 20; n++) await coordinator.begin(body(`t${n}`, limited))
    await world.time.advance(60_000)
    const rows = await Promise.all(Array.from({ length: 20 }, (_, n) => world.row(`t${n}`)))
    expect(rows.map(({ held, status }) => [held, status])).toEqual(Array(20).fill([null, 'committing']))
    // 20 sagas that each tried for a minute on their own would be some 200 calls.
    expect(world.participants.calls.length).toBeLessThan(60)
    world.participants.on('bank.dead', () => done())
    for (let n = 0; n < 20; n++) expect((await world.settled(`t${n}`)).status).toBe('committed')
  })
  it('a dead endpoint does not starve the others', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.dead', () => never)
    for (let n = 0; n < 300; n++) await coordinator.begin(body(`dead${n}`, 'bank.dead'))
    await coordinator.begin(body('good', 'bank.good'))
    await world.time.advance(100)
    expect((await world.row('good')).status).toBe('committed')
    expect(world.participants.named('dead').length).toBeLessThanOrEqual(128)
  })
  it('a slow step does not keep a concurrent one from its retry', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.slow', () => never)
    world.participants.on('bank.flaky', ({ attempt }) => (attempt === 1 ? unknown() : done()))
    await coordinator.begin({
      ...body('t', { participant: 'bank.slow', timeout: '10m' }, 'bank.flaky'),
      concurrent: true,
    })
    await world.time.advance(2_000)
    expect(world.participants.named('flaky')).toEqual(['flaky.action#1', 'flaky.action#2'])
  })
  it('a deadline is judged while a slow step is out', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.slow', () => never)
    await coordinator.begin({
      ...body('t', { participant: 'bank.slow', timeout: '10m' }, 'bank.quick'),
      concurrent: true,
      deadline: 5_000,
    })
    await world.time.advance(6_500)
    expect((await world.row('t')).status).toBe('rolling-back')
    expect(world.participants.named('quick')).toEqual(['quick.action#1', 'quick.compensate#1'])
  })
})

describe('law 11: an instance claims only what it can call', () => {
  it('what one cannot reach is begun there and driven by the other', async () => {
    const world = new World()
    const shopOnly = await world.start({}, ['shop'])
    const bank = await world.start()
    await shopOnly.coordinator.begin(body('t', 'bank.a'))
    expect((await world.row('t')).owner).toBeNull()
    await world.time.advance(2_000)
    expect((await world.row('t')).status).toBe('committed')
    expect([shopOnly.store.claims, bank.store.claims]).toEqual([0, 1])
  })
  it('what nobody can reach is held, and a resume tries again', async () => {
    const world = new World()
    const { coordinator } = await world.start({}, ['shop'])
    await coordinator.begin(body('t', 'bank.a'))
    world.participants.missing.add('bank.a')
    expect((await world.settled('t', 200_000)).held?.reason).toBe('participant-missing')
    expect((await coordinator.get('t'))?.branches[0]?.attempts).toEqual([])
    world.participants.missing.clear()
    await world.start()
    await coordinator.act('t', { action: 'resume', reason: 'the bank is back' })
    expect((await world.settled('t')).status).toBe('committed')
  })
})

describe('law 12: waiting is free', () => {
  it('5,000 parked sagas cost no active, no timer and no write', async () => {
    const world = new World()
    const instance = await world.start()
    const { coordinator, store } = instance
    await world.time.advance(10)
    const idle = instance.timers()
    world.participants.on('bank.later', () => ({ kind: 'pending', retryAfterMs: 1_800_000 }))
    for (let n = 0; n < 5_000; n += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, k) => coordinator.begin(body(`t${n + k}`, 'bank.later'))))
    }
    await world.time.advance(5_000)
    expect(coordinator.activeCount).toBe(0)
    expect(instance.timers()).toBe(idle)
    const writes = store.batches.length
    await world.time.advance(300_000)
    expect([store.batches.length, store.claims, coordinator.activeCount, instance.timers()]).toEqual([
      writes,
      0,
      0,
      idle,
    ])
    expect(world.participants.calls).toHaveLength(5_000)
  })
  it('waiting callers do not use up the intake', async () => {
    const world = new World()
    const { coordinator } = await world.start({ intake: 10 })
    world.participants.on('bank.later', () => ({ kind: 'pending', retryAfterMs: 1_800_000 }))
    const waiting = Array.from({ length: 10 }, (_, n) =>
      coordinator.begin({ ...body(`t${n}`, 'bank.later'), wait: 60_000 }),
    )
    await world.time.advance(2_000)
    expect((await coordinator.begin(body('more', 'bank.a'))).replayed).toBe(false)
    await world.time.advance(60_000)
    expect(await Promise.all(waiting)).toHaveLength(10)
  })
  it('the intake is bounded: what is too much is told so, and may come again', async () => {
    const world = new World()
    const { coordinator } = await world.start({ intake: 10 })
    world.participants.on('bank.slow', () => never)
    const begun = await Promise.allSettled(
      Array.from({ length: 15 }, (_, n) => coordinator.begin(body(`t${n}`, 'bank.slow'))),
    )
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect(await errorOf(coordinator.begin(body('more', 'bank.slow')))).toMatchObject({
      code: 'LOCKSTEP_BUSY',
      outcome: 'not-applied',
      retriable: true,
      retryAfterMs: 1_000,
    })
    world.participants.on('bank.slow', () => done())
    await world.time.advance(30_000)
    expect((await coordinator.begin(body('more', 'bank.slow'))).replayed).toBe(false)
  })
})

describe('a store that does not answer', () => {
  it('a begin is told `unknown` after 5 s, and runs once the store answers', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    store.before = () => {
      throw unavailable()
    }
    const begun = errorOf(coordinator.begin(body('t', 'bank.a')))
    await world.time.advance(5_000)
    expect(await begun).toMatchObject({ code: 'LOCKSTEP_STORE_UNAVAILABLE', outcome: 'unknown', retriable: true })
    store.before = () => {}
    expect((await coordinatorRuns(world)).status).toBe('committed')
    expect((await coordinator.begin(body('t', 'bank.a'))).replayed).toBe(true)
  })
  it('a begin whose answer was lost runs once', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    store.after = () => {
      store.after = () => {}
      throw unavailable()
    }
    const begun = coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(1_000)
    expect((await begun).replayed).toBe(false)
    expect(store.writers.slice(0, 2)).toEqual([
      { number: 1, repeat: false },
      { number: 1, repeat: true },
    ])
    expect(world.participants.named()).toEqual(['a.action#1'])
  })
})

async function coordinatorRuns(world: World) {
  await world.time.until(async () => (await world.rows.read(['t'])).length === 1, 10_000)
  return await world.settled('t')
}
