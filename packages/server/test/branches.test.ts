/** A TCC over plain HTTP, up to its decision: protocol.md sections 2 and 3. */
import { describe, expect, it } from 'vitest'
import { newId } from './in-process-server.ts'
import { initiator } from './initiator.ts'

const { server, bank, saga, get, register, commit, rollback, callsOf, operationsOf } = await initiator()

/** A branch that is confirmed at `/<name>` and cancelled at `/un<name>`. */
const branch = (name: string, more: object = {}) => ({
  name,
  confirm: `${bank.url}/${name}`,
  cancel: `${bank.url}/un${name}`,
  input: { of: name },
  ...more,
})

async function begun(more: object = {}, branches: readonly object[] = []): Promise<string> {
  const id = newId('tcc')
  expect((await server.begin({ id, pattern: 'tcc', ...more })).status).toBe(202)
  for (const each of branches) expect((await register(id, each)).status).toBe(201)
  return id
}

describe('a TCC that is begun', () => {
  it('is prepared, without branches, and rolls back in a minute unless it says otherwise', async () => {
    const { status, headers, body } = await server.begin({ id: 'tcc-first', pattern: 'tcc' })
    expect(status).toBe(202)
    expect(headers['location']).toBe('/v1/transactions/tcc-first')
    expect(body).toMatchObject({
      id: 'tcc-first',
      pattern: 'tcc',
      status: 'prepared',
      held: null,
      branches: [],
      endedAt: null,
    })
    expect(Date.parse(String(body['deadlineAt'])) - Date.parse(String(body['createdAt']))).toBe(60_000)
    const again = await server.begin({ id: 'tcc-first', pattern: 'tcc' })
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([202, 'true'])
    expect((await server.begin({ id: 'tcc-first', pattern: 'tcc', deadline: 1_000 })).body['code']).toBe(
      'LOCKSTEP_ID_REUSED',
    )
  })

  it('takes a deadline in milliseconds or with its unit, up to three days', async () => {
    for (const [deadline, ms] of [
      [30_000, 30_000],
      ['10m', 600_000],
      ['3d', 259_200_000],
    ] as const) {
      const { body } = await get(await begun({ deadline }))
      expect(Date.parse(String(body['deadlineAt'])) - Date.parse(String(body['createdAt']))).toBe(ms)
    }
  })

  it.for([0, -1, 1.5, '0s', 259_200_001, '4d', 'soon', null, true])(
    'with the deadline %j is refused',
    async (deadline) => {
      const id = newId('tcc')
      const { status, body } = await server.begin({ id, pattern: 'tcc', deadline })
      expect(status).toBe(400)
      expect(body).toMatchObject({ code: 'LOCKSTEP_INVALID_REQUEST', errors: [{ path: '/deadline' }] })
      expect((await get(id)).status).toBe(404)
    },
  )

  it.for(['steps', 'deliveries', 'branches', 'checkBack'])(
    'with the key %s of another pattern is refused',
    async (key) => {
      const { status, body } = await server.begin({ id: newId('tcc'), pattern: 'tcc', [key]: [] })
      expect([status, body['errors']?.['0']?.['path']]).toEqual([400, `/${key}`])
    },
  )
})

describe('a registration', () => {
  it('is answered 201 with the transaction, and its branch waits', async () => {
    const id = await begun()
    const { status, body } = await register(id, branch('seat'))
    expect(status).toBe(201)
    expect(body).toMatchObject({
      id,
      status: 'prepared',
      branches: [{ name: 'seat', state: 'waiting', output: null, attempts: [] }],
    })
    expect((await get(id)).body).toEqual(body)
    expect(callsOf(id)).toEqual([])
  })

  it('repeated is answered 200, and there is still one branch', async () => {
    const id = await begun()
    await register(id, branch('seat'))
    const { cancel, name, input, confirm } = branch('seat')
    const again = await register(id, { input, cancel, confirm, name })
    expect(again.status).toBe(200)
    expect(again.body['branches']).toHaveLength(1)
  })

  it.for([
    ['input', { input: { of: 'another' } }],
    ['confirm', { confirm: 'http://127.0.0.1:1/x' }],
    ['cancel', { cancel: 'http://127.0.0.1:1/x' }],
  ] as const)('repeated with another %s is 422, and changes nothing', async ([, more]) => {
    const id = await begun({}, [branch('seat')])
    const before = (await get(id)).body
    const other = await register(id, branch('seat', more))
    expect(other.status).toBe(422)
    expect(other.body).toMatchObject({ code: 'LOCKSTEP_ID_REUSED', outcome: 'not-applied' })
    expect((await get(id)).body).toEqual(before)
  })

  it('of many at once loses none of them', async () => {
    const id = await begun()
    const names = Array.from({ length: 20 }, (_, at) => `b${at}`)
    const answers = await Promise.all([...names, ...names].map((name) => register(id, branch(name))))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(20).fill(200), ...Array(20).fill(201)])
    const { body } = await commit(id, 10_000)
    expect(body['status']).toBe('committed')
    expect(operationsOf(id)).toEqual(names.map((name) => `${name} confirm`).sort())
  })

  it('of a transaction that was never begun is 404, and leaves nothing behind', async () => {
    const id = newId('tcc')
    const { status, body } = await register(id, branch('seat'))
    expect([status, body['code']]).toEqual([404, 'LOCKSTEP_NOT_FOUND'])
    expect((await get(id)).status).toBe(404)
  })

  it('after the decision is 409 LOCKSTEP_DECIDED, and is not called', async () => {
    const ended = [await begun(), await begun(), newId('tombstone')]
    await commit(ended[0] ?? '', 5_000)
    await rollback(ended[1] ?? '', 5_000)
    await rollback(ended[2] ?? '')
    for (const id of ended) {
      const late = await register(id, branch('late'))
      expect(late.status).toBe(409)
      expect(late.body).toMatchObject({ code: 'LOCKSTEP_DECIDED', outcome: 'not-applied' })
      expect((await get(id)).body['branches']).toEqual([])
      expect(callsOf(id)).toEqual([])
    }
  })

  it('that was answered before the decision is answered alike after it', async () => {
    const id = await begun({}, [branch('seat')])
    await commit(id, 5_000)
    expect((await register(id, branch('seat'))).status).toBe(200)
  })

  it.for([saga, () => ({ id: newId('m'), pattern: 'message', deliveries: [{ to: `${bank.url}/x` }] })])(
    'is not possible where branches are fixed at begin',
    async (make) => {
      const body = make() as { id: string }
      await server.begin(body)
      const { status, body: problem } = await register(body.id, branch('late'))
      expect([status, problem['code']]).toEqual([409, 'LOCKSTEP_ACTION_NOT_ALLOWED'])
    },
  )

  const url = 'http://127.0.0.1:1/x'
  const bad: readonly (readonly [string, unknown, string | null])[] = [
    ['no body', undefined, null],
    ['an array', [], ''],
    ['a text', '"x"', ''],
    ['null', 'null', ''],
    ['broken JSON', '{', null],
    ['no name', { confirm: url, cancel: url }, '/name'],
    ['an empty name', { name: '', confirm: url, cancel: url }, '/name'],
    ['a name of 65 characters', { name: 'x'.repeat(65), confirm: url, cancel: url }, '/name'],
    ['the reserved branch', { name: '_local', confirm: url, cancel: url }, '/name'],
    ['a name that is none', { name: 'a/b', confirm: url, cancel: url }, '/name'],
    ['no confirm', { name: 'a', cancel: url }, '/confirm'],
    ['no cancel', { name: 'a', confirm: url }, '/cancel'],
    ['neither participant nor confirm', { name: 'a' }, '/confirm'],
    ['a participant and a confirm', { name: 'a', participant: 'seats.hold', confirm: url }, '/participant'],
    ['a participant and a cancel', { name: 'a', participant: 'seats.hold', cancel: url }, '/participant'],
    ['a participant that is a URL', { name: 'a', participant: url }, '/participant'],
    ['a confirm with credentials', { name: 'a', confirm: 'http://u:p@127.0.0.1/', cancel: url }, '/confirm'],
    ['a cancel that is no target', { name: 'a', confirm: url, cancel: 'ftp://x' }, '/cancel'],
    ['an unknown key', { name: 'a', confirm: url, cancel: url, wait: 5 }, '/wait'],
    ['the action of a saga', { name: 'a', action: url, compensate: url }, '/action'],
  ]

  it.for(bad)('with %s is refused, and nothing is registered', async ([, given, place]) => {
    const id = await begun()
    const { status, body } = await register(id, given)
    expect(status).toBe(400)
    expect(body['code']).toBe('LOCKSTEP_INVALID_REQUEST')
    const paths = (body['errors'] as unknown as { path: string }[]).map((issue) => issue.path)
    if (place !== null) expect(paths).toContain(place)
    expect((await get(id)).body['branches']).toEqual([])
  })

  it('takes no query, and only JSON', async () => {
    const id = await begun()
    expect((await server.post(`/v1/transactions/${id}/branches?wait=1`, branch('a'))).status).toBe(400)
    const text = JSON.stringify(branch('a'))
    expect((await server.post(`/v1/transactions/${id}/branches`, text, { 'content-type': 'text/plain' })).status).toBe(
      415,
    )
    expect((await register('..%2fx', branch('a'))).status).toBe(400)
  })
})
