import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type InProcessServer, inProcessServer, newId } from './in-process-server.ts'
import { json, type PlainParticipant, plainParticipant } from './plain-participant.ts'
import { send, sendBytes } from './raw-request.ts'

let server: InProcessServer
let bank: PlainParticipant
const path = '/v1/transactions'
const jsonType = { 'content-type': 'application/json' }
const mebibyte = 1_048_576

beforeAll(async () => {
  bank = await plainParticipant()
  server = await inProcessServer()
})

afterAll(async () => {
  await server.stop()
  await bank.close()
})

const saga = (more: object = {}) => ({
  id: newId('body'),
  pattern: 'saga',
  steps: [{ name: 'a', action: `${bank.url}/a` }],
  ...more,
})
const post = (body: string | Buffer, headers: Record<string, string> = jsonType) =>
  send(server.url, path, { method: 'POST', headers, body })
const ofSize = (bytes: number) => {
  const empty = JSON.stringify(saga({ input: '' })).length
  return JSON.stringify(saga({ input: 'x'.repeat(bytes - empty) }))
}

describe('a body', () => {
  it.for([
    ['', 'nothing'],
    ['{', 'half an object'],
    ['{"id":"x",}', 'a comma too many'],
    ["{'id':'x'}", 'single quotes'],
    ['NaN', 'no JSON value'],
    ['{"a":1} {"b":2}', 'two values'],
    ['[1,2]', 'an array'],
    ['"text"', 'a text'],
    ['null', 'null'],
  ])('%s is refused: %s', async ([body = '']) => {
    const refused = await post(body)
    expect(refused.status).toBe(400)
    expect(refused.headers['content-type']).toBe('application/problem+json')
    expect(refused.body).toMatchObject({ code: 'LOCKSTEP_INVALID_REQUEST', errors: [{ path: '' }] })
  })

  it('that is not JSON is not quoted in the answer', async () => {
    const refused = await post('{"password":"canary-3141"')
    expect(refused.text).not.toContain('canary')
  })

  it('up to 1 MiB is taken, and comes to the participant whole', async () => {
    const body = ofSize(mebibyte)
    const begun = await post(body.replace('"pattern"', '"pattern"'))
    expect(begun.status).toBe(202)
    const ended = await server.get(`${begun.headers['location']}?wait=10000`)
    expect(ended.body['status']).toBe('committed')
    expect(bank.calls.at(-1)?.text.length).toBe(JSON.parse(body).input.length + 2)
  })

  it('one byte longer is refused with 413', async () => {
    const refused = await post(ofSize(mebibyte + 1))
    expect(refused.status).toBe(413)
    expect(refused.body).toMatchObject({ code: 'LOCKSTEP_PAYLOAD_TOO_LARGE', outcome: 'not-applied' })
  })

  it('much longer is refused as well when nobody says how long it is', async () => {
    const chunks = Array.from({ length: 40 }, () => Buffer.alloc(65_536, 0x20))
    const refused = await send(server.url, path, { method: 'POST', headers: jsonType, chunks })
    expect(refused.status).toBe(413)
    expect(refused.headers['content-type']).toBe('application/problem+json')
  })

  it('that only promises to be too long is refused before it arrives', async () => {
    const answer = await sendBytes(
      server.url,
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n{`,
    )
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
  })

  it.for([
    [{}, 'no content-type'],
    [{ 'content-type': 'text/plain' }, 'text'],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 'a form'],
    [{ 'content-type': 'application/json; charset=latin1' }, 'another charset'],
    [{ ...jsonType, 'content-encoding': 'gzip' }, 'compressed'],
    [{ ...jsonType, 'content-encoding': 'br' }, 'compressed otherwise'],
  ] as const)('with the headers %s is refused with 415: %s', async ([headers]) => {
    const refused = await post(JSON.stringify(saga()), headers)
    expect(refused.status).toBe(415)
    expect(refused.body['code']).toBe('LOCKSTEP_UNSUPPORTED_MEDIA_TYPE')
  })

  it.for(['application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'Application/JSON'])(
    'of the type %s is read',
    async (type) => {
      expect((await post(JSON.stringify(saga()), { 'content-type': type })).status).toBe(202)
    },
  )

  it('of broken UTF-8 is refused, not mended', async () => {
    const [before, after] = JSON.stringify(saga({ input: '#' })).split('#') as [string, string]
    const refused = await post(Buffer.concat([Buffer.from(before), Buffer.from([0xc3, 0x28]), Buffer.from(after)]))
    expect(refused.status).toBe(400)
  })

  it('with half of a surrogate pair is refused', async () => {
    expect((await post(JSON.stringify(saga({ input: '#' })).replace('#', '\\ud800'))).status).toBe(400)
  })

  it('nested 32 deep is taken, deeper is refused', async () => {
    // The body itself is the first level.
    const nested = (depth: number) =>
      JSON.stringify(saga({ input: '#' })).replace('"#"', '['.repeat(depth) + ']'.repeat(depth))
    expect((await post(nested(31))).status).toBe(202)
    expect((await post(nested(32))).status).toBe(400)
    expect((await post(nested(100_000))).status).toBe(400)
  })

  it('with 2,000 keys in an object is taken, with more it is refused', async () => {
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]))
    expect((await server.begin(saga({ input: keys(2_000) }))).status).toBe(202)
    expect((await server.begin(saga({ input: keys(2_001) }))).status).toBe(400)
  })

  it.for(['{"__proto__":{"admin":true}}', '{"a":{"__proto__":1}}', '{"constructor":{"prototype":{"admin":true}}}'])(
    'that would poison prototypes is refused: %s',
    async (input) => {
      const refused = await post(JSON.stringify(saga({ input: '#' })).replace('"#"', input))
      expect(refused.status).toBe(400)
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
    },
  )

  it.for(['9007199254740993', '12345678901234567890', '0.1234567890123456789', '1e400', '1e-400'])(
    'with a number that does not survive is refused: %s',
    async (number) => {
      expect((await post(JSON.stringify(saga({ input: '#' })).replace('"#"', number))).status).toBe(400)
    },
  )

  it('keeps every other text and number as it is, on the way to a participant and back', async () => {
    const input = {
      nul: 'a\u0000b',
      emoji: '😀',
      escape: '\u001b[31m',
      line: '\u2028',
      quote: '"\\/',
      big: 9007199254740991,
      small: 5e-324,
      '': [],
    }
    bank.on('/echo', (call) => json(call.body))
    const id = newId('echo')
    const body = { id, pattern: 'saga', wait: 5000, input, steps: [{ name: 'echo', action: `${bank.url}/echo` }] }
    const ended = await server.begin(body)
    expect(ended.body['output']).toEqual({ echo: input })
    expect((await server.get(`/v1/transactions/${id}`)).body['output']).toEqual({ echo: input })
    expect(bank.calls.at(-1)?.body).toEqual(input)
  })
})

describe('a sender that is no client of ours', () => {
  it.for([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['an absurd header', `GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`, 431],
    [
      'two lengths',
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}`,
      400,
    ],
    ['a Host that is none', 'GET /v1/transactions HTTP/1.1\r\nhost: a b\r\n\r\n', 400],
    ['no Host', 'GET /v1/transactions HTTP/1.1\r\n\r\n', 400],
    ['a path that is none', 'GET http://[ HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    [
      'a path that climbs',
      'GET /v1/transactions/../../etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      404,
    ],
    ['an unknown method', 'BREW /v1/transactions HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
  ] as const)('%s is answered with a problem', async ([, bytes, status]) => {
    const answer = await sendBytes(server.url, bytes, 1_500)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect((await server.get('/livez')).text).toBe('ok')
  })

  it('HTTP/1.0 without a Host is served', async () => {
    expect(await sendBytes(server.url, 'GET /readyz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 .*ready$/s)
  })

  it('that leaves in the middle of its body disturbs nobody', async () => {
    const half = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"id":`
    await Promise.all(Array.from({ length: 20 }, () => sendBytes(server.url, half, 50)))
    expect((await server.begin(saga())).status).toBe(202)
  })

  it.for(['http://evil.example', 'null', 'http://localhost:1'])('a page of %s is refused', async (origin) => {
    const refused = await server.post('/v1/transactions/x/rollback', undefined, { origin })
    expect(refused.status).toBe(403)
    expect(refused.body['code']).toBe('LOCKSTEP_FORBIDDEN')
    expect((await server.get('/v1/transactions/x')).status).toBe(404)
  })

  it('a name that only pretends to be this machine is refused', async () => {
    expect((await send(server.url, path, { headers: { host: 'evil.example' } })).status).toBe(403)
    expect((await send(server.url, path, { headers: { host: 'localhost' } })).status).toBe(200)
  })
})
