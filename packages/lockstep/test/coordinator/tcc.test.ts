/** A TCC under the real coordinator: registrations and decisions on whichever instance, in any order, and what a death leaves (law 8). */
import { describe, expect, it } from 'vitest'
import type { Json } from '../../src/ports/index.ts'
import {
  body,
  branch,
  done,
  errorOf,
  type Instance,
  message,
  never,
  tcc,
  unavailable,
  unknown,
  World,
} from './world.ts'

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    ({ code }: { code: string }) => code,
  )
/** What the row has, whoever drives it. */
async function registered(world: World, id = 't'): Promise<string[]> {
  const { branches } = JSON.parse((await world.row(id)).definition) as { branches: { name: string }[] }
  return branches.map(({ name }) => name)
}

describe('a registration', () => {
  it('is durable when it is answered, and not answered before', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(tcc('t'))
    let open = () => {}
    store.before = () => new Promise((resolve) => (open = resolve))
    let answered = false
    const registering = coordinator.register('t', branch('bank.a')).then((answer) => {
      answered = true
      return answer
    })
    await world.time.advance(1_000)
    expect([answered, await registered(world)]).toEqual([false, []])
    open()
    expect(await registering).toMatchObject({ replayed: false, transaction: { branches: [{ name: 'a' }] } })
    expect(await registered(world)).toEqual(['a'])
  })
  it.each<[where: string, at: (world: World, one: Instance) => Promise<Instance>]>([
    ['where it was begun', async (_, one) => one],
    ['on another instance', async (world) => await world.start()],
    [
      'after a restart',
      async (world, one) => {
        one.kill()
        return await world.start()
      },
    ],
    [
      'after a stop',
      async (world, one) => {
        const stopped = one.coordinator.stop()
        await world.time.advance(1_000)
        await stopped
        return await world.start()
      },
    ],
  ])('%s is confirmed with the others', async (_, at) => {
    const world = new World()
    const one = await world.start()
    await one.coordinator.begin(tcc('t'))
    await one.coordinator.register('t', branch('bank.a'))
    const there = await at(world, one)
    expect((await there.coordinator.register('t', branch('bank.b'))).replayed).toBe(false)
    await there.coordinator.register('t', branch('bank.c'))
    expect((await there.coordinator.decide('t', 'commit')).status).toBe('committing')
    expect((await world.settled('t')).status).toBe('committed')
    expect(world.participants.named().sort()).toEqual(['a.confirm#1', 'b.confirm#1', 'c.confirm#1'])
    expect(await registered(world)).toEqual(['a', 'b', 'c'])
  })
  it.each([1, 2, 3])('at once with nine others, over %i instances: all land', async (count) => {
    const world = new World()
    const instances: Instance[] = []
    for (let n = 0; n < count; n++) instances.push(await world.start())
    await instances[0]?.coordinator.begin(tcc('t'))
    const targets = Array.from({ length: 10 }, (_, n) => `bank.b${n}`)
    await Promise.all(
      targets.map((target, n) => instances[n % count]?.coordinator.register('t', branch(target)) ?? Promise.reject()),
    )
    expect((await registered(world)).sort()).toEqual(targets.map((target) => target.slice(5)))
    await instances.at(-1)?.coordinator.decide('t', 'rollback')
    await world.settled('t')
    expect(world.participants.named()).toHaveLength(10)
  })
  it('that is repeated is answered alike, on whichever instance, also after the decision', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    await one.coordinator.begin(tcc('t'))
    expect((await one.coordinator.register('t', branch('bank.a'))).replayed).toBe(false)
    for (const { coordinator } of [one, two])
      expect((await coordinator.register('t', branch('bank.a'))).replayed).toBe(true)
    await two.coordinator.decide('t', 'commit')
    await world.settled('t')
    for (const { coordinator } of [one, two]) {
      expect((await coordinator.register('t', branch('bank.a'))).replayed).toBe(true)
      expect(await codeOf(coordinator.register('t', branch('bank.a', { input: 6 })))).toBe('LOCKSTEP_ID_REUSED')
      expect(await codeOf(coordinator.register('t', branch('bank.b')))).toBe('LOCKSTEP_DECIDED')
    }
    expect(await registered(world)).toEqual(['a'])
  })
  it.each<[string, string, Json, string]>([
    ['of what was never begun', 'nobody', {}, 'LOCKSTEP_NOT_FOUND'],
    ['of what was rolled back before it was begun', 'tombstone', {}, 'LOCKSTEP_DECIDED'],
    ['of a saga', 'saga', {}, 'LOCKSTEP_ACTION_NOT_ALLOWED'],
    ['of a message', 'message', {}, 'LOCKSTEP_ACTION_NOT_ALLOWED'],
    ['without its targets', 'tcc', { participant: 5 }, 'LOCKSTEP_INVALID_REQUEST'],
    ['with an id that is none', 'a/b', {}, 'LOCKSTEP_INVALID_REQUEST'],
  ])('%s is refused', async (_, id, more, code) => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => never)
    await coordinator.rollback('tombstone')
    await coordinator.begin(body('saga', 'bank.a'))
    await coordinator.begin(message('message', 'bank.a'))
    await coordinator.begin(tcc('tcc'))
    expect(await codeOf(coordinator.register(id, branch('bank.z', more as never)))).toBe(code)
  })
  it('of what is past retention is told how that ended', async () => {
    const world = new World()
    const { coordinator } = await world.start({ barrierRetention: '1h', retention: { finished: '1h', ids: '2h' } })
    await coordinator.begin(tcc('t'))
    await coordinator.register('t', branch('bank.a'))
    await coordinator.decide('t', 'commit')
    await world.time.advance(3_700_000)
    for (const asked of [coordinator.register('t', branch('bank.b')), coordinator.decide('t', 'rollback')]) {
      expect(await errorOf(asked)).toMatchObject({ code: 'LOCKSTEP_EXPIRED', details: { status: 'committed' } })
    }
  })
  it('with no object for a body is refused', async () => {
    const { coordinator } = await new World().start()
    await coordinator.begin(tcc('t'))
    expect(await codeOf(coordinator.register('t', [] as never))).toBe('LOCKSTEP_INVALID_REQUEST')
  })
  it('whose answer the store loses is there once, and a repeat says so', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(tcc('t'))
    store.after = () => {
      store.after = () => {}
      throw unavailable()
    }
    const first = coordinator.register('t', branch('bank.a'))
    await world.time.advance(1_000)
    expect((await first).replayed).toBe(false)
    expect((await coordinator.register('t', branch('bank.a'))).replayed).toBe(true)
    expect(await registered(world)).toEqual(['a'])
  })
})

describe('how much is written', () => {
  it('a TCC of two branches alone makes four batches until its commit is answered', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    for (const target of ['bank.a', 'bank.b']) world.participants.on(target, () => never)
    await coordinator.begin(tcc('t'))
    await coordinator.register('t', branch('bank.a'))
    await coordinator.register('t', branch('bank.b'))
    await coordinator.decide('t', 'commit')
    expect(store.batches.map((batch) => batch.map(({ kind }) => kind))).toEqual([
      ['insert'],
      ['advance'],
      ['advance'],
      ['advance'],
    ])
  })
  it('a registration writes the branches once more, and what comes after it does not', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(tcc('t'))
    await coordinator.register('t', branch('bank.a'))
    await coordinator.decide('t', 'commit')
    await world.settled('t')
    const entries = store.batches.flat().slice(1)
    expect(entries.map((entry) => entry.kind === 'advance' && entry.work !== undefined)).toEqual([true, false, false])
  })
})

describe('the decision', () => {
  it.each([
    ['commit', 'confirm', 'committing', 'LOCKSTEP_ALREADY_COMMITTING'],
    ['rollback', 'cancel', 'rolling-back', 'LOCKSTEP_ALREADY_ROLLING_BACK'],
  ] as const)('%s on another instance is final everywhere', async (decision, operation, status, code) => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    await one.coordinator.begin(tcc('t'))
    await one.coordinator.register('t', branch('bank.a'))
    expect((await two.coordinator.decide('t', decision)).status).toBe(status)
    const opposite = decision === 'commit' ? 'rollback' : 'commit'
    for (const { coordinator } of [one, two]) expect(await codeOf(coordinator.decide('t', opposite))).toBe(code)
    await world.settled('t')
    for (const { coordinator } of [one, two]) {
      expect((await coordinator.decide('t', decision)).endedAt).not.toBeNull()
      expect(await codeOf(coordinator.decide('t', opposite))).toBe(code)
    }
    expect(world.participants.calls.map((call) => [call.operation, call.durable?.status])).toEqual([
      [operation, status],
    ])
    expect([one.coordinator.activeCount, two.coordinator.activeCount]).toEqual([0, 0])
  })
  it('no confirm leaves before it is durable (law 1)', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(tcc('t'))
    await coordinator.register('t', branch('bank.a'))
    let open = () => {}
    store.before = () => new Promise((resolve) => (open = resolve))
    const deciding = coordinator.decide('t', 'commit')
    await world.time.advance(2_000)
    expect(world.participants.calls).toEqual([])
    store.before = () => {}
    open()
    expect((await deciding).status).toBe('committing')
    expect((await world.settled('t')).status).toBe('committed')
  })
  it('commit sent and its answer lost: the same again is answered with what is so', async () => {
    const world = new World()
    const { coordinator, store } = await world.start()
    await coordinator.begin(tcc('t'))
    await coordinator.register('t', branch('bank.a'))
    store.after = () => Promise.reject(unavailable())
    const lost = errorOf(coordinator.decide('t', 'commit'))
    await world.time.advance(5_000)
    expect(await lost).toMatchObject({ code: 'LOCKSTEP_STORE_UNAVAILABLE', outcome: 'unknown' })
    store.after = () => {}
    const again = coordinator.decide('t', 'commit', { waitMs: 10_000 })
    await world.time.advance(10_000)
    expect((await again).status).toBe('committed')
  })
  it('may be waited for, until the confirms are through', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? unknown() : done({ seat: '4A' })))
    await coordinator.begin(tcc('t'))
    await coordinator.register('t', branch('bank.a'))
    const decided = coordinator.decide('t', 'commit', { waitMs: 10_000 })
    await world.time.advance(5_000)
    expect(await decided).toMatchObject({ status: 'committed', output: { a: { seat: '4A' } } })
  })
  it('a commit after the deadline was missed by everybody still wins, if it is first', async () => {
    const world = new World()
    const first = await world.start()
    await first.coordinator.begin(tcc('t', { deadline: 5_000 }))
    await first.coordinator.register('t', branch('bank.a'))
    first.kill()
    await world.time.advance(60_000)
    const second = world.make({})
    second.store.claiming = () => never
    await second.coordinator.start()
    expect((await second.coordinator.decide('t', 'commit')).status).toBe('committing')
  })
})

describe('the deadline', () => {
  it('cancels every registered branch, answered or not, within a moment', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    await coordinator.begin(tcc('t', { deadline: 5_000 }))
    await coordinator.register('t', branch('bank.a'))
    await coordinator.register('t', branch('bank.b'))
    await world.time.advance(4_900)
    expect((await world.row('t')).status).toBe('prepared')
    await world.time.advance(1_500)
    expect(world.participants.named().sort()).toEqual(['a.cancel#1', 'b.cancel#1'])
    expect((await world.row('t')).status).toBe('rolled-back')
    expect(await codeOf(coordinator.decide('t', 'commit'))).toBe('LOCKSTEP_ALREADY_ROLLING_BACK')
  })
  it('is kept by another instance after the first one died: nobody owns what is prepared', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    await one.coordinator.begin(tcc('t', { deadline: 5_000 }))
    await one.coordinator.register('t', branch('bank.a'))
    await world.time.advance(4_500)
    one.kill()
    await world.time.advance(2_000)
    expect((await world.row('t')).status).toBe('rolled-back')
    expect([world.participants.named(), two.coordinator.takeovers]).toEqual([['a.cancel#1'], 0])
  })
  it('is judged by the store, whatever the clock of the instance says', async () => {
    for (const skewMs of [-30_000, 30_000]) {
      const world = new World()
      const { coordinator } = await world.start({ skewMs })
      await coordinator.begin(tcc('t', { deadline: 5_000 }))
      await world.time.advance(4_900)
      expect((await world.row('t')).status).toBe('prepared')
      await world.time.advance(1_500)
      expect((await world.row('t')).status).toBe('rolled-back')
    }
  })
})

describe('after a crash', () => {
  it.each([
    ['commit', 'confirm'],
    ['rollback', 'cancel'],
  ] as const)(
    'in a %s, another instance sends each %s again, with a trace of the lost ones',
    async (decision, operation) => {
      const world = new World()
      const [one, two] = [await world.start(), await world.start()]
      world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? never : done()))
      await one.coordinator.begin(tcc('t'))
      for (const target of ['bank.a', 'bank.b']) await one.coordinator.register('t', branch(target))
      await one.coordinator.decide('t', decision)
      await world.time.advance(500)
      one.kill()
      await world.time.until(() => world.participants.named('bank.a').length === 2, 6_000)
      await world.settled('t')
      const [a, b] = (await two.coordinator.get('t'))?.branches ?? []
      expect(a?.attempts).toMatchObject([
        { operation, error: 'takeover' },
        { number: 2, outcome: 'done' },
      ])
      // The answer of the other one was durable, so it is not called again.
      expect(b?.attempts).toMatchObject([{ operation, number: 1, outcome: 'done' }])
    },
  )
})
