import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, type InProcessServer, inProcessServer, newId } from './in-process-server.ts'
import { freePort, json, type PlainAnswer, type PlainParticipant, plainParticipant } from './plain-participant.ts'

let server: InProcessServer
let bank: PlainParticipant

beforeAll(async () => {
  bank = await plainParticipant()
  server = await inProcessServer()
})

afterAll(async () => {
  await server.stop()
  await bank.close()
})

interface Shown {
  readonly status: string
  readonly branches: readonly {
    readonly state: string
    readonly attempts: readonly { readonly outcome: string; readonly error: string | null }[]
  }[]
}

const state = async (id: string) => (await server.get(`/v1/transactions/${id}`)).body as unknown as Shown
const attemptsOf = ({ branches }: Shown) => branches[0]?.attempts ?? []

async function begun(action: string, more: object = {}): Promise<string> {
  const id = newId('part')
  await server.begin({ id, pattern: 'saga', steps: [{ name: 'a', action, compensate: `${bank.url}/undo`, ...more }] })
  return id
}

describe('an answer that is none is asked for again, never guessed', () => {
  const answers: readonly (readonly [what: string, answer: PlainAnswer])[] = [
    ['HTML with 200', { headers: { 'content-type': 'text/html' }, body: '<html>welcome</html>' }],
    ['a text with 200', { headers: { 'content-type': 'text/plain' }, body: 'ok' }],
    ['broken JSON with 200', { headers: { 'content-type': 'application/json' }, body: '{"receipt":' }],
    ['JSON that poisons prototypes', { headers: { 'content-type': 'application/json' }, body: '{"__proto__":{}}' }],
    ['206', { status: 206, body: '{}' }],
    ['a redirect', { status: 302, headers: { location: '/elsewhere' } }],
    ['400', { status: 400, body: '{}' }],
    ['404', { status: 404 }],
    ['500', { status: 500 }],
    [
      'a body over the limit',
      { headers: { 'content-type': 'application/json' }, body: JSON.stringify('x'.repeat(1_048_577)) },
    ],
  ]

  it.for(answers)('%s', async ([, answer]) => {
    const path = `/${newId('strange')}`
    bank.on(path, (_, count) => (count === 1 ? answer : json({ good: true })))
    const id = await begun(bank.url + path)
    const ended = await eventually(
      () => state(id),
      (seen) => seen.status === 'committed',
    )
    expect(attemptsOf(ended).map((one) => one.outcome)).toEqual(['unknown', 'done'])
    expect(attemptsOf(ended)[0]?.error).toEqual(expect.any(String))
    expect(bank.paths()).not.toContain('/elsewhere')
  })
})

describe('a refusal', () => {
  const nearlyCut = `${'x'.repeat(498)}😀`

  it.for([
    ['without a body', '', null],
    ['of a plain text', 'no money', 'no money'],
    ['with a NUL', JSON.stringify('a\u0000b'), 'a\u0000b'],
    ['that is cut inside a character', JSON.stringify(nearlyCut), nearlyCut],
  ] as const)('%s rolls back, and its words come back unchanged', async ([what, body, reason]) => {
    const path = `/${newId('refusal')}`
    const headers = { 'content-type': what === 'of a plain text' ? 'text/plain' : 'application/json' }
    bank.on(path, () => ({ status: 409, headers, body }))
    const id = await begun(bank.url + path)
    const ended = await eventually(
      () => state(id),
      (seen) => seen.status === 'rolled-back',
    )
    expect(ended).toMatchObject({ reason: { branch: 'a', body: reason } })
  })
})

describe('words that no store keeps', () => {
  const wellKept = (id: string, holds: (held: string) => boolean) =>
    eventually(
      async () =>
        (await server.get(`/v1/transactions/${id}`)).body['held']?.['detail'] as unknown as string | undefined,
      (detail) => detail !== undefined && holds(detail),
    )

  it('of a refused compensation are mended, and the transaction is held', async () => {
    const text = `${'x'.repeat(480)}${'😀'.repeat(20)}`
    for (const [at, path] of ['/cut-a', '/cut-b'].entries()) {
      // One of the two cuts falls inside a character, wherever the limit is.
      bank.on(path, () => json('y'.repeat(at) + text, 409))
      bank.on('/no', () => json('no', 409))
      const id = newId('cut')
      const steps = [
        { name: 'a', action: `${bank.url}/a`, compensate: bank.url + path },
        { name: 'b', action: `${bank.url}/no` },
      ]
      await server.begin({ id, pattern: 'saga', steps })
      await wellKept(id, (detail) => detail.includes('xxx') && detail.isWellFormed())
    }
  })

  it('in a reference that finds nothing are mended, and the transaction is held', async () => {
    const id = newId('nul')
    const input = { $output: 'a', path: '/x\u0000' }
    const steps = [
      { name: 'a', action: `${bank.url}/a` },
      { name: 'b', action: `${bank.url}/b`, input },
    ]
    await server.begin({ id, pattern: 'saga', steps })
    await wellKept(id, (detail) => detail.includes('/x'))
  })

  it('keep no transaction from going on, however often it was tried', async () => {
    const path = `/${newId('nul')}`
    const headers = { 'content-type': 'application/problem+json' }
    bank.on(path, (_, count) => (count <= 30 ? { status: 500, headers, body: '{"detail":"a\\u0000b"}' } : json({})))
    const id = await begun(bank.url + path)
    const retry = () => server.act(id, { action: 'retry', reason: 'once more' }).then(() => state(id))
    const ended = await eventually(retry, (seen) => seen.status === 'committed')
    expect(attemptsOf(ended)).toHaveLength(31)
  })
})

describe('202 and 425 ask for time', () => {
  it.for([202, 425])('%i for ever keeps the transaction unfinished and costs no failure', async (status) => {
    const path = `/${newId('later')}`
    bank.on(path, () => ({ status, headers: { 'retry-after': '1' } }))
    const id = await begun(bank.url + path, { retry: { limit: 1 } })
    const seen = await eventually(
      () => state(id),
      (one) => attemptsOf(one).length >= 2,
    )
    expect(attemptsOf(seen).map((one) => one.outcome)).toEqual(attemptsOf(seen).map(() => 'pending'))
    expect(seen).toMatchObject({ status: 'committing', held: null })
    bank.on(path, () => json({}))
    await eventually(
      () => state(id),
      (one) => one.status === 'committed',
    )
  })

  it('Retry-After is a lower bound', async () => {
    const path = `/${newId('later')}`
    bank.on(path, (_, count) => (count === 1 ? { status: 425, headers: { 'retry-after': '2' } } : json({})))
    const started = Date.now()
    const id = await begun(bank.url + path)
    await eventually(
      () => state(id),
      (one) => one.status === 'committed',
    )
    expect(Date.now() - started).toBeGreaterThanOrEqual(1_900)
  })
})

describe('an endpoint that is away', () => {
  it('costs no attempt of the retry limit, and is called once it is back', async () => {
    const port = await freePort()
    const id = await begun(`http://127.0.0.1:${port}/a`, { retry: { limit: 1 } })
    await eventually(
      () => state(id),
      (seen) => attemptsOf(seen).length >= 2,
    )
    expect(await state(id)).toMatchObject({ status: 'committing', held: null })
    const late = await plainParticipant(port)
    await eventually(
      () => state(id),
      (seen) => seen.status === 'committed',
    )
    expect(late.paths()).toEqual(['/a'])
    await late.close()
  })

  it('that hangs is given up after the timeout of the step and asked again', async () => {
    const path = `/${newId('hangs')}`
    bank.on(path, (_, count) => (count === 1 ? new Promise<PlainAnswer>(() => {}) : json({})))
    const id = await begun(bank.url + path, { timeout: 300 })
    const ended = await eventually(
      () => state(id),
      (seen) => seen.status === 'committed',
    )
    expect(attemptsOf(ended)[0]).toMatchObject({ outcome: 'unknown', error: expect.stringContaining('timeout') })
  })
})

describe('outputs', () => {
  it('are handed on where an input refers to them, at any depth', async () => {
    bank.on('/debit', () => json({ receipt: { id: 'r1', parts: [1, 2] }, 'a/b': 'slash' }))
    const input = {
      at: { $output: 'debit', path: '/receipt/parts/1' },
      list: [{ $output: 'debit', path: '/a~1b' }],
      all: { $output: 'debit', path: '' },
      plain: { $output: 'debit' },
    }
    const { body } = await server.begin({
      id: newId(),
      pattern: 'saga',
      wait: 5000,
      steps: [
        { name: 'debit', action: `${bank.url}/debit` },
        { name: 'credit', action: `${bank.url}/credit`, input },
      ],
    })
    expect(body['status']).toBe('committed')
    const call = bank.calls.find((one) => one.path === '/credit')
    expect(call?.body).toEqual({
      at: 2,
      list: ['slash'],
      all: { receipt: { id: 'r1', parts: [1, 2] }, 'a/b': 'slash' },
      plain: { $output: 'debit' },
    })
  })

  it('of an empty answer is null', async () => {
    bank.on('/empty', () => ({ status: 204 }))
    const { body } = await server.begin({
      id: newId(),
      pattern: 'saga',
      wait: 5000,
      steps: [{ name: 'a', action: `${bank.url}/empty` }],
    })
    expect(body).toMatchObject({ status: 'committed', output: { a: null } })
  })
})

describe('the order of steps', () => {
  it('is the order given, and compensation runs the other way round', async () => {
    bank.on('/z', () => json('no', 409))
    const steps = ['x', 'y', 'z'].map((name) => ({
      name,
      action: `${bank.url}/${name}`,
      compensate: `${bank.url}/un${name}`,
    }))
    const { body } = await server.begin({ id: newId(), pattern: 'saga', wait: 5000, input: { n: 1 }, steps })
    expect(body).toMatchObject({ status: 'rolled-back', reason: { branch: 'z', body: 'no' } })
    expect(bank.paths().slice(-5)).toEqual(['/x', '/y', '/z', '/uny', '/unx'])
    expect(bank.calls.at(-1)?.body).toEqual({ n: 1 })
  })

  it('a deadline that passes rolls back', async () => {
    bank.on('/slow', () => ({ status: 425, headers: { 'retry-after': '1' } }))
    const id = newId()
    await server.begin({
      id,
      pattern: 'saga',
      deadline: 600,
      steps: [{ name: 'a', action: `${bank.url}/slow`, compensate: `${bank.url}/undo` }],
    })
    const { body } = await server.get(`/v1/transactions/${id}?wait=10000`)
    expect(body).toMatchObject({ status: 'rolled-back', reason: { branch: null, body: { code: 'deadline' } } })
  })

  it('concurrent steps do not wait for each other', async () => {
    const arrived = Promise.withResolvers<PlainAnswer>()
    bank.on('/one', () => arrived.promise)
    bank.on('/two', () => {
      arrived.resolve(json({}))
      return json({})
    })
    const steps = ['one', 'two'].map((name) => ({ name, action: `${bank.url}/${name}` }))
    const { body } = await server.begin({ id: newId(), pattern: 'saga', concurrent: true, wait: 5000, steps })
    expect(body['status']).toBe('committed')
  })
})
