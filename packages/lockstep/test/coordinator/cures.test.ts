/** What is held: by whom, seen by whom, and that a person can cure every reason without touching a row (law 9). */
import { describe, expect, it } from 'vitest'
import type { ActionRequest } from '../../src/protocol/index.ts'
import {
  branch,
  done,
  errorOf,
  type Instance,
  message,
  never,
  refused,
  tcc,
  unchecked,
  unknown,
  World,
} from './world.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const act = (action: ActionRequest['action'], named?: string): ActionRequest => ({
  action,
  reason: 'because',
  by: 'ada',
  ...(named === undefined ? {} : { branch: named }),
})

async function committing({ coordinator }: Instance): Promise<void> {
  await coordinator.begin(tcc('t', { deadline: '1m' }))
  await coordinator.register('t', branch('bank.a'))
  await coordinator.decide('t', 'commit')
}

async function delivering({ coordinator }: Instance): Promise<void> {
  await coordinator.begin(message('t', 'bank.a'))
  await coordinator.decide('t', 'commit')
}

async function jump(world: World, ms: number): Promise<void> {
  await world.time.advance(5_000)
  world.time.nowMs += ms
}

type Trouble = readonly [reason: string, pattern: string, make: (world: World, one: Instance) => Promise<unknown>]
const troubles: readonly Trouble[] = [
  [
    'too-old',
    'tcc',
    async (world, one) => {
      world.participants.on('bank.a', () => unknown())
      await committing(one)
      await jump(world, day)
    },
  ],
  [
    'too-old',
    'message',
    async (world, one) => {
      world.participants.on('bank.a', () => unknown())
      await delivering(one)
      await jump(world, day)
    },
  ],
  [
    'phase-two-refused',
    'tcc',
    async (world, one) => {
      world.participants.on('bank.a', () => refused())
      await committing(one)
    },
  ],
  [
    'try-missing',
    'tcc',
    async (world, one) => {
      world.participants.on('bank.a', () => unknown({ code: 'try-missing' }))
      await committing(one)
      await world.time.advance(4 * minute)
    },
  ],
  [
    'participant-missing',
    'tcc',
    async (world, one) => {
      world.participants.missing.add('bank.a')
      await committing(one)
      await world.time.advance(4 * minute)
    },
  ],
  [
    'participant-missing',
    'message',
    async (world, one) => {
      world.participants.missing.add('bank.a')
      await delivering(one)
      await world.time.advance(4 * minute)
    },
  ],
  [
    'delivery-refused',
    'message',
    async (world, one) => {
      world.participants.on('bank.a', () => refused())
      await delivering(one)
    },
  ],
  [
    'operator',
    'tcc',
    async (world, one) => {
      world.participants.on('bank.a', () => unknown())
      await committing(one)
      await one.coordinator.act('t', act('hold'))
      await world.time.advance(2_000)
    },
  ],
]

/** It runs into trouble, the trouble goes away, and a person acts. */
async function cured(trouble: Trouble, action: ActionRequest, at: 0 | 1) {
  const world = new World()
  const instances = [await world.start(), await world.start()] as const
  const [reason, , make] = trouble
  await make(world, instances[0])
  expect((await world.settled('t')).held?.reason).toBe(reason)
  world.participants.on('bank.a', () => done())
  world.participants.missing.clear()
  await instances[at].coordinator.act('t', action)
  const end = await world.settled('t', 2 * minute)
  expect((await instances[at].coordinator.history('t')).audit.at(-1)).toMatchObject({
    action: action.action,
    by: 'ada',
  })
  return { end, shown: await instances[at].coordinator.get('t') }
}

describe('Seata #7068, #7490, #7050, #3833: every held reason is cured by an action, without SQL', () => {
  it.each(troubles)('%s of a %s: retry and resume go on, skip leaves it out, on any instance', async (...trouble) => {
    for (const at of [0, 1] as const) {
      for (const action of ['retry', 'resume'] as const) {
        const { end, shown } = await cured(trouble, act(action), at)
        expect([end.status, end.held, shown?.incomplete]).toEqual(['committed', null, false])
      }
      const { end, shown } = await cured(trouble, act('skip', 'a'), at)
      expect([end.status, end.held, shown?.incomplete]).toEqual(['committed', null, true])
    }
  })
  it.each([
    ['retry', 'committed'],
    ['resume', 'committed'],
    ['force-commit', 'committed'],
    ['force-rollback', 'committed'],
  ] as const)('undecided: %s has it checked or decided', async (action, status) => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank/check', () => unknown())
    await one.coordinator.begin(message('t', 'bank.a'))
    await jump(world, day)
    expect((await world.settled('t')).held?.reason).toBe('undecided')
    world.participants.on('bank/check', () => done({ decision: 'commit' }))
    await one.coordinator.act('t', act(action))
    expect((await world.settled('t', 2 * minute)).status).toBe(status)
  })
  it.each([
    ['force-commit', 'committed'],
    ['force-rollback', 'rolled-back'],
  ] as const)('undecided, and nobody can be asked: %s decides', async (action, status) => {
    const world = new World()
    const one = await world.start()
    await one.coordinator.begin(unchecked('t', 'bank.a'))
    await jump(world, day)
    expect((await world.settled('t')).held?.reason).toBe('undecided')
    await one.coordinator.act('t', act(action))
    expect(await world.settled('t', minute)).toMatchObject({ status, held: null })
  })
  it.each([
    ['a branch', committing],
    ['a delivery', delivering],
  ] as const)('older-than-barrier of %s: skip alone, for nobody may call it again', async (_, begin) => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank.a', () => unknown({ code: 'older-than-barrier' }))
    await begin(one)
    expect((await world.settled('t')).held?.reason).toBe('older-than-barrier')
    for (const action of ['retry', 'resume'] as const) {
      expect((await errorOf(one.coordinator.act('t', act(action)))).code).toBe('LOCKSTEP_ACTION_NOT_ALLOWED')
    }
    const calls = world.participants.calls.length
    await one.coordinator.act('t', act('skip', 'a'))
    expect((await world.settled('t')).status).toBe('committed')
    expect(world.participants.calls).toHaveLength(calls)
  })
  it.each([
    ['force-commit', 'committed'],
    ['force-rollback', 'rolled-back'],
  ] as const)('older-than-barrier of a check: %s decides', async (action, status) => {
    const world = new World()
    const one = await world.start()
    world.participants.on('bank/check', () => unknown({ code: 'older-than-barrier' }))
    await one.coordinator.begin(message('t', 'bank.a'))
    expect((await world.settled('t')).held?.reason).toBe('older-than-barrier')
    await one.coordinator.act('t', act(action))
    expect(await world.settled('t', minute)).toMatchObject({ status, held: null })
  })
})

describe('a hold that another instance has set', () => {
  it('keeps back the confirms of a commit that comes to the first one', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    await one.coordinator.begin(tcc('t'))
    await one.coordinator.register('t', branch('bank.a'))
    await two.coordinator.act('t', act('hold'))
    expect(await one.coordinator.decide('t', 'commit')).toMatchObject({
      status: 'committing',
      held: { reason: 'operator' },
    })
    await world.time.advance(minute)
    expect(world.participants.calls).toEqual([])
    await one.coordinator.act('t', act('resume'))
    expect((await world.settled('t')).status).toBe('committed')
  })
  it('lets registrations in, and the deadline pass: with the resume everything is cancelled', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    await one.coordinator.begin(tcc('t', { deadline: '1m' }))
    await one.coordinator.register('t', branch('bank.a'))
    await two.coordinator.act('t', act('hold'))
    await one.coordinator.register('t', branch('bank.b'))
    await world.time.advance(2 * minute)
    expect(await world.row('t')).toMatchObject({ status: 'prepared', held: { reason: 'operator' } })
    await two.coordinator.act('t', act('resume'))
    expect((await world.settled('t')).status).toBe('rolled-back')
    expect(world.participants.named().sort()).toEqual(['a.cancel#1', 'b.cancel#1'])
  })
  it('keeps the check from being asked, until it is resumed', async () => {
    const world = new World()
    const [one, two] = [await world.start(), await world.start()]
    world.participants.on('bank/check', () => done({ decision: 'rollback' }))
    await one.coordinator.begin(message('t', 'bank.a'))
    await two.coordinator.act('t', act('hold'))
    await world.time.advance(minute)
    expect(world.participants.calls).toEqual([])
    await one.coordinator.act('t', act('resume'))
    expect((await world.settled('t')).status).toBe('rolled-back')
  })
})

describe('who waits', () => {
  it.each([
    ['a decision', async ({ coordinator }: Instance) => void (await coordinator.decide('t', 'commit')), 'committed'],
    ['a deadline', async () => undefined, 'rolled-back'],
  ] as const)(
    'for the end of what is prepared is told of it after %s on another instance',
    async (_, decide, status) => {
      const world = new World()
      const [one, two] = [await world.start(), await world.start()]
      await one.coordinator.begin(tcc('t', { deadline: 5_000 }))
      const waiting = one.coordinator.get('t', { waitMs: 20_000 })
      let toldAt = 0
      void waiting.then(() => (toldAt = world.time.nowMs))
      await world.time.advance(2_000)
      await decide(two)
      await world.time.advance(18_000)
      expect([(await waiting)?.status, toldAt < 8_000]).toEqual([status, true])
    },
  )
  it('is told that a commit is held', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => refused())
    world.participants.on('bank.b', () => never)
    await coordinator.begin(tcc('t'))
    for (const target of ['bank.a', 'bank.b']) await coordinator.register('t', branch(target))
    const decided = coordinator.decide('t', 'commit', { waitMs: 20_000 })
    await world.time.advance(1_000)
    expect((await decided).held?.reason).toBe('phase-two-refused')
  })
})
