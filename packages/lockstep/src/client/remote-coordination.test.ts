/** The client against a server that misbehaves in every way we know. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { nodeEnvironment } from '../environment/node.ts'
import { type ErrorCode, errorTable, isLockstepError, LockstepError } from '../errors.ts'
import type { Environment } from '../ports/index.ts'
import { bodyBytesMax, problemBody } from '../protocol/index.ts'
import { type RemoteCoordination, type RemoteCoordinationOptions, remoteCoordination } from './remote-coordination.ts'

/** Where a time limit is waited for, time runs fast: ten seconds are a fifth of one. */
const haste = 50
const hurried: Environment = {
  ...nodeEnvironment,
  clock: { ...nodeEnvironment.clock, monotonicMs: () => nodeEnvironment.clock.monotonicMs() * haste },
  timers: { after: (delayMs, fire) => nodeEnvironment.timers.after(delayMs / haste, fire) },
}

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

type Behaviour = (response: ServerResponse, seen: Seen) => void

let server: Server
let url = ''
let seen: Seen[] = []
/** Of the next requests in order; the last one is of all that follow. */
let behaviours: Behaviour[] = []
let sockets = 0
let openSockets = 0

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const one = { method, url: path, headers, body: Buffer.concat(chunks).toString() }
      seen.push(one)
      const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0]
      behaviour?.(response, one)
    })
  })
  server.on('connection', (socket) => {
    sockets += 1
    openSockets += 1
    socket.on('close', () => {
      openSockets -= 1
    })
  })
  url = await listening(server)
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const opened: RemoteCoordination[] = []

beforeEach(async () => {
  await Promise.all(opened.splice(0).map((client) => client.close()))
  seen = []
  behaviours = []
})

function open(options: Partial<RemoteCoordinationOptions> = {}): RemoteCoordination {
  const client = remoteCoordination({ url, environment: nodeEnvironment, ...options })
  opened.push(client)
  return client
}

async function listening(listener: Server | ReturnType<typeof createTcpServer>, port = 0): Promise<string> {
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
}

/** A port that nothing listens on. */
async function nobody(): Promise<string> {
  const gone = createTcpServer()
  const address = await listening(gone)
  await new Promise((resolve) => gone.close(resolve))
  return address
}

const json = { 'content-type': 'application/json' }
const transaction = { id: 't-1', store: '1f2e3d4c', status: 'prepared', version: 1, branches: [] }

function answers(status: number, body: unknown, headers: Record<string, string> = json): Behaviour {
  return (response) => {
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    response.writeHead(status, headers).end(text)
  }
}

function problem(error: LockstepError, more: object = {}, headers: Record<string, string> = {}): Behaviour {
  const body = problemBody(error)
  const type = { 'content-type': 'application/problem+json' }
  return answers(body.status, { ...body, ...more }, { ...type, ...headers })
}

const refusal = (code: ErrorCode) => new LockstepError(code, { message: 'said why' })
const ok = answers(200, transaction)
const reset: Behaviour = (response) => void response.socket?.resetAndDestroy()
const silence: Behaviour = () => {}
const half: Behaviour = (response) => {
  response.writeHead(200, { ...json, 'content-length': '100' }).write('{"id":')
  setImmediate(() => response.socket?.resetAndDestroy())
}
const begin = { id: 't-1', pattern: 'tcc' }
const branch = { name: 'hold', confirm: 'http://x/y', cancel: 'http://x/n', input: { seat: 1 } }
const action = { action: 'retry', reason: 'why not' } as const

const calls = {
  begin: (client: RemoteCoordination): Promise<unknown> => client.begin(begin),
  register: (client: RemoteCoordination): Promise<unknown> => client.register('t-1', branch),
  decide: (client: RemoteCoordination): Promise<unknown> => client.decide('t-1', 'commit'),
  get: (client: RemoteCoordination): Promise<unknown> => client.get('t-1'),
  list: (client: RemoteCoordination): Promise<unknown> => client.list(),
  act: (client: RemoteCoordination): Promise<unknown> => client.act('t-1', action),
}
type Name = keyof typeof calls
const names = Object.keys(calls) as Name[]
const changing: readonly Name[] = ['begin', 'register', 'decide', 'act']

async function failure(name: Name, client = open()): Promise<LockstepError> {
  const error = await calls[name](client).then(
    (value) => expect.fail(`it was answered ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (!isLockstepError(error)) throw error
  return error
}

describe('a request', () => {
  it('of each kind is sent as protocol.md has it, with the key, the headers and the base path', async () => {
    behaviours = [
      (response, { url: path }) =>
        answers(200, path.includes('?') ? { items: [], next: null } : transaction)(response, {} as Seen),
    ]
    const client = open({ url: `${url}/lock/step/`, key: 'id.secret', headers: { 'X-Tenant': 'a' } })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await client.begin(begin, { traceparent })
    await client.register('t-1', branch)
    await client.decide('t-1', 'rollback')
    await client.get('t-1')
    await client.list({
      status: 'committed',
      held: false,
      since: 5,
      limit: 9,
      labels: { 'kind:of': 'a b' },
      cursor: 'c',
    })
    await client.act('t-1', { ...action, action: 'skip', branch: 'a', by: 'me' })
    const base = '/lock/step/v1/transactions'
    expect(seen.map(({ method, url: path, body }) => [method, path, body === '' ? null : JSON.parse(body)])).toEqual([
      ['POST', base, begin],
      ['POST', `${base}/t-1/branches`, branch],
      ['POST', `${base}/t-1/rollback`, null],
      ['GET', `${base}/t-1`, null],
      ['GET', `${base}?status=committed&held=false&since=5&limit=9&cursor=c&label.kind%3Aof=a+b`, null],
      ['POST', `${base}/t-1/actions`, { action: 'skip', branch: 'a', reason: 'why not' }],
    ])
    for (const { headers } of seen)
      expect(headers).toMatchObject({ authorization: 'Bearer id.secret', 'x-tenant': 'a' })
    expect(seen.map(({ headers }) => headers['content-type'])).toEqual([
      ...['application/json', 'application/json', undefined],
      ...[undefined, undefined, 'application/json'],
    ])
    expect(seen.map(({ headers }) => headers['traceparent'])).toEqual([traceparent, ...Array(5).fill(undefined)])
  })

  it('waits as long as it is asked to, and a minute at most', async () => {
    behaviours = [ok]
    const client = open()
    for (const waitMs of [1_500.7, 600_000, -1, Number.NaN, undefined]) {
      await client.get('t-1', waitMs === undefined ? {} : { waitMs })
      await client.decide('t-1', 'commit', waitMs === undefined ? {} : { waitMs })
    }
    const queries = seen.map((one) => one.url.split('?')[1])
    expect(queries).toEqual(['wait=1500', 'wait=1500', 'wait=60000', 'wait=60000', ...Array(6).fill(undefined)])
  })

  it('with a trace that nobody can read leaves without it', async () => {
    behaviours = [ok]
    const unreadable = ['nonsense', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y']
    for (const traceparent of unreadable) await open().begin(begin, { traceparent })
    expect(seen.map(({ headers }) => headers['traceparent'])).toEqual([undefined, undefined])
  })

  const large = 'x'.repeat(bodyBytesMax)
  it.each<[string, (client: RemoteCoordination) => Promise<unknown>, ErrorCode]>([
    ['an id that is another path', (client) => client.get('../x'), 'LOCKSTEP_INVALID_REQUEST'],
    ['no body', (client) => client.begin(null as never), 'LOCKSTEP_INVALID_REQUEST'],
    ['what JSON changes in silence', (client) => client.begin({ ...begin, input: NaN }), 'LOCKSTEP_INVALID_REQUEST'],
    [
      'a date in a branch',
      (client) => client.register('t-1', { ...branch, input: new Date(0) as never }),
      'LOCKSTEP_INVALID_REQUEST',
    ],
    ['too large a body', (client) => client.begin({ ...begin, input: large }), 'LOCKSTEP_PAYLOAD_TOO_LARGE'],
  ])('with %s is refused before it leaves', async (_name, call, code) => {
    await expect(call(open())).rejects.toMatchObject({ code, outcome: 'not-applied' })
    expect(seen).toEqual([])
  })

  it('shares few connections with the others, and keeps them', async () => {
    behaviours = [ok]
    const client = open({ connectionsMax: 3 })
    const before = sockets
    await Promise.all(Array.from({ length: 40 }, () => client.get('t-1')))
    await Promise.all(Array.from({ length: 40 }, () => client.decide('t-1', 'commit')))
    expect(sockets - before).toBeLessThanOrEqual(3)
    expect(seen).toHaveLength(80)
  })
})

describe('an answer', () => {
  it('to a begin says whether this call began it', async () => {
    behaviours = [answers(202, transaction), answers(200, transaction, { ...json, 'idempotent-replayed': 'true' })]
    const client = open()
    expect(await client.begin(begin)).toEqual({ transaction, replayed: false })
    expect(await client.begin(begin)).toEqual({ transaction, replayed: true })
  })

  it('to a registration says whether this call made it', async () => {
    behaviours = [answers(201, transaction), answers(200, transaction)]
    const client = open()
    expect(await client.register('t-1', branch)).toEqual({ transaction, replayed: false })
    expect(await client.register('t-1', branch)).toEqual({ transaction, replayed: true })
  })

  it('to all others is the transaction, final or not, or the page', async () => {
    const page = { items: [{ id: 'a' }], next: 'c' }
    behaviours = [ok, answers(202, transaction), ok, answers(200, page)]
    const client = open()
    expect(await client.get('t-1')).toEqual(transaction)
    expect(await client.decide('t-1', 'commit')).toEqual(transaction)
    expect(await client.act('t-1', action)).toEqual(transaction)
    expect(await client.list()).toEqual(page)
  })

  it('that there is no such transaction is null to a get, and an error to a decision', async () => {
    behaviours = [problem(refusal('LOCKSTEP_NOT_FOUND'))]
    expect(await open().get('t-1')).toBeNull()
    expect(await failure('decide')).toMatchObject({ code: 'LOCKSTEP_NOT_FOUND', outcome: 'not-applied' })
  })

  const once = Object.entries(errorTable).filter(([, row]) => !row.retriable)
  it.each(once)('of the problem %s is the same error, and asked for once', async (code, row) => {
    const issues = [{ path: '/x', message: 'is wrong' }]
    const said = new LockstepError(code as ErrorCode, { message: 'said why', next: 'do this', issues })
    behaviours = [problem(said, { traceId: 'abc' })]
    const { outcome, retriable } = row
    const details = { id: 't-1', traceId: 'abc' }
    expect(await failure('decide')).toMatchObject({
      code,
      outcome,
      retriable,
      message: 'said why',
      next: 'do this',
      issues,
      details,
    })
    expect(seen).toHaveLength(1)
  })

  it('past retention carries the id and how it ended', async () => {
    behaviours = [problem(refusal('LOCKSTEP_EXPIRED'), { id: 't-1', endStatus: 'committed' })]
    for (const name of ['begin', 'get', 'decide', 'act'] as const) {
      expect(await failure(name)).toMatchObject({
        code: 'LOCKSTEP_EXPIRED',
        details: { id: 't-1', status: 'committed' },
      })
    }
  })
})

describe('what is no answer of a coordinator', () => {
  const valid = problemBody(refusal('LOCKSTEP_DECIDED'))
  const endless: Behaviour = (response) => {
    response.writeHead(200, json)
    const pump = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      if (!response.destroyed) response.once('drain', pump)
    }
    pump()
  }
  const strange: readonly (readonly [string, Behaviour])[] = [
    ['HTML with 200', answers(200, '<html>login</html>', { 'content-type': 'text/html' })],
    ['nothing with 200', answers(200, '', {})],
    ['nothing with 204', answers(204, '', {})],
    ['a redirect', answers(307, '', { location: `${url}/elsewhere` })],
    ['other JSON', answers(200, { hello: 'world' })],
    ['a list of JSON', answers(200, [transaction])],
    ['another transaction', answers(200, { ...transaction, id: 't-2' })],
    ['a transaction in a state that is none', answers(200, { ...transaction, status: 'done' })],
    ['a transaction without branches', answers(200, { ...transaction, branches: undefined })],
    ['JSON that is not declared', answers(200, transaction, {})],
    ['JSON that is encoded', answers(200, transaction, { ...json, 'content-encoding': 'gzip' })],
    ['broken JSON', answers(200, '{"id":"t-1"')],
    ['bytes that are no text', answers(200, Buffer.from([0x22, 0xff, 0x22]))],
    ['a transaction with 203', answers(203, transaction)],
    ['a transaction with 404', answers(404, transaction)],
    ['a problem with 200', answers(200, { ...valid, status: 200 })],
    ['a problem with an unknown code', answers(409, { ...valid, code: 'LOCKSTEP_TOMORROW' })],
    ['a problem with an inherited code', answers(409, { ...valid, code: 'constructor' })],
    ['a problem of another status', answers(404, valid)],
    ['a problem without an outcome', answers(409, { ...valid, outcome: 'perhaps' })],
    ['404 of another server', answers(404, 'Cannot GET', { 'content-type': 'text/plain' })],
    ['too long', endless],
    [
      'announced as too long',
      (response) => void response.writeHead(200, { ...json, 'content-length': '99999999' }).write('{'),
    ],
  ]

  it.each(strange)('%s is LOCKSTEP_UNREACHABLE and unknown, and not asked for again', async (_name, behaviour) => {
    for (const name of names) {
      seen = []
      behaviours = [behaviour]
      const error = await failure(name)
      const outcome = changing.includes(name) ? 'unknown' : 'not-applied'
      expect(error).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome })
      expect(error.message).toContain(new URL(url).origin)
      if (name !== 'list')
        expect([error.message, error.details]).toEqual([expect.stringContaining('t-1'), { id: 't-1' }])
      expect(seen).toHaveLength(1)
    }
  })

  it('in HTTP at all is unknown', async () => {
    const noise = createTcpServer((socket: Socket) => void socket.on('data', () => socket.end('SSH-2.0-OpenSSH\r\n')))
    const client = open({ url: await listening(noise), patience: 0 })
    expect(await failure('begin', client)).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown' })
    noise.close()
  })
})

describe('a coordinator that does not answer', () => {
  it('because it starts later is asked until it does, with the same words', async () => {
    const later = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        seen.push({ method: 'POST', url: '', headers: {}, body })
        answers(202, transaction)(response, { method: '', url: '', headers: {}, body: '' })
      })
    })
    const address = await nobody()
    const asked = open({ url: address, patience: '30s' }).begin(begin)
    await listening(later, Number(new URL(address).port))
    expect(await asked).toEqual({ transaction, replayed: false })
    expect(seen.map(({ body }) => JSON.parse(body))).toEqual([begin])
    later.closeAllConnections()
    later.close()
  })

  it('the first time is asked again, with the same words', async () => {
    for (const name of ['begin', 'register', 'decide', 'get'] as const) {
      seen = []
      behaviours = [reset, half, ok]
      await calls[name](open())
      expect(seen).toHaveLength(3)
      expect(new Set(seen.map(({ method, url: path, body }) => `${method} ${path} ${body}`)).size).toBe(1)
    }
  })

  it('a begin in time is asked again, and waits for less', async () => {
    behaviours = [(response) => void setTimeout(() => response.socket?.destroy(), 20), ok]
    const content = { ...begin, input: { b: 1, a: 2 } }
    await open().begin({ ...content, wait: '30s' })
    const [first, second] = seen.map(({ body }) => JSON.parse(body))
    expect(first).toEqual({ ...content, wait: '30s' })
    expect(second).toEqual({ ...content, wait: expect.any(Number) })
    expect(second.wait).toBeLessThan(30_000)
  })

  it('at all makes a failure that is unknown, within the time limits', async () => {
    behaviours = [silence]
    const client = open({ environment: hurried, patience: 0 })
    for (const name of changing) {
      const error = await failure(name, client)
      expect(error).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown', details: { id: 't-1' } })
      expect(error.message).toContain('no answer within 10000 ms')
    }
    await expect(client.get('t-1', { waitMs: 20_000 })).rejects.toThrow('no answer within 30000 ms')
    await expect.poll(() => openSockets).toBe(0)
  })

  it('but drips is left at the time limit', async () => {
    behaviours = [
      (response) => {
        response.writeHead(200, json)
        const timer = setInterval(() => response.write(' '), 5)
        response.on('close', () => clearInterval(timer))
      },
    ]
    const error = await failure('decide', open({ environment: hurried, patience: 0 }))
    expect(error.message).toContain('no answer within 10000 ms')
    await expect.poll(() => openSockets).toBe(0)
  })

  it('because nobody is there is not applied', async () => {
    const client = open({ url: await nobody(), patience: 50 })
    for (const name of names) {
      const error = await failure(name, client)
      expect(error).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'not-applied', retriable: true })
      expect(error.message).toContain('ECONNREFUSED')
    }
  })
})

describe('a client that is closed', () => {
  it('leaves what is in flight as unknown, and sends nothing more', async () => {
    behaviours = [silence]
    const client = open()
    const asked = failure('decide', client)
    await expect.poll(() => seen).toHaveLength(1)
    await client.close()
    expect(await asked).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'unknown' })
    expect(await failure('decide', client)).toMatchObject({ code: 'LOCKSTEP_UNREACHABLE', outcome: 'not-applied' })
    await client.close()
    expect(seen).toHaveLength(1)
    await expect.poll(() => openSockets).toBe(0)
  })
})

it('the key stands in no error', async () => {
  behaviours = [reset]
  const error = await failure('begin', open({ key: 'canary-2718', patience: 0 }))
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary')
})

it.each<Partial<RemoteCoordinationOptions>>([
  { url: 'ftp://x' },
  { patience: 'long' as never },
  { patience: -1 },
  { connectionsMax: 0 },
  { answerBytesMax: 0.5 },
])('options such as %j are refused when the client is made', (options) => {
  expect(() => open(options)).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
})
