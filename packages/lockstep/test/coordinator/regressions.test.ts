/** What others had to mend, as promises of ours: rows of transactions.md section 10 and messages.md section 8, by the bug they come from. */
import { describe, expect, it } from 'vitest'
import type { Json, Outcome } from '../../src/ports/index.ts'
import { branch, done, type Instance, message, never, refused, tcc, unavailable, unknown, World } from './world.ts'

const minute = 60_000
const day = 24 * 60 * minute
const pending = (retryAfterMs?: number): Outcome => ({
  kind: 'pending',
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})
const checks = (world: World, id: string) =>
  world.participants.calls.filter((call) => call.operation === 'check' && call.transaction === id)

async function decidedTcc({ coordinator }: Instance, decision: 'commit' | 'rollback', ...targets: string[]) {
  await coordinator.begin(tcc('t'))
  for (const target of targets) await coordinator.register('t', branch(target))
  return await coordinator.decide('t', decision)
}

describe('the check-back', () => {
  it.each<[string, Outcome]>([
    ['a 200 with an error body', done({ code: 500, message: 'no connection' })],
    ['a 200 with a word', done('SUCCESS')],
    ['an empty 200', done(null)],
    ['a 409', refused({ decision: 'commit' })],
    ['a 500', unknown()],
  ])('dtm #535: %s commits nothing: it is asked until it decides', async (_, outcome) => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank/check', () => outcome)
    await coordinator.begin(message('m', 'bank.a'))
    await world.time.advance(5 * minute)
    expect(await coordinator.get('m')).toMatchObject({ status: 'prepared', held: null })
    expect(checks(world, 'm').length).toBeGreaterThan(5)
    world.participants.on('bank/check', () => done({ decision: 'commit' }))
    expect((await world.settled('m', 65_000)).status).toBe('committed')
    expect(world.participants.named('bank.a')).toEqual(['a.deliver#1'])
  })
  it('dtm #553: first check within checkAfter + 1 s, whenever it is begun', async () => {
    for (const checkAfter of [0, 300, 1_000, 1_700, 2_000, 5_000, 8_500]) {
      const world = new World()
      const { coordinator } = await world.start()
      world.participants.on('bank/check', () => done({ decision: 'rollback' }))
      const begunAt = new Map<string, number>()
      for (let n = 0; n < 40; n++) {
        begunAt.set(`m${n}`, world.time.nowMs)
        await coordinator.begin({ ...message(`m${n}`, 'bank.a'), checkAfter })
        await world.time.advance(137)
      }
      await world.time.advance(20_000)
      const waits = world.participants.calls.map(({ transaction, at }) => at - (begunAt.get(transaction) ?? 0))
      expect(waits).toHaveLength(40)
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(checkAfter)
      expect(Math.max(...waits)).toBeLessThanOrEqual(checkAfter + 1_000)
    }
  })
  it('RocketMQ #8311: producers down 30 virtual minutes: decided right after their return', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank/check', () => unknown({ unreached: true }))
    for (let n = 0; n < 20; n++) await coordinator.begin(message(`m${n}`, 'shop.a'))
    await world.time.advance(30 * minute)
    const undecided = await world.rows.read(Array.from({ length: 20 }, (_, n) => `m${n}`))
    expect(new Set(undecided.map(({ status, held }) => `${status} ${held}`))).toEqual(new Set(['prepared null']))
    world.participants.on('bank/check', () => done({ decision: 'commit' }))
    // A back-off of a minute at most, and a claim.
    for (let n = 0; n < 20; n++) await world.settled(`m${n}`, 62_000)
    expect(world.participants.named('shop.a')).toHaveLength(20)
  })
  it('RocketMQ #8158: a local transaction of ten minutes: 425 until it ends, then the right answer', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank/check', () => pending())
    await coordinator.begin(message('m', 'bank.a'))
    await world.time.advance(10 * minute)
    expect(await world.row('m')).toMatchObject({ status: 'prepared', held: null })
    // It is asked more and more rarely: every question is stored.
    expect(checks(world, 'm').length).toBeLessThan(150)
    world.participants.on('bank/check', () => done({ decision: 'commit' }))
    expect((await world.settled('m', 12_000)).status).toBe('committed')
  })
  it.each([-30_000, 30_000])('RocketMQ #9640: producer ±30 s: checks on schedule (%i ms)', async (skewMs) => {
    const scheduleWith = async (ms: number) => {
      const world = new World()
      const { coordinator } = await world.start({ skewMs: ms })
      world.participants.on('bank/check', () => unknown())
      await coordinator.begin(message('m', 'bank.a'))
      await world.time.advance(3 * minute)
      return world.participants.calls.map(({ at, begunAt }) => [at, begunAt])
    }
    const schedule = await scheduleWith(skewMs)
    expect(schedule).toEqual(await scheduleWith(0))
    expect(schedule.length).toBeGreaterThan(5)
  })
  it('RocketMQ #1543, #1517, #1694: 500 undecided: bounded writes and check rate', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    const count = 500
    world.participants.on('bank/check', () => unknown())
    for (let n = 0; n < count; n += 100)
      await Promise.all(Array.from({ length: 100 }, (_, k) => coordinator.begin(message(`m${n + k}`, 'shop.a'))))
    await world.time.advance(4 * minute)
    const [asked, entries] = [world.participants.calls.length, store.batches.flat().length]
    await world.time.advance(2 * minute)
    const [more, written] = [world.participants.calls.length - asked, store.batches.flat().length - entries]
    // Full jitter under a cap of a minute: one question in half a minute each, and one write for it.
    expect(more).toBeLessThan(count * 5)
    expect(more).toBeGreaterThan(count * 2)
    expect(written).toBeLessThanOrEqual(more + count)
    expect(coordinator.activeCount).toBeLessThan(count / 5)
    const sizes = await world.rows.read(['m0', 'm499'])
    expect(Math.max(...sizes.map(({ state }) => state.length))).toBeLessThan(8_000)
  })
  it('RocketMQ: commit stored, its mark lost: what is delivered again has the same id, and its number tells', async () => {
    const world = new World()
    const [one] = [await world.start(), await world.start()]
    world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? never : done()))
    await one.coordinator.begin(message('m', 'bank.a'))
    await one.coordinator.decide('m', 'commit')
    await world.time.advance(100)
    one.kill()
    expect((await world.settled('m', 10_000)).status).toBe('committed')
    const said = world.participants.calls.map((call) => [call.transaction, call.branch, call.attempt, call.input])
    const payload: Json = { to: 'bank.a' }
    expect(said).toEqual([
      ['m', 'a', 1, payload],
      ['m', 'a', 2, payload],
    ])
  })
})

describe('the second phase', () => {
  it.each([
    ['retry', undefined, 'done'],
    ['resume', undefined, 'done'],
    ['skip', 'a', 'skipped'],
  ] as const)(
    'dtm #545, #332, #562, #523: a 409 in phase two is held at once with its reason, and %s works',
    async (action, named, state) => {
      const world = new World()
      const one = await world.start()
      world.participants.on('bank.a', () => refused({ code: 'frozen' }))
      await decidedTcc(one, 'commit', 'bank.a', 'bank.b')
      expect(await world.settled('t', 1_000)).toMatchObject({
        status: 'committing',
        held: { reason: 'phase-two-refused', detail: 'a confirm: {"code":"frozen"}' },
      })
      await world.time.advance(60 * minute)
      expect(world.participants.named('bank.a')).toEqual(['a.confirm#1'])
      world.participants.on('bank.a', () => done())
      const reason = 'the account is open again'
      await one.coordinator.act('t', { action, reason, ...(named === undefined ? {} : { branch: named }) })
      expect((await world.settled('t', 2_000)).status).toBe('committed')
      const shown = await one.coordinator.get('t')
      expect([shown?.branches[0]?.state, shown?.incomplete]).toEqual([state, action === 'skip'])
    },
  )
  it('seata-go #685, #1147: a cancel without a try ends in one call', async () => {
    const world = new World()
    const one = await world.start()
    // Nobody ever tried: the barrier makes the cancel a no-op, and that is an answer.
    await decidedTcc(one, 'rollback', 'bank.a', 'bank.b')
    expect((await world.settled('t', 1_000)).status).toBe('rolled-back')
    await world.time.advance(10 * minute)
    expect(world.participants.named().sort()).toEqual(['a.cancel#1', 'b.cancel#1'])
  })
  it('dtm #446, #504: a confirm of 8 s passes by default', async () => {
    const world = new World()
    const one = await world.start()
    const { timers } = world.time.process().environment
    const slow = (): Promise<Outcome> => new Promise((resolve) => void timers.after(8_000, () => resolve(done())))
    world.participants.on('bank.a', slow)
    await decidedTcc(one, 'commit', 'bank.a')
    expect((await world.settled('t', 8_500)).status).toBe('committed')
    expect(world.participants.named()).toEqual(['a.confirm#1'])
  })
  it('dtm #143, #344, #241: the count of attempts is exact, over retries, a takeover and what was moved out of the row', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a', ({ attempt }) => (attempt === 30 ? never : unknown()))
    await decidedTcc(one, 'commit', 'bank.a')
    await world.time.until(() => world.participants.calls.length === 30, 60 * minute)
    // Whoever has called the thirtieth time dies over it.
    const [owner, other] = one.coordinator.activeCount === 1 ? [one, two] : [two, one]
    owner.kill()
    world.participants.on('bank.a', () => done())
    await world.settled('t', 10_000)
    const attempts = (await other.coordinator.get('t'))?.branches[0]?.attempts ?? []
    expect(attempts.map(({ number }) => number)).toEqual(Array.from({ length: 31 }, (_, n) => n + 1))
    expect([attempts[29]?.error, attempts[30]?.outcome]).toEqual(['takeover', 'done'])
  })
  it('dtm: "retry now" leads to a call within a second', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => unknown({ retryAfterMs: 60 * minute }))
    await decidedTcc(one, 'rollback', 'bank.a')
    await world.time.advance(10 * minute)
    world.participants.on('bank.a', () => done())
    await one.coordinator.act('t', { action: 'retry', branch: 'a', reason: 'because' })
    expect((await world.settled('t', 1_000)).status).toBe('rolled-back')
  })
})

describe('time and names', () => {
  it('dtm #306: instances whose clocks are 30 s apart drive one schedule, and no hot loop', async () => {
    const world = new World()
    await world.start({ skewMs: 30_000 })
    const behind = await world.start({ skewMs: -30_000 })
    world.participants.on('bank/check', () => unknown())
    await behind.coordinator.begin(message('m', 'bank.a'))
    await world.time.advance(10 * minute)
    const times = checks(world, 'm').map(({ at }) => at)
    expect(times[0]).toBeGreaterThanOrEqual(2_000)
    expect(times[0]).toBeLessThan(3_500)
    expect(times.length).toBeLessThan(60)
  })
  it('dtm: ids that prefix each other keep their own branches', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    for (const id of ['order-1', 'order-10', 'Order-1', 'order-1:a']) {
      await coordinator.begin(tcc(id))
      await coordinator.register(id, branch('bank.a', { input: { of: id } }))
    }
    await coordinator.decide('order-1', 'commit')
    await world.settled('order-1')
    expect(world.participants.calls.map(({ transaction, input }) => [transaction, input])).toEqual([
      ['order-1', { of: 'order-1' }],
    ])
    expect((await world.row('order-10')).status).toBe('prepared')
  })
  it('dtm: work that is 60 days old is still driven or held', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => unknown())
    world.participants.on('bank/check', () => pending())
    await coordinator.begin(message('undecided', 'bank.a'))
    await coordinator.begin(tcc('open', { deadline: '1m' }))
    await coordinator.register('open', branch('bank.a'))
    await coordinator.begin(message('deciding', 'bank.a'))
    await coordinator.decide('deciding', 'commit')
    await world.time.advance(5_000)
    world.time.nowMs += 60 * day
    await world.time.advance(10 * minute)
    for (const id of ['undecided', 'open', 'deciding']) {
      const { held, endedAt } = await world.row(id)
      expect([id, held === null && endedAt === null]).toEqual([id, false])
    }
    expect((await coordinator.list({ held: true })).items).toHaveLength(3)
  })
  it('Seata #2641, #4795, #5231, #7447: what is retried is told after 10 min and held after 24 h', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => unknown())
    await one.coordinator.begin(tcc('t', { deadline: '1m' }))
    await one.coordinator.register('t', branch('bank.a'))
    await world.time.advance(12 * minute)
    expect(one.alerts.map(({ kind }) => kind)).toEqual(['old'])
    world.time.nowMs += day
    expect((await world.settled('t', 5 * minute)).held?.reason).toBe('too-old')
  })
})

describe('many at once', () => {
  it('dtm: a thousand stuck ones are drained beside a dead endpoint', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.dead', () => unknown({ unreached: true }))
    for (let n = 0; n < 1_000; n++) {
      await coordinator.begin(message(`m${n}`, n % 10 === 0 ? 'bank.dead' : 'bank.good'))
      await coordinator.decide(`m${n}`, 'commit')
    }
    await world.time.advance(minute)
    expect(world.participants.named('bank.good')).toHaveLength(900)
    world.participants.on('bank.dead', () => done())
    await world.time.advance(2 * minute)
    expect((await coordinator.list({ status: 'committing', limit: 500 })).items).toEqual([])
  })
  it('Seata #5170: a store that fails now and then, and an owner that dies, leave nothing undone', async () => {
    const world = new World()
    let current = await world.start()
    for (let round = 0; round < 10; round++) {
      let commits = 0
      current.store.before = () => {
        commits += 1
        if (commits % 3 === 0) throw unavailable()
      }
      const begun = current.coordinator.begin(tcc(`t${round}`, { deadline: '20s' }))
      await world.time.advance(500)
      await begun
      const registered = current.coordinator.register(`t${round}`, branch('bank.a'))
      await world.time.advance(500)
      await registered
      void current.coordinator.decide(`t${round}`, 'commit').catch(() => undefined)
      await world.time.advance(round * 20)
      current.kill()
      current = await world.start()
    }
    for (let round = 0; round < 10; round++) expect((await world.settled(`t${round}`)).held).toBeNull()
    const kinds = world.participants.calls.map(({ transaction, operation }) => `${transaction} ${operation}`)
    expect(new Set(kinds).size).toBe(10)
  })
})
