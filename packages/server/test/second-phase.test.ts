/** A TCC over plain HTTP, from its decision on: protocol.md sections 3 and 5. */
import { describe, expect, it } from 'vitest'
import { newId } from './in-process-server.ts'
import { initiator } from './initiator.ts'
import { json, type PlainAnswer } from './plain-participant.ts'

const { server, bank, get, register, commit, rollback, callsOf, operationsOf } = await initiator()

/** A branch that is confirmed at `/<name>` and cancelled at `/un<name>`. */
const branch = (name: string, more: object = {}) => ({
  name,
  confirm: `${bank.url}/${name}`,
  cancel: `${bank.url}/un${name}`,
  input: { of: name },
  ...more,
})

async function begun(more: object = {}, branches: readonly object[] = []): Promise<string> {
  const id = newId('tcc')
  expect((await server.begin({ id, pattern: 'tcc', ...more })).status).toBe(202)
  for (const each of branches) expect((await register(id, each)).status).toBe(201)
  return id
}

describe('commit', () => {
  it('confirms every branch with its input, and is answered 202 until the last one is done', async () => {
    const answer = Promise.withResolvers<PlainAnswer>()
    bank.on('/slow', () => answer.promise)
    bank.on('/quick', () => json({ ticket: 'T1' }))
    const id = await begun({}, [branch('slow'), branch('quick', { input: { seat: '4A' } })])
    const { status, body } = await commit(id)
    expect([status, body['status']]).toEqual([202, 'committing'])
    answer.resolve(json(null))
    const ended = await get(id, 10_000)
    expect(ended.status).toBe(200)
    expect(ended.body).toMatchObject({
      status: 'committed',
      reason: null,
      incomplete: false,
      branches: [
        { name: 'slow', state: 'done', attempts: [{ operation: 'confirm', number: 1, outcome: 'done' }] },
        { name: 'quick', state: 'done', output: { ticket: 'T1' } },
      ],
    })
    expect(operationsOf(id)).toEqual(['quick confirm', 'slow confirm'])
    const call = callsOf(id).find((one) => one.path === '/quick')
    expect(call?.body).toEqual({ seat: '4A' })
    expect(call?.headers).toMatchObject({
      'content-type': 'application/json',
      'lockstep-store': body['store'],
      'lockstep-transaction': id,
      'lockstep-branch': 'quick',
      'lockstep-operation': 'confirm',
      'lockstep-attempt': '1',
      'lockstep-begun': String(Date.parse(String(body['createdAt']))),
    })
  })

  it('repeated is answered 200 with what is so, and nothing is called twice', async () => {
    const id = await begun({}, [branch('seat')])
    const first = await commit(id, 10_000)
    const second = await commit(id)
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body).toEqual(first.body)
    expect(operationsOf(id)).toEqual(['seat confirm'])
  })

  it('of no branches is committed at once', async () => {
    expect(await commit(await begun(), 5_000)).toMatchObject({
      status: 200,
      body: { status: 'committed', branches: [] },
    })
  })

  it('confirms all branches at the same time', async () => {
    const both = Promise.withResolvers<PlainAnswer>()
    let open = 0
    for (const name of ['here', 'there']) {
      bank.on(`/${name}`, () => {
        open += 1
        if (open === 2) both.resolve(json({}))
        return both.promise
      })
    }
    const id = await begun({}, [branch('here'), branch('there')])
    expect((await commit(id, 8_000)).body['status']).toBe('committed')
  })

  it('after a rollback is 409 LOCKSTEP_ALREADY_ROLLING_BACK', async () => {
    bank.on('/unbusy', () => ({ status: 425, headers: { 'retry-after': '3600' } }))
    const open = await begun({}, [branch('busy')])
    await rollback(open)
    const ended = await begun()
    await rollback(ended, 5_000)
    for (const id of [open, ended]) {
      const refused = await commit(id)
      expect(refused.status).toBe(409)
      expect(refused.body).toMatchObject({ code: 'LOCKSTEP_ALREADY_ROLLING_BACK', outcome: 'not-applied' })
    }
  })

  it('is accepted while an operator holds the transaction, and goes on when it is resumed', async () => {
    const id = await begun({}, [branch('seat')])
    await server.act(id, { action: 'hold', reason: 'x' })
    expect((await commit(id)).body).toMatchObject({ status: 'committing', held: { reason: 'operator' } })
    await server.act(id, { action: 'resume', reason: 'x' })
    expect((await get(id, 10_000)).body['status']).toBe('committed')
  })

  it('asks again where there was no answer, and never confirms less', async () => {
    bank.on('/flaky', (_, count) => (count === 1 ? { status: 500 } : json({})))
    const id = await begun({}, [branch('flaky')])
    const { body } = await commit(id, 15_000)
    expect(body['branches']).toMatchObject([{ state: 'done', attempts: [{ outcome: 'unknown' }, { outcome: 'done' }] }])
  })
})

describe('rollback', () => {
  it('cancels every registered branch with its input', async () => {
    const id = await begun({}, [branch('seat'), branch('meal')])
    const { status, body } = await rollback(id, 10_000)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'rolled-back',
      reason: { branch: null },
      output: null,
      branches: [
        { name: 'seat', state: 'reversed' },
        { name: 'meal', state: 'reversed' },
      ],
    })
    expect(operationsOf(id)).toEqual(['meal cancel', 'seat cancel'])
    expect(callsOf(id).find((one) => one.path === '/unmeal')?.body).toEqual({ of: 'meal' })
  })

  it('repeated is answered alike', async () => {
    const id = await begun({}, [branch('seat')])
    const first = await rollback(id, 10_000)
    const second = await rollback(id)
    expect([first.status, second.status, second.body]).toEqual([200, 200, first.body])
  })

  it('after a commit is 409 LOCKSTEP_ALREADY_COMMITTING', async () => {
    bank.on('/busy2', () => ({ status: 425, headers: { 'retry-after': '3600' } }))
    const open = await begun({}, [branch('busy2')])
    await commit(open)
    const ended = await begun()
    await commit(ended, 5_000)
    for (const id of [open, ended]) {
      const refused = await rollback(id)
      expect(refused.status).toBe(409)
      expect(refused.body).toMatchObject({ code: 'LOCKSTEP_ALREADY_COMMITTING', outcome: 'not-applied' })
    }
  })

  it('against commit at the same moment: one wins, and all are told which', async () => {
    const id = await begun({}, [branch('seat')])
    const answers = await Promise.all([commit(id), rollback(id), commit(id), rollback(id)])
    const { body } = await get(id, 10_000)
    const committed = body['status'] === ('committed' as unknown)
    const [won, lost] = committed
      ? [
          [0, 2],
          [1, 3],
        ]
      : [
          [1, 3],
          [0, 2],
        ]
    for (const at of won) expect(answers[at]?.status).toBeLessThan(203)
    for (const at of lost) expect(answers[at]?.status).toBe(409)
    expect(operationsOf(id)).toEqual([committed ? 'seat confirm' : 'seat cancel'])
  })
})

describe('silence', () => {
  it('until the deadline rolls back, and cancels what is registered', async () => {
    const id = await begun({ deadline: 300 }, [branch('seat')])
    const { status, body } = await get(id, 10_000)
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'rolled-back', reason: { branch: null }, branches: [{ state: 'reversed' }] })
    expect(operationsOf(id)).toEqual(['seat cancel'])
    expect((await commit(id)).body['code']).toBe('LOCKSTEP_ALREADY_ROLLING_BACK')
  })
})

describe('a no in the second phase', () => {
  it.for([
    ['confirm', commit, '/never-confirms', 'committing'],
    ['cancel', rollback, '/unnever-cancels', 'rolling-back'],
  ] as const)('of %s holds the transaction, and never turns the decision', async ([operation, decide, at, status]) => {
    bank.on(at, () => json({ code: 'no' }, 409))
    const id = await begun({}, [branch(`never-${operation}s`), branch('other')])
    const held = await decide(id, 10_000)
    expect(held.status).toBe(202)
    expect(held.body).toMatchObject({ status, held: { reason: 'phase-two-refused' } })
    expect(operationsOf(id)).toContain(`other ${operation}`)
    bank.on(at, () => json({}))
    await server.act(id, { action: 'retry', reason: 'mended' })
    const ended = await get(id, 10_000)
    expect(ended.body['status']).toBe(operation === 'confirm' ? 'committed' : 'rolled-back')
    expect(new Set(operationsOf(id))).toEqual(new Set([`never-${operation}s ${operation}`, `other ${operation}`]))
  })
})
