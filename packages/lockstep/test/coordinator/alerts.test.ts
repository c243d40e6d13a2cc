/** What a person is told of: each change once, not before it is durable, and never in silence (laws 1 and 9). */
import { describe, expect, it } from 'vitest'
import type { Alert, Entry, Outcome } from '../../src/ports/index.ts'
import { branch, done, type Instance, message, never, refused, tcc, unchecked, unknown, World } from './world.ts'

const minute = 60_000
const day = 24 * 60 * minute
/** What was told, of all instances; what came at one moment in the order of the alphabet. */
const kinds = (...instances: Instance[]) =>
  instances
    .flatMap(({ alerts }) => alerts)
    .map(({ at, kind, reason }) => ({ at, word: reason === null ? kind : `${kind}: ${reason}` }))
    .sort((left, right) => left.at - right.at || (left.word < right.word ? -1 : 1))
    .map(({ word }) => word)

async function committedTcc(world: World, { coordinator }: Instance): Promise<void> {
  await coordinator.begin(tcc('t', { deadline: 5_000 }))
  await coordinator.register('t', branch('bank.a'))
  await coordinator.register('t', branch('bank.b'))
  await coordinator.decide('t', 'commit')
  await world.time.settle()
}

async function committedMessage({ coordinator }: Instance): Promise<void> {
  await coordinator.begin(message('t', { to: 'bank.a', escalate: 'bank.undo' }, 'bank.b'))
  await coordinator.decide('t', 'commit')
}

const holds = (entry: Entry) => entry.kind === 'advance' && entry.hold !== undefined

type Story = readonly [what: string, tell: (world: World, one: Instance) => Promise<void>, told: readonly string[]]
const stories: readonly Story[] = [
  [
    'a message that nobody decides: undecided after ten minutes, held after a day',
    async (world, { coordinator }) => {
      await coordinator.begin(unchecked('t', 'bank.a'))
      await world.time.advance(20 * minute)
      world.time.nowMs += day
      await world.settled('t')
    },
    ['undecided', 'held: undecided'],
  ],
  [
    'a confirm that nobody answers: old after ten minutes, held after a day',
    async (world, one) => {
      world.participants.on('bank.a', () => unknown())
      await committedTcc(world, one)
      await world.time.advance(20 * minute)
      world.time.nowMs += day
      await world.settled('t')
    },
    ['old', 'held: too-old'],
  ],
  [
    'a confirm that is refused: held at once',
    async (world, one) => {
      world.participants.on('bank.a', () => refused())
      await committedTcc(world, one)
      await world.settled('t')
    },
    ['held: phase-two-refused'],
  ],
  [
    'a delivery that is refused: stuck at once, held once the others are through',
    async (world, one) => {
      world.participants.on('bank.b', () => refused())
      await committedMessage(one)
      await world.settled('t')
    },
    ['branch-stuck', 'held: delivery-refused'],
  ],
  [
    'a delivery that is refused and told to the producer: stuck, and that is all',
    async (world, one) => {
      world.participants.on('bank.a', () => refused())
      await committedMessage(one)
      await world.settled('t')
    },
    ['branch-stuck'],
  ],
]

describe('each change is told once', () => {
  it.each(stories)('%s', async (_, tell, told) => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    await tell(world, one)
    await world.time.advance(5 * minute)
    expect(kinds(one, two)).toEqual(told)
  })
  it('with what a person needs to find it, and nothing that is secret', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.b', () => refused({ code: 'closed' }))
    await committedMessage(one)
    await world.settled('t')
    const common = { id: 't', pattern: 'message', status: 'committing', at: expect.any(Number) }
    expect(new Set(one.alerts)).toEqual(
      new Set([
        { ...common, kind: 'branch-stuck', reason: null, detail: 'delivery-refused: b: {"code":"closed"}' },
        { ...common, kind: 'held', reason: 'delivery-refused', detail: 'b: {"code":"closed"}' },
      ]),
    )
  })
  it('and again when it comes to be so again after a resume', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => refused())
    await committedTcc(world, one)
    for (let round = 0; round < 3; round++) {
      await world.settled('t')
      await one.coordinator.act('t', { action: 'resume', reason: 'try again' })
    }
    await world.settled('t')
    expect(kinds(one)).toEqual(Array(4).fill('held: phase-two-refused'))
  })
  it('a death before it was durable does not lose it: the next owner tells it', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank.a', () => refused())
    await one.coordinator.begin(tcc('t'))
    await one.coordinator.register('t', branch('bank.a'))
    one.store.before = (batch) => (batch.some(holds) ? never : undefined)
    await one.coordinator.decide('t', 'commit')
    await world.time.advance(1_000)
    one.kill()
    expect((await world.settled('t', 10_000)).held?.reason).toBe('phase-two-refused')
    await world.time.advance(1_000)
    expect([kinds(one), kinds(two)]).toEqual([[], ['held: phase-two-refused']])
  })
  it('what ends well is told to nobody', async () => {
    const world = new World()
    const one = await world.start()
    await committedTcc(world, one)
    await one.coordinator.begin(message('m', 'bank.a'))
    world.participants.on('bank/check', () => done({ decision: 'rollback' }))
    await world.time.advance(30 * minute)
    expect(kinds(one)).toEqual([])
  })
})

describe('nothing is told before it is durable', () => {
  it.each(stories)('%s', async (_, tell, told) => {
    const world = new World()
    const one = await world.start()
    const early: Alert[] = []
    // Each write takes a while; what is told meanwhile rests on nothing that is durable.
    one.store.before = async () => {
      const told = one.alerts.length
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
      early.push(...one.alerts.slice(told))
    }
    await tell(world, one)
    await world.time.advance(minute)
    expect(early).toEqual([])
    expect(kinds(one)).toEqual(told)
  })
  it('and nothing at all while the store does not answer', async () => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => refused())
    await one.coordinator.begin(tcc('t'))
    await one.coordinator.register('t', branch('bank.a'))
    let open = () => {}
    one.store.before = (batch) => (batch.some(holds) ? new Promise((resolve) => (open = resolve)) : undefined)
    await one.coordinator.decide('t', 'commit')
    await world.time.advance(2_000)
    expect(kinds(one)).toEqual([])
    one.store.before = () => {}
    open()
    await world.settled('t')
    await world.time.advance(100)
    expect(kinds(one)).toEqual(['held: phase-two-refused'])
  })
})

describe('what changes by a decision or an action from outside is told as well', () => {
  it('the age of what an instance decides and cannot drive', async () => {
    const world = new World()
    const shopOnly = await world.start({}, ['shop'])
    await shopOnly.coordinator.begin(unchecked('t', 'bank.a'))
    await world.time.advance(10 * minute + 30_000)
    // It is eleven minutes old, nobody was there to say so, and this instance hands it on.
    await shopOnly.coordinator.decide('t', 'commit')
    world.participants.on('bank.a', () => unknown())
    const both = await world.start()
    await world.time.advance(30 * minute)
    expect(kinds(shopOnly, both)).toEqual(['old'])
  })
  it('a hold that the machine sets in the very moment of an action', async () => {
    const world = new World()
    const one = await world.start({ barrierRetention: '1h' })
    world.participants.on('bank.a', () => unknown())
    await committedTcc(world, one)
    await one.coordinator.act('t', { action: 'hold', reason: 'because' })
    await world.time.advance(minute)
    world.time.nowMs += 60 * minute
    await world.time.advance(minute)
    const before = kinds(one).length
    expect((await one.coordinator.act('t', { action: 'retry', reason: 'because' })).held?.reason).toBe(
      'older-than-barrier',
    )
    await world.time.advance(minute)
    expect(kinds(one).slice(before)).toEqual(['held: older-than-barrier'])
  })
  it('a hold of an operator is told alike, whether somebody is at work on the transaction or it waits', async () => {
    const toldOf = async (call: () => Outcome | Promise<Outcome>) => {
      const world = new World()
      const one = await world.start()
      world.participants.on('bank.a', call)
      await committedTcc(world, one)
      await world.time.advance(3_000)
      await one.coordinator.act('t', { action: 'hold', reason: 'because' })
      await world.time.advance(minute)
      return kinds(one)
    }
    const atWork = await toldOf(() => never)
    expect(await toldOf(() => unknown({ retryAfterMs: 60 * minute }))).toEqual(atWork)
  })
})
