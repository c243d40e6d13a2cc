/** Every row of the answer table against a real server that misbehaves in every way we know. */
import type { Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeEnvironment } from '../../environment/node.ts'
import type { Call, Outcome, Transport } from '../../ports/index.ts'
import { httpTransport } from './http-transport.ts'

interface Seen {
  readonly url: string
  readonly headers: Record<string, unknown>
  readonly body: string
}

type Behaviour = (response: ServerResponse) => void
const behaviours = new Map<string, Behaviour>()
const seen: Seen[] = []
/** What each closed socket was last asked for. */
const closedSockets: string[] = []
const lastUrl = new Map<Socket, string>()
let server: Server
let origin = ''
let transport: Transport

function call(target: string, overrides: Partial<Call> = {}): Promise<Outcome> {
  return transport.call({ ...base, target: target.startsWith('/') ? origin + target : target, ...overrides })
}

const base: Omit<Call, 'target'> = {
  operation: 'action',
  store: '1f2e3d4c',
  transaction: 'order-42',
  branch: 'debit',
  attempt: 1,
  begunAt: 1_700_000_000_000,
  timeoutMs: 2_000,
  input: { amount: 5 },
  traceparent: null,
}

/** The server answers the next call to a path of its own in this way. */
function path(behaviour: Behaviour): string {
  const name = `/p${behaviours.size}`
  behaviours.set(name, behaviour)
  return name
}

function answers(
  status: number,
  contentType: string | null,
  body = '',
  headers: Record<string, string> = {},
): Behaviour {
  return (response) => {
    response.writeHead(status, { ...(contentType === null ? {} : { 'content-type': contentType }), ...headers })
    response.end(body)
  }
}

async function port(listener: {
  listen(port: number, host: string, ready: () => void): unknown
  address(): unknown
}): Promise<number> {
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return (listener.address() as AddressInfo).port
}

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      seen.push({ url: request.url ?? '', headers: request.headers, body })
      const behaviour = behaviours.get(request.url ?? '')
      lastUrl.set(request.socket, request.url ?? '')
      if (behaviour === undefined) response.writeHead(200).end()
      else behaviour(response)
    })
  })
  server.on('connection', (socket) => socket.on('close', () => closedSockets.push(lastUrl.get(socket) ?? '')))
  origin = `http://127.0.0.1:${await port(server)}`
  transport = httpTransport({
    environment: nodeEnvironment,
    services: new Map([
      ['bank-a', { url: `${origin}/bank/a/`, headers: { authorization: 'Bearer x' } }],
      ['bank-ab', { url: `${origin}/bank/ab` }],
    ]),
  })
})

afterAll(async () => {
  await transport.close()
  server.closeAllConnections()
  server.close()
})

const json = 'application/json'
const problem = 'application/problem+json'

describe('an answer', () => {
  const unknown = (error: RegExp) => ({ kind: 'unknown', error: expect.stringMatching(error) })
  it.each<[string, Behaviour, object, Partial<Call>?]>([
    ['200 with JSON is done', answers(200, json, '{"receipt":"r1"}'), { kind: 'done', output: { receipt: 'r1' } }],
    ['201 with a charset is done', answers(201, `${json}; charset=utf-8`, '[1]'), { kind: 'done', output: [1] }],
    ['200 without a body is done', answers(200, null), { kind: 'done', output: null }],
    ['200 of HTML without a body is done', answers(200, 'text/html'), { kind: 'done', output: null }],
    ['204 is done', answers(204, null), { kind: 'done', output: null }],
    ['200 with HTML is unknown', answers(200, 'text/html', '<h1>Login</h1>'), unknown(/text\/html/)],
    ['200 with undeclared JSON is unknown', answers(200, null, '{}'), unknown(/missing/)],
    ['200 with broken JSON is unknown', answers(200, json, '{"receipt":'), unknown(/broken JSON/)],
    ['200 with a poisoned prototype is unknown', answers(200, json, '{"__proto__":{}}'), unknown(/__proto__/)],
    [
      '200 with a number that JavaScript cannot hold is unknown',
      answers(200, json, '{"id":123456789012345678}'),
      unknown(/cannot be carried/),
    ],
    [
      '409 with such a number is refused all the same',
      answers(409, json, '{"n":123456789012345678}'),
      { kind: 'refused', reason: '{"n":123456789012345678}' },
    ],
    [
      '200 with an encoded body is unknown',
      answers(200, json, '{}', { 'content-encoding': 'gzip' }),
      unknown(/encoded/),
    ],
    ['203 is unknown', answers(203, json, '{}'), unknown(/203/)],
    ['206 is unknown', answers(206, json, '{}'), unknown(/206/)],
    ['409 is refused with its body', answers(409, json, '{"code":"no"}'), { kind: 'refused', reason: { code: 'no' } }],
    [
      '409 with a text is refused with the text',
      answers(409, 'text/plain', 'no money'),
      { kind: 'refused', reason: 'no money' },
    ],
    ['409 without a body is refused', answers(409, null), { kind: 'refused', reason: null }],
    ['409 with broken JSON is unknown', answers(409, json, '{'), unknown(/409/)],
    ['202 is pending', answers(202, null, '', { 'retry-after': '3' }), { kind: 'pending', retryAfterMs: 3_000 }],
    ['202 to a deliver by URL is done', answers(202, null), { kind: 'done', output: null }, { operation: 'deliver' }],
    ['425 is pending', answers(425, null), { kind: 'pending' }],
    [
      'Retry-After is at most an hour',
      answers(425, null, '', { 'retry-after': '999999' }),
      { kind: 'pending', retryAfterMs: 3_600_000 },
    ],
    ['a senseless Retry-After is none', answers(425, null, '', { 'retry-after': 'soon' }), { kind: 'pending' }],
    [
      '424 try-missing keeps its code',
      answers(424, problem, '{"code":"try-missing"}'),
      { kind: 'unknown', code: 'try-missing', error: 'HTTP 424' },
    ],
    [
      '424 older-than-barrier keeps its code',
      answers(424, problem, '{"code":"older-than-barrier","detail":"old"}'),
      { kind: 'unknown', code: 'older-than-barrier', error: 'HTTP 424: old' },
    ],
    [
      '424 with another code is unknown',
      answers(424, problem, '{"code":"takeover"}'),
      { kind: 'unknown', error: 'HTTP 424' },
    ],
    [
      '500 with such a code is unknown',
      answers(500, problem, '{"code":"try-missing"}'),
      { kind: 'unknown', error: 'HTTP 500' },
    ],
    [
      '503 with Retry-After is unknown',
      answers(503, null, '', { 'retry-after': '2' }),
      { kind: 'unknown', error: 'HTTP 503', retryAfterMs: 2_000 },
    ],
    [
      '400 is unknown',
      answers(400, problem, '{"detail":"no header"}'),
      { kind: 'unknown', error: 'HTTP 400: no header' },
    ],
    ['404 is unknown', answers(404, 'text/html', '<html>'), { kind: 'unknown', error: 'HTTP 404' }],
    ['a redirect is unknown and not followed', answers(307, null, '', { location: '/elsewhere' }), unknown(/307/)],
    [
      'a check with commit decides',
      answers(200, json, '{"decision":"commit"}'),
      { kind: 'done', output: { decision: 'commit' } },
      { operation: 'check' },
    ],
    [
      'a check with more than a decision is unknown',
      answers(200, json, '{"decision":"commit","x":1}'),
      unknown(/check/),
      { operation: 'check' },
    ],
    ['a check with an empty 200 is unknown', answers(200, null), unknown(/check/), { operation: 'check' }],
  ])('%s', async (_name, behaviour, expected, overrides) => {
    expect(await call(path(behaviour), overrides)).toEqual(expected)
    expect(seen.some(({ url }) => url === '/elsewhere')).toBe(false)
  })

  it('takes a date in Retry-After', async () => {
    const inTenSeconds = new Date(Date.now() + 10_000).toUTCString()
    const outcome = await call(path(answers(425, null, '', { 'retry-after': inTenSeconds })))
    expect(outcome).toMatchObject({ kind: 'pending' })
    expect((outcome as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(8_000)
  })

  it('may come after early hints', async () => {
    const hinted = path((response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' })
      response.writeHead(409, { 'content-type': json }).end('"no"')
    })
    expect(await call(hinted)).toEqual({ kind: 'refused', reason: 'no' })
  })
})

describe('a server that does not answer', () => {
  it('in time is unknown, and its socket is closed', async () => {
    const silent = path(() => {})
    expect(await call(silent, { timeoutMs: 50 })).toEqual({
      kind: 'unknown',
      code: 'timeout',
      error: expect.any(String),
    })
    await expect.poll(() => closedSockets).toContain(silent)
  })

  it('but drips is unknown at the time limit', async () => {
    const drip = path((response) => {
      response.writeHead(200, { 'content-type': json })
      const timer = setInterval(() => response.write(' '), 10)
      response.on('close', () => clearInterval(timer))
    })
    const start = performance.now()
    expect(await call(drip, { timeoutMs: 150 })).toMatchObject({ kind: 'unknown', code: 'timeout' })
    expect(performance.now() - start).toBeLessThan(1_000)
    await expect.poll(() => closedSockets).toContain(drip)
  })

  it('with an end is cut off at 1 MiB', async () => {
    let sent = 0
    const endless = path((response) => {
      response.writeHead(200, { 'content-type': json })
      const pump = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536
        if (!response.destroyed) response.once('drain', pump)
      }
      pump()
    })
    expect(await call(endless)).toMatchObject({ kind: 'unknown', error: expect.stringContaining('limit') })
    await expect.poll(() => closedSockets).toContain(endless)
    expect(sent).toBeLessThan(32 * 1_048_576)
  })

  it('and announces too much is not read at all', async () => {
    const huge = path((response) => {
      response.writeHead(200, { 'content-type': json, 'content-length': '5000000' })
      response.write('{')
    })
    expect(await call(huge)).toMatchObject({ kind: 'unknown', error: expect.stringContaining('limit') })
  })

  it('fully but resets half-way is unknown and may have happened', async () => {
    const half = path((response) => {
      response.writeHead(200, { 'content-type': json, 'content-length': '100' })
      response.write('{"receipt":')
      setTimeout(() => response.socket?.resetAndDestroy(), 20)
    })
    const outcome = await call(half)
    expect(outcome).toMatchObject({ kind: 'unknown' })
    expect(outcome).not.toHaveProperty('unreached')
  })

  it('because nobody listens was never reached', async () => {
    const gone = createTcpServer()
    const url = `http://127.0.0.1:${await port(gone)}/x`
    await new Promise((resolve) => gone.close(resolve))
    const outcome = await call(url)
    expect(outcome).toMatchObject({ kind: 'unknown', unreached: true, error: expect.stringContaining('ECONNREFUSED') })
  })

  it('because its name does not exist was never reached', async () => {
    expect(await call('http://no-such-host.invalid/x')).toMatchObject({ kind: 'unknown', unreached: true })
  })

  it('in HTTP is unknown', async () => {
    const noise = createTcpServer((socket: Socket) => socket.end('SSH-2.0-OpenSSH\r\n'))
    const outcome = await call(`http://127.0.0.1:${await port(noise)}/x`)
    expect(outcome).toMatchObject({ kind: 'unknown' })
    expect(outcome).not.toHaveProperty('unreached')
    noise.close()
  })

  it('because all sockets are taken was never reached, and is not called later', async () => {
    const narrow = httpTransport({ environment: nodeEnvironment, connectionsMax: 1 })
    const slow = path((response) => void setTimeout(() => response.writeHead(200).end(), 200))
    const never = path(answers(200, null))
    const first = narrow.call({ ...base, target: origin + slow })
    const second = narrow.call({ ...base, target: origin + never, timeoutMs: 50 })
    expect(await second).toMatchObject({ kind: 'unknown', code: 'timeout', unreached: true })
    expect(await first).toEqual({ kind: 'done', output: null })
    // The queue is in order, so once a third call has been answered the second would have been there.
    expect(await narrow.call({ ...base, target: origin + path(answers(204, null)) })).toMatchObject({ kind: 'done' })
    expect(seen.map(({ url }) => url)).not.toContain(never)
    await narrow.close()
  })

  it('before the transport is closed is unknown', async () => {
    const closing = httpTransport({ environment: nodeEnvironment })
    const silent = path(() => {})
    const pending = closing.call({ ...base, target: origin + silent })
    await expect.poll(() => seen.map(({ url }) => url)).toContain(silent)
    await closing.close()
    expect(await pending).toMatchObject({ kind: 'unknown' })
    expect(await closing.call({ ...base, target: `${origin}/x` })).toMatchObject({ kind: 'unknown', unreached: true })
  })
})

describe('a target', () => {
  it('of a service is called under its base, with its headers and the lockstep headers', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await call('bank-a.debit', { operation: 'compensate', traceparent })
    expect(seen.at(-1)).toMatchObject({
      url: '/bank/a/debit/compensate',
      body: '{"amount":5}',
      headers: {
        'content-type': json,
        authorization: 'Bearer x',
        'lockstep-store': '1f2e3d4c',
        'lockstep-transaction': 'order-42',
        'lockstep-branch': 'debit',
        'lockstep-operation': 'compensate',
        'lockstep-attempt': '1',
        'lockstep-begun': '1700000000000',
        traceparent,
      },
    })
  })

  it('that is a URL is called as it is, with the headers of the service it lies under', async () => {
    await call('/bank/a/un-debit?x=1')
    expect(seen.at(-1)).toMatchObject({ url: '/bank/a/un-debit?x=1', headers: { authorization: 'Bearer x' } })
    await call('/bank/ab/x')
    expect(seen.at(-1)?.headers).not.toHaveProperty('authorization')
    await call('/bank/a/../ab/x')
    expect(seen.at(-1)).toMatchObject({ url: '/bank/ab/x' })
  })

  it('of a check-back by service is the service itself', async () => {
    behaviours.set('/bank/a/_check', answers(200, json, '{"decision":"rollback"}'))
    expect(await call('bank-a', { operation: 'check' })).toEqual({ kind: 'done', output: { decision: 'rollback' } })
  })

  it.each(['bank-z.debit', 'bank-a', 'ftp://x/y', 'http://user:pass@127.0.0.1/', 'http://', 'x'])(
    '%s leads nowhere',
    async (target) => {
      expect(await call(target)).toMatchObject({ kind: 'unknown', unreached: true })
    },
  )

  it('outside every registered service is not called when only those are allowed', async () => {
    const services = new Map([['bank-a', { url: `${origin}/bank/a` }]])
    const strict = httpTransport({ environment: nodeEnvironment, services, urls: 'registered' })
    expect([
      strict.canCall(`${origin}/bank/a/x`),
      strict.canCall(`${origin}/bank/ab/x`),
      strict.canCall('bank-a.x'),
    ]).toEqual([true, false, true])
    expect(await strict.call({ ...base, target: `${origin}/elsewhere` })).toMatchObject({ unreached: true })
    await strict.close()
  })

  it('shares its endpoint with all targets of its origin', () => {
    expect([transport.endpointOf('bank-a.debit'), transport.endpointOf(`${origin}/other`)]).toEqual([origin, origin])
  })

  it.each([
    ['a credential in the url', { url: 'http://a:b@x/' }],
    ['another scheme', { url: 'file:///etc/passwd' }],
    ['a lockstep header', { url: 'http://x', headers: { 'Lockstep-Branch': 'x' } }],
    ['a short secret', { url: 'http://x', secret: 'whsec_c2hvcnQ=' }],
  ])('of a service with %s is refused when the transport is made', (_name, settings) => {
    expect(() => httpTransport({ environment: nodeEnvironment, services: new Map([['s', settings]]) })).toThrowError(
      expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }),
    )
  })
})
