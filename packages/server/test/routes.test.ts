import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../src/api/routes.ts'
import { eventually, type InProcessServer, inProcessServer } from './in-process-server.ts'
import { send } from './raw-request.ts'

let server: InProcessServer

beforeAll(async () => {
  server = await inProcessServer()
})

afterAll(async () => {
  await server.stop()
})

describe('the table of routes', () => {
  it('is all that there is, each with what a key must allow', () => {
    expect(routes.map(({ method, path, scope }) => `${method} ${path} ${scope}`)).toEqual([
      'POST /v1/transactions write',
      'GET /v1/transactions read',
      'GET /v1/transactions/:id read',
      'POST /v1/transactions/:id/branches write',
      'POST /v1/transactions/:id/commit write',
      'POST /v1/transactions/:id/rollback write',
      'POST /v1/transactions/:id/actions operate',
      'GET /metrics read',
      'GET /livez open',
      'GET /readyz open',
    ])
  })

  it.for([
    '/',
    '/v1',
    '/v1/',
    '/v1/transactions/',
    '/v1/transactions/x/y',
    '/v1/transactions/x/commit/',
    '/V1/transactions',
    '/v2/transactions',
    '/metrics.json',
    '//v1/transactions',
  ])('knows no %s', async (path) => {
    const { status, headers, body } = await server.get(path)
    expect(status).toBe(404)
    expect(headers['content-type']).toBe('application/problem+json')
    expect(body).toMatchObject({
      status: 404,
      code: 'LOCKSTEP_NOT_FOUND',
      title: expect.any(String),
      traceId: expect.any(String),
    })
  })

  it.for([
    ['PUT', '/v1/transactions', 'POST, GET, HEAD'],
    ['DELETE', '/v1/transactions/x', 'GET, HEAD'],
    ['POST', '/v1/transactions/x', 'GET, HEAD'],
    ['GET', '/v1/transactions/x/commit', 'POST'],
    ['GET', '/v1/transactions/x/branches', 'POST'],
    ['POST', '/metrics', 'GET, HEAD'],
    ['PATCH', '/v1/transactions/x/actions', 'POST'],
    ['OPTIONS', '/v1/transactions', 'POST, GET, HEAD'],
    ['POST', '/readyz', 'GET, HEAD'],
  ] as const)('%s %s is not allowed, and Allow says what is', async ([method, path, allow]) => {
    const { status, headers, body } = await send(server.url, path, { method })
    expect(status).toBe(405)
    expect(headers['allow']).toBe(allow)
    expect(body['code']).toBe('LOCKSTEP_METHOD_NOT_ALLOWED')
  })

  it('answers HEAD as GET without the body', async () => {
    const { status, text } = await send(server.url, '/v1/transactions', { method: 'HEAD' })
    expect([status, text]).toEqual([200, ''])
  })

  it('says one word about its health', async () => {
    expect(await server.get('/livez')).toMatchObject({ status: 200, text: 'ok' })
    expect(await server.get('/readyz')).toMatchObject({ status: 200, text: 'ready' })
  })
})

describe('a coordinator that is busy or stopping', () => {
  it('at its intake bound answers 429 with Retry-After, and nothing is begun', async () => {
    const small = await inProcessServer({ intake: 1 })
    const body = (id: string) => ({ id, pattern: 'saga', steps: [{ name: 'a', action: 'http://127.0.0.1:1/a' }] })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => small.begin(body(`busy-${at}`))))
    const busy = answers.filter((answer) => answer.status === 429)
    expect(busy.length).toBeGreaterThan(0)
    for (const answer of busy) {
      expect(answer.headers['retry-after']).toMatch(/^\d+$/)
      expect(answer.body).toMatchObject({ code: 'LOCKSTEP_BUSY', outcome: 'not-applied', retriable: true })
    }
    const { body: listed } = await small.get('/v1/transactions')
    expect(listed['items']).toHaveLength(20 - busy.length)
    await small.stop()
  })

  it('that stops answers those who wait, with what is durable', async () => {
    const stopping = await inProcessServer()
    const begun = { id: 'waits', pattern: 'saga', wait: 30_000, steps: [{ name: 'a', action: 'http://127.0.0.1:1/a' }] }
    const waiting = stopping.begin(begun)
    await eventually(
      () => stopping.get('/v1/transactions/waits'),
      ({ status }) => status === 202,
    )
    await stopping.stop()
    expect(await waiting).toMatchObject({ status: 202, body: { id: 'waits', status: 'committing' } })
  })
})
