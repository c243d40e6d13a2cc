/** What `send` and `tcc` do at their edges, over a real coordinator and the real barrier. Each test is a bug that was there. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryBarrier, memoryDatabase } from '../../src/adapters/memory-database.ts'
import { createCoordinator, type EmbeddedCoordinator } from '../../src/compose.ts'
import { nodeEnvironment } from '../../src/environment/node.ts'
import { isLockstepError, LockstepError } from '../../src/errors.ts'
import { checkBack, participant, refuse } from '../../src/participant/index.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import type { BeginOptions } from '../../src/transactions/run.ts'

const input = z.object({ n: z.number() })
let log: string[]
let db: ReturnType<typeof memoryDatabase>
let coordinator: EmbeddedCoordinator

const hold = participant('seats.hold', {
  input,
  try: ({ n }, branch) =>
    branch.transact(db, () => {
      if (n < 0) refuse({ code: 'negative' })
      log.push(`try ${n}`)
      return null
    }),
  confirm: ({ n }, branch) => branch.transact(db, () => void log.push(`confirm ${n}`)),
  cancel: ({ n }, branch) => branch.transact(db, () => void log.push(`cancel ${n}`)),
})
const award = participant('points.award', {
  input,
  deliver: ({ n }, branch) => branch.transact(db, () => void log.push(`award ${n}`)),
})

beforeEach(async () => {
  log = []
  db = memoryDatabase()
  coordinator = createCoordinator({
    store: memoryStore({ clock: nodeEnvironment.clock }),
    participants: [hold, award],
    checkBack: checkBack('orders', { pool: db }),
    databases: [memoryBarrier()],
  })
  await coordinator.start()
})
afterEach(() => coordinator.stop())

const message = { id: 'm', to: [award], payload: { n: 1 } }
const codeOf = (thrown: Promise<unknown>) =>
  thrown.then(
    () => null,
    (error: unknown) => (isLockstepError(error) ? `${error.code} ${error.outcome}` : String(error)),
  )
const ended = async (id: string) => (await coordinator.get(id, { waitMs: 10_000 }))?.status

describe('send', () => {
  it('tells a local transaction that forgot branch.transact, and delivers nothing', async () => {
    const sent = codeOf(coordinator.send(message, { transaction: async () => 'paid elsewhere' }))
    expect(await sent).toBe('LOCKSTEP_BARRIER_NOT_USED unknown')
    expect([await ended('m'), log]).toEqual(['rolled-back', []])
  })

  it('shuts out a transact that comes after its function has returned', async () => {
    const late = Promise.withResolvers<unknown>()
    const sent = coordinator.send(message, {
      transaction: async (branch) => {
        setTimeout(() => late.resolve(branch.transact(db, () => void log.push('late')).catch(() => 'shut out')), 50)
      },
    })
    expect(await codeOf(sent)).toBe('LOCKSTEP_BARRIER_NOT_USED unknown')
    expect([await late.promise, log]).toEqual(['shut out', []])
  })

  it.each([
    ['a wait over the limit', { wait: '2m' as const }, 'LOCKSTEP_CONFIGURATION not-applied'],
    ['receivers that are no array', { to: award as never }, 'LOCKSTEP_INVALID_REQUEST not-applied'],
  ])('refuses %s before anything has run', async (_what, more, code) => {
    const work = { transaction: () => Promise.reject(new Error('it has run')) }
    expect(await codeOf(coordinator.send({ ...message, ...more }, work))).toBe(code)
    expect(await coordinator.get('m')).toBeNull()
  })

  it('says unknown, never not-applied, when the commit is not confirmed', async () => {
    const decide = coordinator.decide.bind(coordinator)
    coordinator.decide = () =>
      Promise.reject(new LockstepError('LOCKSTEP_UNREACHABLE', { message: 'refused', outcome: 'not-applied' }))
    const sent = coordinator.send(message, { transaction: (branch) => branch.transact(db, () => 'paid') })
    expect(await codeOf(sent)).toBe('LOCKSTEP_COMMIT_UNCONFIRMED unknown')
    coordinator.decide = decide
    expect([await ended('m'), log]).toEqual(['committed', ['award 1']])
  })

  it('does not wait for a check-back that hangs longer than a coordinator would', { timeout: 20_000 }, async () => {
    const hanging = checkBack('orders', { check: () => new Promise<never>(() => {}) })
    const sent = coordinator.send(
      { ...message, checkBack: hanging },
      { transaction: () => Promise.reject(new Error('no')) },
    )
    expect(await codeOf(sent)).toBe('Error: no')
  })
})

describe('tcc', () => {
  const tcc = (body: Parameters<EmbeddedCoordinator['tcc']>[1], more: Partial<BeginOptions> = {}) =>
    codeOf(coordinator.tcc({ id: 't', ...more }, body))

  it('waits for a try that another try has started, and fails with it', async () => {
    const body = async (t: Parameters<Parameters<EmbeddedCoordinator['tcc']>[1]>[0]) => {
      void t
        .try(hold, { n: 1 })
        .then(() => t.try(hold, { n: -2 }))
        .catch(() => {})
    }
    expect(await tcc(body)).toBe('LOCKSTEP_ROLLED_BACK not-applied')
    expect([await ended('t'), log]).toEqual(['rolled-back', ['try 1', 'cancel 1']])
  })

  it('lets no try leave once its function has ended', async () => {
    const late = Promise.withResolvers<unknown>()
    await coordinator.tcc({ id: 't' }, async (t) => {
      setTimeout(() => late.resolve(codeOf(t.try(hold, { n: 9 }))), 50)
    })
    expect([await late.promise, log]).toEqual(['LOCKSTEP_DECIDED not-applied', []])
  })

  it('lets no try leave whose registration is answered after the decision', async () => {
    const thrown = await tcc(async (t) => {
      await t.try(hold, { n: 1 }, { name: 'a' })
      await coordinator.rollback('t', { waitMs: 5_000 })
      await t.try(hold, { n: 1 }, { name: 'a' })
    })
    expect([thrown, log]).toEqual(['LOCKSTEP_DECIDED not-applied', ['try 1', 'cancel 1']])
  })

  it('counts a try with an option that makes no sense as failed, also where that is caught', async () => {
    const thrown = await tcc(async (t) => {
      await t.try(hold, { n: 1 }, { timeout: '10' as never }).catch(() => {})
    })
    expect([thrown, await ended('t')]).toEqual(['LOCKSTEP_ROLLED_BACK not-applied', 'rolled-back'])
  })

  it('says at once that it knows no way to a participant', async () => {
    const thrown = await tcc((t) => t.try({ name: 'nowhere.hold' }, null))
    expect(thrown).toBe('LOCKSTEP_CONFIGURATION not-applied')
  })

  it('refuses what JSON would change, as a begin does', async () => {
    const thrown = await tcc((t) => t.try({ name: 'seats.hold' }, { when: new Date(0) }))
    expect(thrown).toBe('LOCKSTEP_INVALID_REQUEST not-applied')
  })

  it('bounds what its branches hold together', async () => {
    const large = 'x'.repeat(900_000)
    await coordinator.begin({ id: 't', pattern: 'tcc' })
    const register = (name: string) => coordinator.register('t', { name, participant: 'seats.hold', input: large })
    for (const name of ['a', 'b', 'c', 'd']) await register(name)
    expect(await codeOf(register('e'))).toBe('LOCKSTEP_PAYLOAD_TOO_LARGE not-applied')
  })
})

it('a receiver without the operation is refused when the message begins', async () => {
  const deliveries = [{ to: 'seats.hold', payload: null }]
  await expect(coordinator.begin({ id: 'm', pattern: 'message', deliveries })).rejects.toMatchObject({
    code: 'LOCKSTEP_INVALID_REQUEST',
    issues: [{ path: '/deliveries/0/to', message: 'is a participant without the operation deliver' }],
  })
})
