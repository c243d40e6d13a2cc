/** What an operator does, on the instance that drives the saga and on another one, and what is written down of it. */
import { describe, expect, it } from 'vitest'
import type { ActionRequest } from '../../src/protocol/index.ts'
import { body, done, errorOf, type Instance, never, refused, unknown, World } from './world.ts'

type Action = ActionRequest['action']
const because = (action: Action, branch?: string): ActionRequest => ({
  action,
  reason: 'because',
  by: 'ada',
  ...(branch === undefined ? {} : { branch }),
})

/** Two instances; the first one begins and drives, the action comes in at `at`. */
async function two(): Promise<{ world: World; first: Instance; second: Instance }> {
  const world = new World()
  return { world, first: await world.start(), second: await world.start() }
}

describe.each(['first', 'second'] as const)('at the %s instance', (at) => {
  it('hold lets the call that is out finish, records it, and lets nothing else leave; resume goes on', async () => {
    const there = await two()
    const { world, first } = there
    let answer = (_: ReturnType<typeof done>) => {}
    world.participants.on('bank.a', () => new Promise((resolve) => (answer = resolve)))
    await first.coordinator.begin(body('t', 'bank.a', 'bank.b'))
    await world.time.advance(100)
    expect((await there[at].coordinator.act('t', because('hold'))).held).toMatchObject({
      reason: 'operator',
      by: 'ada',
      detail: 'because',
    })
    await world.time.advance(1_500)
    answer(done('r'))
    await world.time.advance(60_000)
    expect(world.participants.named()).toEqual(['a.action#1'])
    expect((await there[at].coordinator.get('t'))?.branches[0]).toMatchObject({ state: 'done', output: 'r' })
    await there[at].coordinator.act('t', because('resume'))
    await world.time.advance(2_000)
    expect((await world.row('t')).status).toBe('committed')
  })
  it('a resume that comes while the call is still out is not lost', async () => {
    const there = await two()
    const { world, first } = there
    let answer = (_: ReturnType<typeof done>) => {}
    world.participants.on('bank.a', () => new Promise((resolve) => (answer = resolve)))
    await first.coordinator.begin(body('t', 'bank.a', 'bank.b'))
    await first.coordinator.act('t', because('hold'))
    await world.time.advance(1_200)
    await there[at].coordinator.act('t', because('resume'))
    answer(done())
    expect((await world.settled('t', 5_000)).status).toBe('committed')
  })
  it('retry leads to a call within a second', async () => {
    const there = await two()
    const { world, first } = there
    world.participants.on('bank.a', ({ attempt }) => (attempt === 1 ? unknown({ retryAfterMs: 3_600_000 }) : done()))
    await first.coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(5_000)
    await there[at].coordinator.act('t', because('retry'))
    await world.time.advance(1_000)
    expect((await world.row('t')).status).toBe('committed')
  })
  it.each([
    ['retry', undefined, 'committed', ['done', 'done']],
    ['resume', undefined, 'committed', ['done', 'done']],
    ['skip', 'b', 'committed', ['done', 'skipped']],
    ['force-commit', undefined, 'committed', ['done', 'skipped']],
    ['force-rollback', undefined, 'rolled-back', ['reversed', 'reversed']],
  ] as const)('%s of what is held lets it go, and is one audit row', async (action, branch, status, states) => {
    const there = await two()
    const { world, first } = there
    world.participants.on('bank.b/action', () => unknown())
    await first.coordinator.begin(body('t', 'bank.a', { participant: 'bank.b', retry: { limit: 1 } }))
    expect((await world.settled('t')).held?.reason).toBe('limit-spent')
    world.participants.on('bank.b/action', () => done())
    await there[at].coordinator.act('t', because(action, branch))
    await world.time.advance(3_000)
    const shown = await there[at].coordinator.get('t')
    expect([shown?.status, shown?.branches.map(({ state }) => state), shown?.held]).toEqual([status, states, null])
    expect((await there[at].coordinator.history('t')).audit).toMatchObject([
      { by: 'ada', action, branch: branch ?? null, reason: 'because', before: 'committing, held: limit-spent' },
    ])
  })
  it.each(['skip', 'force-commit', 'force-rollback'] as const)(
    '%s cures what is older than the barrier remembers; nothing calls it again',
    async (action) => {
      const there = await two()
      const { world, first } = there
      world.participants.on('bank.b', () => unknown({ code: 'older-than-barrier' }))
      await first.coordinator.begin(body('t', 'bank.a', 'bank.b'))
      expect((await world.settled('t')).held?.reason).toBe('older-than-barrier')
      for (const refusedAction of ['retry', 'resume'] as const) {
        expect((await errorOf(there[at].coordinator.act('t', because(refusedAction)))).code).toBe(
          'LOCKSTEP_ACTION_NOT_ALLOWED',
        )
      }
      const calls = world.participants.named('bank.b').length
      await there[at].coordinator.act('t', because(action, action === 'skip' ? 'b' : undefined))
      if (action === 'force-rollback') {
        // Its reverse is as old: a second force leaves it as it is.
        expect((await world.settled('t')).held?.reason).toBe('older-than-barrier')
        await there[at].coordinator.act('t', because(action))
      } else expect(world.participants.named('bank.b')).toHaveLength(calls)
      expect((await world.settled('t')).endedAt).not.toBeNull()
    },
  )
  it('retry leads to a call within a second, although the breaker is open and the back-off long', async () => {
    const there = await two()
    const { world, first } = there
    world.participants.on('bank.a', () => unknown({ unreached: true }))
    await first.coordinator.begin(body('t', 'bank.a'))
    await world.time.advance(300_000)
    const before = world.participants.calls.length
    await there[at].coordinator.act('t', because('retry'))
    await world.time.advance(1_000)
    expect(world.participants.calls.length).toBeGreaterThan(before)
  })
  it('retry of a spent limit is one attempt, resume a fresh limit', async () => {
    const there = await two()
    const { world, first } = there
    world.participants.on('bank.a', () => unknown())
    await first.coordinator.begin(body('t', { participant: 'bank.a', retry: { limit: 3 } }))
    const heldAfter = async (action: 'retry' | 'resume'): Promise<number> => {
      const before = world.participants.calls.length
      await there[at].coordinator.act('t', because(action))
      await world.settled('t')
      return world.participants.calls.length - before
    }
    await world.settled('t')
    expect([await heldAfter('retry'), await heldAfter('retry'), await heldAfter('resume')]).toEqual([1, 1, 3])
  })
  it('an action on what is held while another call is still out lets it go as well', async () => {
    const there = await two()
    const { world, first } = there
    world.participants.on('bank.slow', () => never)
    await first.coordinator.begin({
      ...body('t', { participant: 'bank.slow', timeout: '10m' }, 'bank.b'),
      concurrent: true,
    })
    await world.time.advance(100)
    await first.coordinator.act('t', because('hold'))
    await there[at].coordinator.act('t', because('skip', 'slow'))
    expect((await world.settled('t')).status).toBe('committed')
  })
  it('a forced end leaves nothing in memory, though a call is still out', async () => {
    const there = await two()
    const { world, first } = there
    world.participants.on('bank.slow', () => never)
    await first.coordinator.begin(body('t', { participant: 'bank.slow', timeout: '10m' }))
    await first.coordinator.act('t', because('hold'))
    expect((await there[at].coordinator.act('t', because('force-commit'))).status).toBe('committed')
    expect(there[at].coordinator.activeCount).toBe(0)
  })
  it('what is not allowed is refused, and changes nothing', async () => {
    const there = await two()
    const { world, first } = there
    const { coordinator } = there[at]
    const codeOf = async (action: Action, branch?: string) =>
      (await errorOf(coordinator.act('t', because(action, branch)))).code
    expect(await codeOf('retry')).toBe('LOCKSTEP_NOT_FOUND')
    world.participants.on('bank.a', () => never)
    await first.coordinator.begin(body('t', 'bank.a'))
    expect(await codeOf('resume')).toBe('LOCKSTEP_ACTION_NOT_ALLOWED')
    await coordinator.act('t', because('hold'))
    const before = await world.row('t')
    for (const [action, branch] of [['hold'], ['skip'], ['skip', 'z'], ['retry', 'z']] as const) {
      expect(await codeOf(action, branch)).toBe('LOCKSTEP_ACTION_NOT_ALLOWED')
    }
    expect((await world.row('t')).version).toBe(before.version)
  })
})

describe('an end is an end', () => {
  it.each(['retry', 'hold', 'resume', 'skip', 'force-commit', 'force-rollback'] as const)(
    '%s is refused',
    async (action) => {
      const world = new World()
      const { coordinator } = await world.start()
      await coordinator.begin({ ...body('t', 'bank.a'), wait: 5_000 })
      await coordinator.rollback('tombstone')
      for (const id of ['t', 'tombstone']) {
        expect((await errorOf(coordinator.act(id, because(action, 'a')))).code).toBe('LOCKSTEP_ACTION_NOT_ALLOWED')
      }
      expect((await coordinator.history('t')).audit).toEqual([])
    },
  )
})

describe('held', () => {
  it('a deadline stands still while it is held, and the age waits for the deadline', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a', () => unknown())
    await coordinator.begin({ ...body('t', 'bank.a'), deadline: '2d' })
    const { deadlineAt, ageFrom } = await world.row('t')
    expect(ageFrom).toBe(deadlineAt)
    await world.time.advance(1_000)
    await coordinator.act('t', because('hold'))
    await world.time.advance(3_600_000)
    await coordinator.act('t', because('resume'))
    const after = await world.row('t')
    const heldMs = (after.deadlineAt ?? 0) - (deadlineAt ?? 0)
    expect(heldMs).toBeGreaterThanOrEqual(3_600_000)
    expect(heldMs).toBeLessThan(3_602_000)
    expect(after.ageFrom).toBe(after.deadlineAt)
  })
  it('who waits is told at once, also while another call is out', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.slow', () => never)
    world.participants.on('bank.b', () => unknown())
    const limited = { participant: 'bank.b', retry: { limit: 1 } }
    const begun = coordinator.begin({
      ...body('t', { participant: 'bank.slow', timeout: '1h' }, limited),
      concurrent: true,
      wait: 30_000,
    })
    let at = 0
    void begun.then(() => (at = world.time.nowMs))
    await world.time.advance(31_000)
    expect((await begun).transaction.held?.reason).toBe('limit-spent')
    expect(at).toBeLessThan(1_000)
  })
  it('a cancel is accepted and done after the resume', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a/action', () => unknown())
    await coordinator.begin(body('t', { participant: 'bank.a', retry: { limit: 1 } }))
    await world.settled('t')
    expect(await coordinator.rollback('t')).toMatchObject({ status: 'rolling-back', held: { reason: 'limit-spent' } })
    await coordinator.act('t', because('resume'))
    expect((await world.settled('t')).status).toBe('rolled-back')
  })
  it('a refused compensation is held with what it said', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a/compensate', () => refused('frozen'))
    world.participants.on('bank.b/action', () => refused())
    await coordinator.begin(body('t', 'bank.a', 'bank.b'))
    expect((await world.settled('t')).held).toMatchObject({ reason: 'compensation-refused', detail: 'a: "frozen"' })
  })
})
