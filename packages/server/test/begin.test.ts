import { describe, expect, it } from 'vitest'
import { newId } from './in-process-server.ts'
import { json, type PlainAnswer } from './plain-participant.ts'
import { serverAndBank } from './server-and-bank.ts'

const { server, bank, step, saga } = await serverAndBank()

describe('a begin', () => {
  it('is answered 202 with a Location while it is not final, and the Location leads to it', async () => {
    const answer = Promise.withResolvers<PlainAnswer>()
    bank.on('/slow', () => answer.promise)
    const begun = await server.begin(saga({ id: 'order-42', steps: [step('slow')] }))
    expect(begun.status).toBe(202)
    expect(begun.headers['location']).toBe('/v1/transactions/order-42')
    expect(begun.headers['idempotent-replayed']).toBeUndefined()
    answer.resolve(json({}))
    const ended = await server.get(`${begun.headers['location']}?wait=5000`)
    expect(ended.status).toBe(200)
    expect(ended.body['status']).toBe('committed')
  })

  it('with wait is answered 200 at the end, in exactly the documented shape', async () => {
    bank.on('/receipt', () => json({ receipt: 'r1' }))
    const id = newId()
    const labels = { order: '42' }
    const { status, body } = await server.begin({ id, pattern: 'saga', wait: 5000, labels, steps: [step('receipt')] })
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(status).toBe(200)
    expect(body).toEqual({
      id,
      store: expect.stringMatching(/^[0-9a-f]{8}$/),
      pattern: 'saga',
      status: 'committed',
      held: null,
      reason: null,
      output: { receipt: { receipt: 'r1' } },
      incomplete: false,
      labels,
      deadlineAt: null,
      createdAt: time,
      updatedAt: time,
      endedAt: time,
      version: expect.any(Number),
      branches: [
        {
          name: 'receipt',
          state: 'done',
          output: { receipt: 'r1' },
          attempts: [
            {
              operation: 'action',
              number: 1,
              startedAt: time,
              durationMs: expect.any(Number),
              outcome: 'done',
              error: null,
            },
          ],
        },
      ],
    })
  })

  it('rolled back is answered 200 too: a business no is no HTTP error', async () => {
    bank.on('/poor', () => json({ code: 'insufficient-funds' }, 409))
    const { status, body } = await server.begin(saga({ wait: 5000, steps: [step('first'), step('poor')] }))
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'rolled-back',
      reason: { branch: 'poor', body: { code: 'insufficient-funds' } },
      output: null,
      branches: [
        { name: 'first', state: 'reversed' },
        { name: 'poor', state: 'refused' },
      ],
    })
  })

  it('calls a participant with the documented headers and the input as its body', async () => {
    const id = newId()
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const body = { id, pattern: 'saga', wait: 5000, input: { amount: 5 }, steps: [step('headers')] }
    const begun = await server.post('/v1/transactions', body, { traceparent })
    const call = bank.calls.find((one) => one.path === '/headers')
    expect(call?.body).toEqual({ amount: 5 })
    expect(call?.headers).toMatchObject({
      'content-type': 'application/json',
      'lockstep-store': begun.body['store'],
      'lockstep-transaction': id,
      'lockstep-branch': 'headers',
      'lockstep-operation': 'action',
      'lockstep-attempt': '1',
      'lockstep-begun': String(Date.parse(String(begun.body['createdAt']))),
      traceparent,
    })
  })

  it('with a traceparent that nobody can read begins all the same', async () => {
    const begun = await server.post('/v1/transactions', saga(), { traceparent: 'nonsense' })
    expect(begun.status).toBe(202)
  })
})

describe('the id of a begin', () => {
  it('may come as Idempotency-Key', async () => {
    const { id, ...body } = saga()
    const begun = await server.post('/v1/transactions', body, { 'idempotency-key': id })
    expect(begun.status).toBe(202)
    expect(begun.body['id']).toBe(id)
    const same = await server.begin({ id, ...body })
    expect(same.headers['idempotent-replayed']).toBe('true')
  })

  it('may stand in both places when they agree', async () => {
    const body = saga()
    expect((await server.post('/v1/transactions', body, { 'idempotency-key': body.id })).status).toBe(202)
  })

  it('is refused when the two disagree, and nothing is begun', async () => {
    const body = saga()
    const other = newId()
    const refused = await server.post('/v1/transactions', body, { 'idempotency-key': other })
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({
      code: 'LOCKSTEP_INVALID_REQUEST',
      outcome: 'not-applied',
      errors: [{ path: '/id' }],
    })
    expect((await server.get(`/v1/transactions/${body.id}`)).status).toBe(404)
    expect((await server.get(`/v1/transactions/${other}`)).status).toBe(404)
  })

  it('must be there', async () => {
    const { id: _, ...body } = saga()
    const refused = await server.begin(body)
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({ errors: [{ path: '/id' }] })
  })

  const good = ['a', 'x'.repeat(128), 'A-z_0.9:~', '...', '-'].map((id) => [id] as const)
  it.for(good)('%s is accepted and kept as it is', async ([id]) => {
    const begun = await server.begin(saga({ id }))
    expect(begun.status).toBe(202)
    expect(begun.body['id']).toBe(id)
    expect((await server.get(`/v1/transactions/${id}`)).body['id']).toBe(id)
  })

  const bad = [
    '',
    '.',
    '..',
    '../x',
    'x'.repeat(129),
    'with space',
    'tab\t',
    'line\n',
    'nul\0',
    'ü',
    "'; DROP TABLE x;--",
    'a/b',
    '%41',
    '{}',
  ]
  it.for([...bad, 7, null, {}, ['a'], true].map((id) => [JSON.stringify(id), id] as const))(
    '%s is refused',
    async ([, id]) => {
      const refused = await server.begin(saga({ id }))
      expect(refused.status).toBe(400)
      expect(refused.headers['content-type']).toBe('application/problem+json')
      expect(refused.body['code']).toBe('LOCKSTEP_INVALID_REQUEST')
    },
  )

  it.for(['x'.repeat(129), 'with%20space', "'%3B%20DROP%20TABLE%20x%3B--", '%00', '%2e%2e%2fx', '%zz'])(
    'is refused in a path as well: %s',
    async (id) => {
      const answers = [
        await server.get(`/v1/transactions/${id}`),
        await server.post(`/v1/transactions/${id}/rollback`),
        await server.act(id, { action: 'retry', reason: 'x' }),
      ]
      expect(answers.map((answer) => answer.status)).toEqual([400, 400, 400])
    },
  )
})

describe('what is wrong in a begin is said with its place', () => {
  const cases: readonly (readonly [what: string, change: () => object, path: string])[] = [
    ['an unknown pattern', () => ({ pattern: 'sage' }), '/pattern'],
    ['a missing pattern', () => ({ pattern: undefined }), '/pattern'],
    ['an unknown key', () => ({ colour: 'red' }), '/colour'],
    ['no steps', () => ({ steps: [] }), '/steps'],
    ['missing steps', () => ({ steps: undefined }), '/steps'],
    ['steps that are no array', () => ({ steps: {} }), '/steps'],
    ['a step that is no object', () => ({ steps: ['debit'] }), '/steps/0'],
    ['a missing step name', () => ({ steps: [{ action: bank.url }] }), '/steps/0/name'],
    ['a repeated step name', () => ({ steps: [step(), step()] }), '/steps/1/name'],
    ['a step name with an underscore in front', () => ({ steps: [step('_local')] }), '/steps/0/name'],
    ['a step name that is too long', () => ({ steps: [step('x'.repeat(65))] }), '/steps/0/name'],
    ['an unknown key in a step', () => ({ steps: [step('debit', { url: 'x' })] }), '/steps/0/url'],
    ['a step without a target', () => ({ steps: [{ name: 'a' }] }), '/steps/0'],
    ['a step with two targets', () => ({ steps: [step('a', { participant: 'b.c' })] }), '/steps/0'],
    ['a target that is no URL', () => ({ steps: [step('a', { action: 'ftp://x/y' })] }), '/steps/0/action'],
    ['a URL with credentials', () => ({ steps: [step('a', { action: 'http://u:p@127.0.0.1/' })] }), '/steps/0/action'],
    ['an order that names no step', () => ({ steps: [step('a', { after: ['b'] })] }), '/steps/0/after/0'],
    ['a circle', () => ({ steps: [step('a', { after: ['b'] }), step('b', { after: ['a'] })] }), '/steps/0/after'],
    [
      'a reference to a later step',
      () => ({ steps: [step('a', { input: { $output: 'b', path: '' } }), step('b')] }),
      '/steps/0/input',
    ],
    [
      'a reference that is no pointer',
      () => ({ steps: [step('a'), step('b', { input: { $output: 'a', path: 'x' } })] }),
      '/steps/1/input',
    ],
    ['a deadline of 0', () => ({ deadline: 0 }), '/deadline'],
    ['a negative deadline', () => ({ deadline: -1 }), '/deadline'],
    ['a deadline over 3 days', () => ({ deadline: '73h' }), '/deadline'],
    ['an absurd deadline', () => ({ deadline: 1e15 }), '/deadline'],
    ['a duration without a unit', () => ({ deadline: '10' }), '/deadline'],
    ['a duration in fractions of a millisecond', () => ({ deadline: 1.5 }), '/deadline'],
    ['a timeout of 0', () => ({ steps: [step('a', { timeout: 0 })] }), '/steps/0/timeout'],
    ['a timeout of a year', () => ({ steps: [step('a', { timeout: '365d' })] }), '/steps/0/timeout'],
    ['a retry limit of 0', () => ({ steps: [step('a', { retry: { limit: 0 } })] }), '/steps/0/retry/limit'],
    ['an unknown key in retry', () => ({ steps: [step('a', { retry: { times: 3 } })] }), '/steps/0/retry/times'],
    ['a wait over a minute', () => ({ wait: 60_001 }), '/wait'],
    ['a negative wait', () => ({ wait: -1 }), '/wait'],
    ['a label that is no text', () => ({ labels: { order: 42 } }), '/labels/order'],
    ['a label key with a space', () => ({ labels: { 'or der': 'x' } }), '/labels'],
  ]

  it.for(cases)('%s', async ([, change, path]) => {
    const body = saga(change())
    const refused = await server.begin(body)
    expect(refused.status).toBe(400)
    expect(refused.headers['content-type']).toBe('application/problem+json')
    expect(refused.body).toEqual({
      type: 'urn:lockstep:error:LOCKSTEP_INVALID_REQUEST',
      title: expect.any(String),
      status: 400,
      detail: expect.any(String),
      code: 'LOCKSTEP_INVALID_REQUEST',
      outcome: 'not-applied',
      retriable: false,
      next: expect.any(String),
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      errors: expect.arrayContaining([{ path, message: expect.any(String) }]),
    })
    expect((await server.get(`/v1/transactions/${body.id}`)).status).toBe(404)
  })

  it('everything at once, so that a person mends it in one go', async () => {
    const { body } = await server.begin({ id: '/', pattern: 'saga', wait: 'long', colour: 1, steps: [{}] })
    const paths = (body['errors'] as unknown as { path: string }[]).map((one) => one.path)
    expect(paths).toEqual(expect.arrayContaining(['/id', '/wait', '/colour', '/steps/0/name']))
  })

  it('with the trace id of the caller', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const refused = await server.post('/v1/transactions', {}, { traceparent })
    expect(refused.body['traceId']).toBe('0af7651916cd43dd8448eb211c80319c')
  })
})
