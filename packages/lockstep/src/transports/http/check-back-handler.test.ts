/** The check-back over real HTTP, asked with raw requests and by our own transport. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryBarrier, memoryDatabase } from '../../adapters/memory-database.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { checkBack } from '../../participant/check-back.ts'
import { localBranch } from '../../participant/local-branch.ts'
import { participant } from '../../participant/participant.ts'
import { askAgain } from '../../participant/refuse.ts'
import type { Call, Outcome } from '../../ports/index.ts'
import { silentLogger } from '../../ports/index.ts'
import { httpTransport } from './http-transport.ts'
import { nodeListener } from './node-listener.ts'
import type { ParticipantHandlerOptions } from './participant-handler.ts'
import { participantHandler } from './participant-handler.ts'

const db = memoryDatabase()
const day = 86_400_000
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const hold = participant('orders.hold', {
  input: z.object({ seat: z.string() }),
  try: (_input, branch) => branch.transact(db, () => null),
  confirm: (_input, branch) => branch.transact(db, () => null),
  cancel: (_input, branch) => branch.transact(db, () => null),
})
const onPool = checkBack('orders', { pool: db })
const odd = checkBack('odd', {
  input: z.object({ order: z.string() }),
  check: ({ order }) => {
    if (order === 'later') return askAgain('1500ms')
    if (order === 'boom') throw new Error('the disk is full')
    return order as 'commit'
  },
})

function handlerWith(options: Partial<ParticipantHandlerOptions>) {
  return participantHandler({
    participants: [hold],
    environment: nodeEnvironment,
    barrierDatabases: [memoryBarrier()],
    ...options,
  })
}

const handlers = {
  '/orders': handlerWith({ base: '/orders', checkBack: onPool }),
  '/signed': handlerWith({ base: '/signed', checkBack: onPool, secrets: [secret] }),
  '/odd': handlerWith({ base: '/odd', checkBack: odd }),
  '/none': handlerWith({ base: '/none' }),
  '/': handlerWith({ checkBack: onPool }),
}
let server: Server
let origin = ''
let count = 0

beforeAll(async () => {
  const listeners = Object.entries(handlers).map(([base, handler]) => [base, nodeListener(handler)] as const)
  server = createServer((request, response) => {
    listeners.find(([base]) => request.url?.startsWith(base))?.[1](request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

function nextTransaction(): string {
  count += 1
  return `order-${count}`
}

interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly without?: string
  readonly body?: string
}

async function ask(path: string, { method = 'POST', headers = {}, without, body = '{"order":7}' }: Ask = {}) {
  const all = new Headers({
    'content-type': 'application/json',
    'lockstep-store': '1f2e3d4c',
    'lockstep-transaction': nextTransaction(),
    'lockstep-branch': '_local',
    'lockstep-operation': 'check',
    'lockstep-attempt': '1',
    'lockstep-begun': String(Date.now()),
    ...headers,
  })
  if (without !== undefined) all.delete(without)
  const response = await fetch(origin + path, { method, headers: all, ...(method === 'GET' ? {} : { body }) })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

function pay(transaction: string): Promise<unknown> {
  const surroundings = {
    ...nodeEnvironment,
    databases: [memoryBarrier()],
    logger: silentLogger,
    barrierRetentionMs: 30 * day,
  }
  const facts = { store: '1f2e3d4c', transaction, begunAt: Date.now(), traceparent: null, input: null }
  return localBranch({ ...facts, surroundings }).branch.transact(db, () => null)
}

describe('POST <base>/_check', () => {
  it.each(['/orders/_check', '/_check', '/_check?x=/y'])('answers exactly one decision: %s', async (path) => {
    const paid = nextTransaction()
    await pay(paid)
    const found = await ask(path, { headers: { 'lockstep-transaction': paid } })
    expect([found.status, found.headers.get('content-type'), found.text]).toEqual([
      200,
      'application/json',
      '{"decision":"commit"}',
    ])
    const lost = nextTransaction()
    const missing = await ask(path, { headers: { 'lockstep-transaction': lost } })
    expect([missing.status, missing.text]).toEqual([200, '{"decision":"rollback"}'])
    await expect(pay(lost)).rejects.toThrow('refused')
  })

  it.each<[string, string, Ask, number, string]>([
    ['what is still open', '/odd/_check', { body: '{"order":"later"}' }, 425, ''],
    ['a check that throws', '/odd/_check', { body: '{"order":"boom"}' }, 500, 'the disk is full'],
    ['a check that decides nothing', '/odd/_check', { body: '{"order":"perhaps"}' }, 500, 'perhaps'],
    ['input that does not fit, since 409 decides nothing', '/odd/_check', { body: '{}' }, 500, 'invalid-input'],
    ['an old transaction', '/orders/_check', { headers: { 'lockstep-begun': '1' } }, 424, '"older-than-barrier"'],
    ['another branch', '/orders/_check', { headers: { 'lockstep-branch': 'hold' } }, 500, '_local'],
    [
      'another operation',
      '/orders/_check',
      { headers: { 'lockstep-operation': 'action' } },
      400,
      'operation of the path',
    ],
    ['GET', '/orders/_check', { method: 'GET' }, 405, 'LOCKSTEP_METHOD_NOT_ALLOWED'],
    ['a service without check-back', '/none/_check', {}, 404, 'LOCKSTEP_NOT_FOUND'],
    ['a check of a participant', '/orders/hold/check', {}, 404, 'LOCKSTEP_NOT_FOUND'],
    ['a path below it', '/orders/_check/check', {}, 404, 'LOCKSTEP_NOT_FOUND'],
    ['the name of the service', '/orders/orders/check', {}, 404, 'LOCKSTEP_NOT_FOUND'],
    ['an unsigned call', '/signed/_check', {}, 401, 'LOCKSTEP_UNAUTHENTICATED'],
  ])('answers %s', async (_case, path, request, status, text) => {
    const answer = await ask(path, request)
    expect([answer.status, answer.text.includes(text) ? text : answer.text]).toEqual([status, text])
    if (status === 425) expect(answer.headers.get('retry-after')).toBe('2')
  })

  it('dtm #535: never answers 200 when its database is broken', async () => {
    const broken = memoryDatabase({ pause: () => Promise.reject(new Error('no space left')) })
    const handler = handlerWith({ checkBack: checkBack('orders', { pool: broken }) })
    const headers = { 'content-type': 'application/json', 'lockstep-operation': 'check', 'lockstep-branch': '_local' }
    const facts = { 'lockstep-store': '1f2e3d4c', 'lockstep-transaction': 't', 'lockstep-attempt': '1' }
    const request = new Request('http://orders/_check', {
      method: 'POST',
      headers: { ...headers, ...facts, 'lockstep-begun': String(Date.now()) },
      body: 'null',
    })
    const response = await handler(request)
    expect([response.status, await response.text()]).toEqual([500, expect.stringContaining('no space left')])
  })
})

describe('Seata #6374, #4530, #4777: a call that has lost its transaction', () => {
  it.each(['/orders/_check', '/orders/hold/try', '/orders/hold/confirm', '/orders/hold/cancel'])(
    'is answered 400 and runs nothing: %s',
    async (path) => {
      const before = db.read('lockstep_barrier').size
      const operation = path.slice(path.lastIndexOf('/') + 1).replace('_', '')
      const answer = await ask(path, { headers: { 'lockstep-operation': operation }, without: 'lockstep-transaction' })
      expect([answer.status, db.read('lockstep_barrier').size]).toEqual([400, before])
      expect(answer.text).toContain('lockstep-transaction is missing')
    },
  )
})

describe('our own transport', () => {
  const check: Omit<Call, 'target'> = {
    operation: 'check',
    store: '1f2e3d4c',
    transaction: 'own',
    branch: '_local',
    attempt: 1,
    begunAt: Date.now(),
    timeoutMs: 2_000,
    input: { order: 7 },
    traceparent: null,
  }

  async function called(call: Partial<Call> & { readonly target: string }): Promise<Outcome> {
    const services = new Map([
      ['orders', { url: `${origin}/signed`, secret }],
      ['plain', { url: `${origin}/orders` }],
      ['odd', { url: `${origin}/odd/` }],
      ['none', { url: `${origin}/none` }],
    ])
    const transport = httpTransport({ environment: nodeEnvironment, services, urls: 'registered' })
    const outcome = await transport.call({ ...check, ...call })
    await transport.close()
    return outcome
  }

  it('asks the check-back of a service by its bare name, signed', async () => {
    const transaction = nextTransaction()
    await pay(transaction)
    expect(await called({ target: 'orders', transaction })).toEqual({ kind: 'done', output: { decision: 'commit' } })
    expect(await called({ target: 'orders', transaction: nextTransaction() })).toEqual({
      kind: 'done',
      output: { decision: 'rollback' },
    })
  })

  it('asks the check-back that a URL names', async () => {
    const target = `${origin}/orders/_check`
    expect(await called({ target, transaction: nextTransaction() })).toMatchObject({ output: { decision: 'rollback' } })
  })

  it('understands every answer', async () => {
    expect(await called({ target: 'odd', input: { order: 'later' } })).toEqual({ kind: 'pending', retryAfterMs: 2_000 })
    expect(await called({ target: 'odd', input: { order: 'perhaps' } })).toMatchObject({ kind: 'unknown' })
    expect(await called({ target: 'plain', begunAt: 1 })).toMatchObject({ code: 'older-than-barrier' })
    expect(await called({ target: 'none' })).toMatchObject({ kind: 'unknown', error: expect.stringContaining('404') })
    expect(await called({ target: 'orders', operation: 'action' })).toMatchObject({ unreached: true })
  })
})

it('a check-back among the participants is refused when the handler is made', () => {
  expect(() => handlerWith({ participants: [hold, onPool] })).toThrowError(
    expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION', next: expect.stringContaining('checkBack') }),
  )
})
