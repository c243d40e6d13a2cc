import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, type InProcessServer, inProcessServer, newId } from './in-process-server.ts'
import { json, type PlainParticipant, plainParticipant } from './plain-participant.ts'

let server: InProcessServer
let bank: PlainParticipant
const reason = 'bank-b is up again'

beforeAll(async () => {
  bank = await plainParticipant()
  bank.on('/never', () => ({ status: 425, headers: { 'retry-after': '3600' } }))
  bank.on('/broken', () => ({ status: 500 }))
  bank.on('/no', () => json({}, 409))
  server = await inProcessServer()
})

afterAll(async () => {
  await server.stop()
  await bank.close()
})

const step = (name: string, action: string, more: object = {}) => ({
  name,
  action: `${bank.url}${action}`,
  compensate: `${bank.url}/undo-${name}`,
  ...more,
})

async function begun(...steps: object[]): Promise<string> {
  const id = newId('act')
  expect((await server.begin({ id, pattern: 'saga', steps })).status).toBe(202)
  return id
}

const state = async (id: string) => (await server.get(`/v1/transactions/${id}`)).body
const heldFor = (id: string, why: string) =>
  eventually(
    () => state(id),
    ({ held }) => held?.['reason'] === (why as unknown),
  )
const ended = (id: string, status: string) =>
  eventually(
    () => state(id),
    (body) => body['status'] === (status as unknown),
  )

async function inState(name: string): Promise<string> {
  if (name === 'running') return begun(step('a', '/never'))
  if (name === 'held') {
    const id = await begun(step('a', '/never'))
    await server.act(id, { action: 'hold', reason })
    return id
  }
  if (name === 'rolling-back') {
    const id = await begun({ ...step('a', '/never'), compensate: `${bank.url}/never` })
    await server.post(`/v1/transactions/${id}/rollback`)
    return id
  }
  const id = await begun(step('a', name === 'committed' ? '/yes' : '/no'))
  await ended(id, name)
  return id
}

/** What an operator may do where; whatever is not listed is refused. */
const table: Readonly<Record<string, readonly string[]>> = {
  running: ['retry', 'hold', 'force-commit', 'force-rollback'],
  held: ['retry', 'resume', 'skip', 'force-commit', 'force-rollback'],
  'rolling-back': ['retry', 'hold', 'force-rollback'],
  committed: [],
  'rolled-back': [],
}
const actions = ['retry', 'hold', 'resume', 'skip', 'force-commit', 'force-rollback']
const rows = Object.entries(table).flatMap(([name, allowed]) =>
  actions.map((action) => [name, action, allowed.includes(action) ? 'allowed' : 'refused'] as const),
)

describe('an action is possible where the state allows it', () => {
  it.for(rows)('%s: %s is %s', async ([name, action, verdict]) => {
    const id = await inState(name)
    const { status, body } = await server.act(id, { action, reason, ...(action === 'skip' ? { branch: 'a' } : {}) })
    if (verdict === 'allowed') expect([200, 202]).toContain(status)
    else expect({ status, code: body['code'] }).toEqual({ status: 409, code: 'LOCKSTEP_ACTION_NOT_ALLOWED' })
  })
})

describe('the body of an action', () => {
  it.for([
    [{ action: 'retry' }, '/reason'],
    [{ action: 'retry', reason: '' }, '/reason'],
    [{ action: 'retry', reason: '   ' }, '/reason'],
    [{ action: 'retry', reason: 7 }, '/reason'],
    [{ action: 'retry', reason: 'x'.repeat(1_001) }, '/reason'],
    [{ action: 'retry', reason: 'a\u0000b' }, '/reason'],
    [{ action: 'retry', reason: '\u001b[2J' }, '/reason'],
    [{ action: 'explode', reason }, '/action'],
    [{ reason }, '/action'],
    [{ action: 'skip', reason }, '/branch'],
    [{ action: 'skip', branch: 7, reason }, '/branch'],
    [{ action: 'skip', branch: '../a', reason }, '/branch'],
    [{ action: 'hold', branch: 'a', reason }, '/branch'],
    [{ action: 'retry', reason, by: 'root' }, '/by'],
  ] as const)('%s is refused', async ([body, path]) => {
    const id = await inState('running')
    const refused = await server.act(id, body)
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({ code: 'LOCKSTEP_INVALID_REQUEST', errors: [{ path }] })
  })

  it('must be there', async () => {
    const id = await inState('running')
    expect((await server.post(`/v1/transactions/${id}/actions`)).status).toBe(400)
  })

  it('may name any step there is, and no other', async () => {
    const id = await inState('held')
    expect((await server.act(id, { action: 'skip', branch: 'nobody', reason })).status).toBe(409)
    expect((await server.act(id, { action: 'retry', branch: 'a', reason: 'Grüße\n😀' })).status).toBe(202)
  })

  it('of an unknown transaction is not found', async () => {
    expect((await server.act(newId(), { action: 'retry', reason })).status).toBe(404)
  })
})

describe('held for a spent retry limit', () => {
  const limited = async () => {
    const id = await begun(step('first', '/yes'), step('last', '/broken', { retry: { limit: 2 } }))
    const body = await heldFor(id, 'limit-spent')
    expect(body).toMatchObject({
      status: 'committing',
      endedAt: null,
      branches: [{ state: 'done' }, { state: 'active' }],
    })
    return id
  }

  it('retry and resume try again, and go on once the participant is well', async () => {
    for (const action of ['retry', 'resume']) {
      const flaky = newId('/flaky')
      let well = false
      bank.on(flaky, () => (well ? json({}) : { status: 500 }))
      const id = await begun(step('a', flaky, { retry: { limit: 2 } }))
      await heldFor(id, 'limit-spent')
      expect((await server.act(id, { action, reason })).status).toBe(202)
      await heldFor(id, 'limit-spent')
      well = true
      await server.act(id, { action, reason })
      expect(await ended(id, 'committed')).toMatchObject({ held: null, incomplete: false })
    }
  })

  it('skip goes on without the step, and the end says so', async () => {
    const id = await limited()
    await server.act(id, { action: 'skip', branch: 'last', reason })
    expect(await ended(id, 'committed')).toMatchObject({
      incomplete: true,
      output: { first: {} },
      branches: [{ state: 'done' }, { state: 'skipped' }],
    })
  })

  it('force-commit ends it as committed and incomplete', async () => {
    const id = await limited()
    await server.act(id, { action: 'force-commit', reason })
    expect(await ended(id, 'committed')).toMatchObject({ incomplete: true })
  })

  it('force-rollback compensates what ran', async () => {
    const id = await limited()
    await server.act(id, { action: 'force-rollback', reason })
    expect(await ended(id, 'rolled-back')).toMatchObject({ branches: [{ state: 'reversed' }, { state: 'reversed' }] })
  })
})

describe('held for other reasons', () => {
  it('output-missing: a reference that finds nothing is never guessed, and rollback cures it', async () => {
    bank.on('/receipt', () => json({ receipt: 'r1' }))
    const missing = { receipt: { $output: 'a', path: '/nothing' } }
    const id = await begun(step('a', '/receipt'), step('b', '/yes', { input: missing }))
    const body = await heldFor(id, 'output-missing')
    expect(body['held']?.['detail']).toContain('/nothing')
    await server.post(`/v1/transactions/${id}/rollback`)
    await server.act(id, { action: 'resume', reason })
    expect(await ended(id, 'rolled-back')).toMatchObject({ branches: [{ state: 'reversed' }, { state: 'waiting' }] })
  })

  it('compensation-refused: is never decided anew, and skip cures it', async () => {
    const id = await begun({ ...step('a', '/yes'), compensate: `${bank.url}/no` }, step('b', '/no'))
    expect(await heldFor(id, 'compensation-refused')).toMatchObject({ status: 'rolling-back' })
    await server.act(id, { action: 'skip', branch: 'a', reason })
    expect(await ended(id, 'rolled-back')).toMatchObject({
      incomplete: true,
      branches: [{ state: 'skipped' }, { state: 'refused' }],
    })
  })

  it('compensation-refused: retry cures it once the participant has been mended', async () => {
    let mended = false
    bank.on('/undo-mended', () => (mended ? json({}) : json({}, 409)))
    const id = await begun(step('mended', '/yes'), step('b', '/no'))
    await heldFor(id, 'compensation-refused')
    mended = true
    await server.act(id, { action: 'retry', reason })
    expect(await ended(id, 'rolled-back')).toMatchObject({
      incomplete: false,
      branches: [{ state: 'reversed' }, { state: 'refused' }],
    })
  })

  it('operator: no new attempt leaves until it is resumed', async () => {
    let well = false
    bank.on('/paused', () => (well ? json({}) : { status: 500 }))
    const id = await begun(step('a', '/paused'))
    await eventually(
      () => state(id),
      () => bank.paths().includes('/paused'),
    )
    await server.act(id, { action: 'hold', reason })
    const calls = () => bank.paths().filter((path) => path === '/paused').length
    // One attempt may have been on the wire when the hold came: it ends, and is written down.
    await eventually(
      () => state(id),
      ({ branches }) => Object.values(branches?.['0']?.['attempts'] ?? {}).length === calls(),
    )
    const before = calls()
    well = true
    // That nothing comes can only be seen by waiting: for longer than the back-off after these few attempts.
    await new Promise((resolve) => setTimeout(resolve, 800))
    expect(calls()).toBe(before)
    expect(await state(id)).toMatchObject({ status: 'committing', endedAt: null, held: { reason: 'operator' } })
    await server.act(id, { action: 'resume', reason })
    await ended(id, 'committed')
    expect(calls()).toBe(before + 1)
  })
})
