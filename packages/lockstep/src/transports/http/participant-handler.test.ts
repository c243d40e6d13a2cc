/** The handler mounted on node:http and in Hono, asked with raw requests as any language would send them. */

import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryBarrier, memoryDatabase } from '../../adapters/memory-database.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { participant } from '../../participant/participant.ts'
import { askAgain, refuse } from '../../participant/refuse.ts'
import type { Call, ParticipantDefinition } from '../../ports/index.ts'
import { httpTransport } from './http-transport.ts'
import { nodeListener } from './node-listener.ts'
import { participantHandler } from './participant-handler.ts'
import { SigningKey, signatureHeader, webhookId } from './signature.ts'

const db = memoryDatabase()
const signals: AbortSignal[] = []
const debit = participant('bank-a.debit', {
  input: z.object({ amount: z.number() }),
  action: (input, branch) =>
    branch.transact(db, (tx) => {
      if (input.amount > 100) refuse({ code: 'insufficient-funds' })
      tx.set('debit', branch.transaction, input.amount)
      return { receipt: `r-${branch.transaction}` }
    }),
  compensate: (_input, branch) => branch.transact(db, (tx) => tx.delete('debit', branch.transaction)),
})
const odd = participant('bank-a.account.odd', {
  input: z.string(),
  barrier: false,
  action: async (word, branch) => {
    if (word === 'later') askAgain('1500ms')
    if (word === 'boom') throw new Error('the disk is full')
    if (word === 'wait' && branch.signal !== undefined) {
      signals.push(branch.signal)
      await new Promise((resolve) => branch.signal?.addEventListener('abort', resolve))
    }
    return word
  },
})
const unsure: ParticipantDefinition = {
  name: 'bank-a.unsure',
  barrier: true,
  operations: ['confirm'],
  run: async () => ({ kind: 'unknown', code: 'try-missing', error: 'no try' }),
}

const options = {
  participants: [debit, odd, unsure],
  environment: nodeEnvironment,
  barrierDatabases: [memoryBarrier()],
  base: '/lockstep',
}
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const newSecret = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const handler = participantHandler(options)
const signed = participantHandler({ ...options, base: '/signed', secrets: [secret, newSecret] })

const app = new Hono()
app.all('/lockstep/*', (c) => handler(c.req.raw))
app.all('/signed/*', (c) => signed(c.req.raw))
const plain = [nodeListener(handler), nodeListener(signed)] as const
const servers = [
  createServer((req, res) => plain[req.url?.startsWith('/signed') === true ? 1 : 0](req, res)),
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }),
]
const ports: number[] = []
let count = 0

beforeAll(async () => {
  await new Promise<void>((resolve) => servers[0]?.listen(0, '127.0.0.1', resolve))
  if (servers[1]?.listening !== true) await new Promise((resolve) => servers[1]?.once('listening', resolve))
  ports.push(...servers.map((server) => (server.address() as AddressInfo).port))
})

afterAll(() => {
  for (const server of servers) {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  }
})

interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string | undefined>
  readonly body?: string | Buffer
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly text: string
}

function lockstepHeaders(operation = 'action'): Record<string, string> {
  count += 1
  return {
    'content-type': 'application/json',
    'lockstep-store': '1f2e3d4c',
    'lockstep-transaction': `order-${count}`,
    'lockstep-branch': 'debit',
    'lockstep-operation': operation,
    'lockstep-attempt': '1',
    'lockstep-begun': String(Date.now()),
  }
}

describe.each([
  ['node:http', 0],
  ['Hono', 1],
])('a participant on %s', (_name, index) => {
  function ask({
    method = 'POST',
    path = '/lockstep/debit/action',
    headers = {},
    body = '{"amount":5}',
  }: Ask): Promise<Answer> {
    const merged = { ...lockstepHeaders(path.slice(path.lastIndexOf('/') + 1)), ...headers }
    const sent = Object.fromEntries(
      Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        { host: '127.0.0.1', port: ports[index], method, path, headers: sent, agent: false },
        (response) => {
          let text = ''
          response.on('data', (chunk) => (text += chunk))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  it('answers 200 with the output, and again for the repeat', async () => {
    const headers = lockstepHeaders()
    const first = await ask({ headers })
    expect(first).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } })
    expect(JSON.parse(first.text)).toEqual({ receipt: `r-${headers['lockstep-transaction']}` })
    expect((await ask({ headers })).text).toBe(first.text)
  })

  it('answers 204 for no output, and 409 to the action that comes after its compensation', async () => {
    const headers = lockstepHeaders('compensate')
    expect(await ask({ path: '/lockstep/debit/compensate', headers })).toMatchObject({ status: 204, text: '' })
    const late = await ask({ headers: { ...headers, 'lockstep-operation': 'action' } })
    expect([late.status, late.text]).toEqual([409, '{"code":"closed"}'])
  })

  it.each<[string, Ask, number, string]>([
    ['a business no', { body: '{"amount":500}' }, 409, 'insufficient-funds'],
    ['invalid input', { body: '{"amount":"x"}' }, 409, 'invalid-input'],
    ['a name with a dot', { path: '/lockstep/account.odd/action', body: '"hello"' }, 200, '"hello"'],
    [
      'an encoded name and a query',
      { path: '/lockstep/account%2Eodd/action?x=/y', headers: { 'lockstep-operation': 'action' }, body: '"hello"' },
      200,
      '"hello"',
    ],
    ['work that throws', { path: '/lockstep/account.odd/action', body: '"boom"' }, 500, 'the disk is full'],
    ['a confirm without try', { path: '/lockstep/unsure/confirm' }, 424, '"code":"try-missing"'],
    ['a participant that is not here', { path: '/lockstep/credit/action' }, 404, 'LOCKSTEP_NOT_FOUND'],
    ['an operation it does not have', { path: '/lockstep/debit/confirm' }, 404, 'LOCKSTEP_NOT_FOUND'],
    ['another base', { path: '/lockstep/x/debit/action' }, 404, 'LOCKSTEP_NOT_FOUND'],
    ['GET', { method: 'GET', body: '' }, 405, 'LOCKSTEP_METHOD_NOT_ALLOWED'],
    ['no content type', { headers: { 'content-type': undefined } }, 415, 'LOCKSTEP_UNSUPPORTED_MEDIA_TYPE'],
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415, 'LOCKSTEP_UNSUPPORTED'],
    ['a compressed body', { headers: { 'content-encoding': 'gzip' } }, 415, 'LOCKSTEP_UNSUPPORTED'],
    ['an empty body', { body: '' }, 400, 'empty'],
    ['broken JSON', { body: '{"amount":' }, 400, 'LOCKSTEP_INVALID_REQUEST'],
    ['broken UTF-8', { body: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'UTF-8'],
    ['a poisoned prototype', { body: '{"amount":1,"__proto__":{"x":1}}' }, 400, '__proto__'],
    ['33 levels', { body: '['.repeat(33) + ']'.repeat(33) }, 400, 'deeper'],
    ['a number that does not survive', { body: '{"amount":12345678901234567890}' }, 400, 'survive'],
    ['a body over 1 MiB', { body: `{"amount":${' '.repeat(1_048_576)}1}` }, 413, 'LOCKSTEP_PAYLOAD_TOO_LARGE'],
    ['a path of another operation', { headers: { 'lockstep-operation': 'compensate' } }, 400, 'operation of the path'],
  ])('answers %s', async (_case, request, status, text) => {
    const answer = await ask(request)
    expect([answer.status, answer.text.includes(text) ? text : answer.text]).toEqual([status, text])
    if (status === 405) expect(answer.headers['allow']).toBe('POST')
    if (status !== 409 && status >= 400) expect(answer.headers['content-type']).toBe('application/problem+json')
  })

  it('answers 425 with whole seconds, never earlier than asked', async () => {
    const answer = await ask({ path: '/lockstep/account.odd/action', body: '"later"' })
    expect(answer).toMatchObject({ status: 425, headers: { 'retry-after': '2' } })
  })

  it.each([
    ['lockstep-store', 'UPPER123'],
    ['lockstep-transaction', '..'],
    ['lockstep-branch', '_other'],
    ['lockstep-operation', 'explode'],
    ['lockstep-attempt', '-1'],
    ['lockstep-begun', 'yesterday'],
  ])('refuses a missing or malformed %s and runs nothing', async (name, malformed) => {
    const before = db.read('debit').size
    for (const value of [undefined, malformed]) {
      const answer = await ask({ headers: { [name]: value } })
      expect([answer.status, answer.text.includes(name)]).toEqual([400, true])
    }
    expect(db.read('debit').size).toBe(before)
  })

  it('shows the trace id of the call in a problem', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const answer = await ask({ path: '/lockstep/none/action', headers: { traceparent } })
    expect(JSON.parse(answer.text)).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', status: 404 })
  })

  it('tells the work when the caller has gone', async () => {
    signals.length = 0
    const headers = Object.entries(lockstepHeaders()).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = connect(ports[index] ?? 0, '127.0.0.1')
    socket.write(
      `POST /lockstep/account.odd/action HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n${headers.join('')}\r\n"wait"`,
    )
    await expect.poll(() => signals.length).toBe(1)
    expect(signals[0]?.aborted).toBe(false)
    socket.destroy()
    await expect.poll(() => signals[0]?.aborted).toBe(true)
  })

  it('survives callers that leave in the middle of their body', async () => {
    const headers = Object.entries(lockstepHeaders()).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = connect(ports[index] ?? 0, '127.0.0.1')
    socket.write(
      `POST /lockstep/debit/action HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n${headers.join('')}\r\n{"amo`,
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    socket.resetAndDestroy()
    expect((await ask({})).status).toBe(200)
  })

  it('hangs up on a body without end', async () => {
    const headers = Object.entries(lockstepHeaders()).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = connect(ports[index] ?? 0, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(
      `POST /lockstep/debit/action HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n${headers.join('')}\r\n`,
    )
    let sent = 0
    const timer = setInterval(() => {
      if (socket.destroyed || socket.writableLength > 1_000_000) return
      for (let n = 0; n < 16; n++) socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`)
      sent += 16 * 65_536
    }, 1)
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    await expect.poll(() => answer, { timeout: 5_000 }).toContain('413')
    await expect.poll(() => socket.destroyed || socket.readableEnded, { timeout: 8_000 }).toBe(true)
    clearInterval(timer)
    expect(sent).toBeLessThan(64 * 1_048_576)
  })

  describe('with secrets', () => {
    const body = '{"amount":5}'
    function signature(
      headers: Record<string, string>,
      with_: string[],
      timestamp = String(Math.floor(Date.now() / 1000)),
    ): Record<string, string> {
      const id = webhookId(
        headers['lockstep-transaction'] ?? '',
        headers['lockstep-branch'] ?? '',
        headers['lockstep-operation'] ?? '',
      )
      const keys = with_.map((text) => new SigningKey(text))
      return {
        ...headers,
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signatureHeader(keys, id, timestamp, body),
      }
    }
    const path = '/signed/debit/action'

    it('takes either secret while they are rotated', async () => {
      for (const keys of [[secret], [newSecret], [`whsec_${Buffer.alloc(32, 9).toString('base64')}`, secret]]) {
        expect((await ask({ path, headers: signature(lockstepHeaders(), keys), body })).status).toBe(200)
      }
    })

    it('refuses what is unsigned, signed by another, old, changed, or replayed as something else', async () => {
      const good = signature(lockstepHeaders(), [secret])
      const seconds = (offset: number): string => String(Math.floor(Date.now() / 1000) + offset)
      const bad: [string, Ask][] = [
        ['unsigned', { headers: lockstepHeaders() }],
        ['unsigned with an unknown path', { path: '/signed/none/action', headers: lockstepHeaders() }],
        [
          'another secret',
          { headers: signature(lockstepHeaders(), [`whsec_${Buffer.alloc(32, 9).toString('base64')}`]) },
        ],
        ['old', { headers: signature(lockstepHeaders(), [secret], seconds(-301)) }],
        ['from the future', { headers: signature(lockstepHeaders(), [secret], seconds(302)) }],
        ['another timestamp', { headers: { ...good, 'webhook-timestamp': seconds(-1) } }],
        ['another body', { headers: good, body: '{"amount":6}' }],
        ['another transaction', { headers: { ...good, 'lockstep-transaction': 'order-x' } }],
        ['another branch', { headers: { ...good, 'lockstep-branch': 'credit' } }],
        [
          'replayed as compensate',
          { path: '/signed/debit/compensate', headers: { ...good, 'lockstep-operation': 'compensate' } },
        ],
        ['garbage', { headers: { ...good, 'webhook-signature': 'v1,AAAA v1, v2,x' } }],
      ]
      for (const [what, request] of bad) {
        const answer = await ask({ path, body, ...request })
        expect([what, answer.status]).toEqual([what, 401])
        expect(answer.text).not.toContain('whsec_')
      }
      expect((await ask({ path, headers: good, body })).status).toBe(200)
    })

    it('a signed operation sent to the path of another is refused', async () => {
      const good = signature(lockstepHeaders(), [secret])
      expect((await ask({ path: '/signed/debit/compensate', headers: good, body })).status).toBe(400)
    })
  })

  it('understands our own transport, signed, end to end', async () => {
    const url = `http://127.0.0.1:${ports[index]}/signed`
    const transport = httpTransport({ environment: nodeEnvironment, services: new Map([['bank-a', { url, secret }]]) })
    const call: Call = {
      target: 'bank-a.debit',
      operation: 'action',
      store: '1f2e3d4c',
      transaction: `own-${index}`,
      branch: 'debit',
      attempt: 1,
      begunAt: Date.now(),
      timeoutMs: 2_000,
      input: { amount: 5, name: 'Zoë 🍀' },
      traceparent: null,
    }
    expect(await transport.call(call)).toEqual({ kind: 'done', output: { receipt: `r-own-${index}` } })
    expect(await transport.call({ ...call, operation: 'compensate' })).toEqual({ kind: 'done', output: null })
    expect(await transport.call(call)).toEqual({ kind: 'refused', reason: { code: 'closed' } })
    expect(await transport.call({ ...call, transaction: 'old', begunAt: 1 })).toMatchObject({
      code: 'older-than-barrier',
    })
    await transport.close()
  })
})

it('two participants of one name behind the dot are refused when the handler is made', () => {
  const twin = { ...debit, name: 'bank-b.debit' }
  expect(() => participantHandler({ ...options, participants: [debit, twin] })).toThrowError(/two participants/i)
})
