/** What an initiator meets: the outcomes of `run`, outputs handed on, and begins that make no sense. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createCoordinator } from '../../src/compose.ts'
import { isLockstepError } from '../../src/errors.ts'
import { participant, refuse } from '../../src/participant/index.ts'
import type { Environment } from '../../src/ports/index.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { saga } from '../../src/transactions/saga/index.ts'
import { VirtualTime } from './virtual-time.ts'
import { body, done, errorOf, never, refused, unknown, World } from './world.ts'

const target = (name: string) =>
  ({ name }) as { readonly name: string; readonly types?: { readonly input: unknown; readonly output: string } }
const transfer = saga('transfer')
  .step('a', target('bank.a'))
  .step('b', target('bank.b'), { input: (_: unknown, { a }) => ({ receipt: a }), retry: { limit: 1 } })

describe('run ends as', () => {
  const outcomeOf = async (prepare: (world: World) => void, options = {}) => {
    const world = new World()
    const { coordinator } = await world.start()
    world.participants.on('bank.a/action', () => done('r1'))
    prepare(world)
    const outcome = coordinator.run(transfer, { amount: 5 }, { id: 't', wait: '5s', ...options })
    await world.time.advance(5_000)
    return { world, outcome: await outcome }
  }
  it('committed, with the outputs by step, handed on to the step that refers to them', async () => {
    const { world, outcome } = await outcomeOf(({ participants }) =>
      participants.on('bank.b', ({ input }) => done(input)),
    )
    expect(outcome).toEqual({ status: 'committed', output: { a: 'r1', b: { receipt: 'r1' } }, incomplete: false })
    expect(world.participants.calls.map(({ input }) => input)).toEqual([{ amount: 5 }, { receipt: 'r1' }])
  })
  it('rolled-back, with the branch that refused and why; the compensation gets the input of the action', async () => {
    const { world, outcome } = await outcomeOf(({ participants }) =>
      participants.on('bank.b/action', () => refused({ code: 'closed' })),
    )
    expect(outcome).toEqual({
      status: 'rolled-back',
      reason: { branch: 'b', body: { code: 'closed' } },
      incomplete: false,
    })
    const reverse = world.participants.calls.filter(({ operation }) => operation === 'compensate')
    expect(reverse.map(({ branch, input }) => [branch, input])).toEqual([
      ['b', { receipt: 'r1' }],
      ['a', { amount: 5 }],
    ])
  })
  it('held, with the reason', async () => {
    const { outcome } = await outcomeOf(({ participants }) => participants.on('bank.b', () => unknown()))
    expect(outcome).toEqual({ status: 'held', reason: 'limit-spent' })
  })
  it('unfinished, when the wait is over first', async () => {
    const { world, outcome } = await outcomeOf(({ participants }) => participants.on('bank.b', () => never))
    expect(outcome).toEqual({ status: 'unfinished' })
    expect((await world.row('t')).status).toBe('committing')
  })
  it('rolled-back at its deadline', async () => {
    const { outcome } = await outcomeOf(
      ({ participants }) => participants.on('bank.a/action', () => ({ kind: 'pending' })),
      { deadline: '2s' },
    )
    expect(outcome).toEqual({
      status: 'rolled-back',
      reason: { branch: null, body: { code: 'deadline' } },
      incomplete: false,
    })
  })
})

describe('a begin that makes no sense names everything at once', () => {
  const issuesOf = async (given: unknown) => {
    const { coordinator } = await new World().start()
    const error = await errorOf(coordinator.begin(given as never))
    expect(error).toMatchObject({ code: 'LOCKSTEP_INVALID_REQUEST', outcome: 'not-applied' })
    return error.issues?.map(({ path }) => path)
  }
  it.each<[string, unknown, string[]]>([
    ['no object', [], ['']],
    ['nothing at all', {}, ['/id', '/pattern']],
    ['an unknown pattern', { id: 't', pattern: 'paxos' }, ['/pattern']],
    ['the pattern of a tombstone', { id: 't', pattern: 'none' }, ['/pattern']],
    ['an id with a slash', { ...body('a/b', 'bank.a') }, ['/id']],
    ['an id of 129 characters', { ...body('x'.repeat(129), 'bank.a') }, ['/id']],
    ['an unknown key', { ...body('t', 'bank.a'), retries: 1 }, ['/retries']],
    ['a wait that is too long', { ...body('t', 'bank.a'), wait: 60_001 }, ['/wait']],
    ['labels that are no texts', { ...body('t', 'bank.a'), labels: { a: 1, 'b/c': 'x' } }, ['/labels/a', '/labels']],
    [
      'everything',
      { id: '..', pattern: 'saga', wait: -1, labels: [], steps: [{}], deadline: 0 },
      ['/id', '/labels', '/wait', '/deadline', '/steps/0/name', '/steps/0'],
    ],
    ['a number that JSON does not carry', { ...body('t', 'bank.a'), input: 2 ** 60 }, ['']],
    ['a date', { ...body('t', 'bank.a'), input: { at: new Date(0) } }, ['']],
  ])('%s', async (_, given, paths) => expect((await issuesOf(given))?.sort()).toEqual(paths.sort()))
  it('a value that contains itself', async () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    expect(await issuesOf(body('t', { participant: 'bank.a', input: cyclic as never }))).toEqual([''])
  })
  it('an id of 128 characters is good, and not the same as a shorter one', async () => {
    const world = new World()
    const { coordinator } = await world.start()
    for (const id of ['x'.repeat(128), 'x'.repeat(127), 'order-1', 'order-10', 'Order-1', '~:._-']) {
      expect((await coordinator.begin({ ...body(id, 'bank.a'), wait: 1_000 })).replayed).toBe(false)
    }
  })
})

describe('in one process', () => {
  const input = z.object({ amount: z.number() })
  const coordinate = (environment: Environment, log: string[]) => {
    const note = (what: string) => (_: unknown, branch: { readonly operation: string }) => {
      log.push(`${what}.${branch.operation}`)
      return { receipt: what }
    }
    const debit = participant('bank.debit', { input, barrier: false, action: note('debit'), compensate: note('debit') })
    const credit = participant('bank.credit', {
      input,
      barrier: false,
      action: () => refuse({ code: 'closed' }),
      compensate: note('credit'),
    })
    const coordinator = createCoordinator({
      store: memoryStore({ clock: environment.clock }),
      participants: [debit, credit],
      environment,
    })
    return { coordinator, moves: saga('move').step('debit', debit).step('credit', credit) }
  }
  it('a refusal rolls back what ran, and nothing else', async () => {
    const time = new VirtualTime()
    const log: string[] = []
    const { coordinator, moves } = coordinate(time.process().environment, log)
    await coordinator.start()
    const outcome = coordinator.run(moves, { amount: 5 }, { id: 't' })
    await time.advance(1_000)
    expect(await outcome).toEqual({
      status: 'rolled-back',
      reason: { branch: 'credit', body: { code: 'closed' } },
      incomplete: false,
    })
    expect(log).toEqual(['debit.action', 'debit.compensate'])
  })
  it('what is not started refuses, with a word that may be repeated', async () => {
    const { coordinator, moves } = coordinate(new VirtualTime().process().environment, [])
    const error = await errorOf(coordinator.run(moves, { amount: 5 }, { id: 't' }))
    expect(isLockstepError(error, 'LOCKSTEP_STOPPING') && error.retriable).toBe(true)
  })
})
