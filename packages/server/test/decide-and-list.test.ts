import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type InProcessServer, inProcessServer, newId } from './in-process-server.ts'
import { json, type PlainParticipant, plainParticipant } from './plain-participant.ts'
import type { JsonValue } from './raw-request.ts'

let server: InProcessServer
let bank: PlainParticipant

beforeAll(async () => {
  bank = await plainParticipant()
  bank.on('/never', () => ({ status: 425, headers: { 'retry-after': '3600' } }))
  server = await inProcessServer()
})

afterAll(async () => {
  await server.stop()
  await bank.close()
})

const saga = (action: string, more: object = {}) => ({
  id: newId('decide'),
  pattern: 'saga',
  steps: [{ name: 'a', action: `${bank.url}${action}`, compensate: `${bank.url}/undo` }],
  ...more,
})

async function begun(action: string, more: object = {}): Promise<string> {
  const body = saga(action, more)
  expect((await server.begin(body)).status).toBeLessThan(203)
  return body.id
}

describe('wait', () => {
  it('returns when its time is up, with what is durable then', async () => {
    const id = await begun('/never')
    const started = Date.now()
    const { status, body } = await server.get(`/v1/transactions/${id}?wait=400`)
    expect(Date.now() - started).toBeGreaterThanOrEqual(390)
    expect(Date.now() - started).toBeLessThan(2_000)
    expect(status).toBe(202)
    expect(body['status']).toBe('committing')
  })

  it('returns at the end, long before its time is up', async () => {
    const started = Date.now()
    const id = await begun('/quick')
    expect((await server.get(`/v1/transactions/${id}?wait=30000`)).status).toBe(200)
    expect(Date.now() - started).toBeLessThan(5_000)
  })

  it('returns when an operator holds the transaction meanwhile', async () => {
    const id = await begun('/never')
    const waiting = server.get(`/v1/transactions/${id}?wait=20000`)
    await server.act(id, { action: 'hold', reason: 'the bank is being moved' })
    const { status, body } = await waiting
    expect(status).toBe(202)
    expect(body['held']).toMatchObject({ reason: 'operator', by: 'operator', detail: 'the bank is being moved' })
  })

  it('takes a duration with its unit as well', async () => {
    const id = await begun('/quick')
    expect((await server.get(`/v1/transactions/${id}?wait=5s`)).status).toBe(200)
  })

  it.for(['60001', '-1', 'soon', '1.5', '', '1&wait=2', '1e3', '61s'])('?wait=%s is refused', async (wait) => {
    const id = await begun('/quick')
    const answers = [
      await server.get(`/v1/transactions/${id}?wait=${wait}`),
      await server.post(`/v1/transactions/${id}/rollback?wait=${wait}`),
    ]
    expect(answers.map((answer) => answer.status)).toEqual([400, 400])
    expect(answers[0]?.body).toMatchObject({ errors: [{ path: '?wait' }] })
  })

  it('in the query of a begin is refused, since it would be ignored', async () => {
    expect((await server.post('/v1/transactions?wait=1', saga('/quick'))).status).toBe(400)
  })
})

describe('rollback', () => {
  it('of a running saga cancels it: what may have left is compensated', async () => {
    const id = await begun('/never')
    const { status, body } = await server.post(`/v1/transactions/${id}/rollback?wait=5000`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'rolled-back', reason: { branch: null, body: { code: 'cancelled' } } })
    expect(bank.calls.filter((call) => call.headers['lockstep-transaction'] === id).map((call) => call.path)).toContain(
      '/undo',
    )
  })

  it('twice is answered alike, with a body of {} or none', async () => {
    const id = await begun('/never')
    const first = await server.post(`/v1/transactions/${id}/rollback?wait=5000`, {})
    const second = await server.post(`/v1/transactions/${id}/rollback`)
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body).toEqual(first.body)
  })

  it('of an id that was never begun leaves a tombstone, which a late begin finds', async () => {
    const body = saga('/late')
    const first = await server.post(`/v1/transactions/${body.id}/rollback`)
    expect(first.status).toBe(200)
    expect(first.body).toMatchObject({ id: body.id, status: 'rolled-back', branches: [] })
    expect((await server.post(`/v1/transactions/${body.id}/rollback`)).status).toBe(200)
    const late = await server.begin(body)
    expect(late.status).toBe(409)
    expect(late.body['code']).toBe('LOCKSTEP_DECIDED')
    expect((await server.post(`/v1/transactions/${body.id}/commit`)).body['code']).toBe('LOCKSTEP_ALREADY_ROLLING_BACK')
    expect(bank.paths()).not.toContain('/late')
  })

  it('of a committed saga is refused', async () => {
    const id = await begun('/quick', { wait: 5000 })
    const refused = await server.post(`/v1/transactions/${id}/rollback`)
    expect(refused.status).toBe(409)
    expect(refused.body).toMatchObject({ code: 'LOCKSTEP_ALREADY_COMMITTING', outcome: 'not-applied' })
  })

  it('is accepted while the saga is held', async () => {
    const id = await begun('/never')
    await server.act(id, { action: 'hold', reason: 'x' })
    const { body } = await server.post(`/v1/transactions/${id}/rollback`)
    expect(body).toMatchObject({ status: 'rolling-back', held: { reason: 'operator' } })
  })

  it.for(['{"force":true}', '[]', '"x"', '{', 'null'])('with the body %s is refused', async (body) => {
    const id = await begun('/never')
    expect((await server.post(`/v1/transactions/${id}/rollback`, body)).status).toBe(400)
  })
})

describe('commit', () => {
  it('of a saga is refused: it commits by itself', async () => {
    const id = await begun('/never')
    const refused = await server.post(`/v1/transactions/${id}/commit`, {})
    expect(refused.status).toBe(409)
    expect(refused.body['code']).toBe('LOCKSTEP_ACTION_NOT_ALLOWED')
  })

  it('of an unknown id is not found, and leaves nothing behind', async () => {
    const id = newId()
    expect((await server.post(`/v1/transactions/${id}/commit`)).status).toBe(404)
    expect((await server.get(`/v1/transactions/${id}`)).status).toBe(404)
  })
})

describe('the list', () => {
  const marker = `batch-${Date.now()}`
  const listed = async (query: string) => {
    const { status, body } = await server.get(`/v1/transactions?label.batch=${marker}&${query}`)
    expect(status).toBe(200)
    return {
      ids: (body['items'] as unknown as { id: string }[]).map((one) => one.id),
      items: body['items'] as JsonValue,
      next: body['next'],
    }
  }

  let committed: string
  let refused: string
  let held: string

  beforeAll(async () => {
    bank.on('/no', () => json({}, 409))
    const labels = { batch: marker }
    committed = await begun('/quick', { labels, wait: 5000 })
    refused = await begun('/no', { labels: { ...labels, 'kind:of': 'a b' }, wait: 5000 })
    held = await begun('/never', { labels })
    await server.act(held, { action: 'hold', reason: 'x' })
  })

  it('shows the newest first, without branches', async () => {
    const { ids, items } = await listed('')
    expect(ids).toEqual([held, refused, committed])
    expect(items[0]).not.toHaveProperty('branches')
    expect(items[0]).toMatchObject({
      id: held,
      pattern: 'saga',
      status: 'committing',
      held: { reason: 'operator' },
      labels: { batch: marker },
    })
  })

  it('is filtered by status, pattern, held, label and time', async () => {
    expect((await listed('status=committed')).ids).toEqual([committed])
    expect((await listed('status=rolled-back')).ids).toEqual([refused])
    expect((await listed('held=true')).ids).toEqual([held])
    expect((await listed('held=false')).ids).toEqual([refused, committed])
    expect((await listed('pattern=tcc')).ids).toEqual([])
    expect((await listed('label.kind:of=a%20b')).ids).toEqual([refused])
    expect((await listed('label.kind:of=other')).ids).toEqual([])
    const { body } = await server.get(`/v1/transactions/${refused}`)
    const at = String(body['createdAt'])
    expect((await listed(`since=${at}`)).ids).toEqual([held, refused])
    expect((await listed(`until=${at}`)).ids).toEqual([committed])
    expect((await listed(`since=${Date.parse(at)}&status=rolled-back`)).ids).toEqual([refused])
  })

  it('comes page by page, each transaction once, also while new ones begin', async () => {
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 5; page++) {
      const { ids, next } = await listed(`limit=1${cursor}`)
      seen.push(...ids)
      await begun('/quick', { labels: { batch: marker } })
      if (next === null) break
      cursor = `&cursor=${encodeURIComponent(String(next))}`
    }
    expect(seen).toEqual([held, refused, committed])
  })

  it.for([
    'colour=red',
    'status=done',
    'status=committed&status=committed',
    'pattern=sage',
    'held=maybe',
    'limit=0',
    'limit=501',
    'limit=ten',
    'limit=-1',
    'cursor=nonsense',
    'cursor=',
    'cursor=1',
    "cursor=1:'%20or%201=1",
    'cursor=99999999999999999999:x',
    'since=yesterday',
    'since=2026-13-45T00:00:00Z',
    'label.=x',
    'label.a%20b=x',
    'label.a=%00',
    'label.__proto__=x',
    '__proto__=x',
    'labels=x',
  ])('refuses ?%s', async (query) => {
    const { status, body } = await server.get(`/v1/transactions?${query}`)
    expect(status).toBe(400)
    expect(body).toMatchObject({
      code: 'LOCKSTEP_INVALID_REQUEST',
      errors: [{ path: expect.any(String), message: expect.any(String) }],
    })
  })
})
