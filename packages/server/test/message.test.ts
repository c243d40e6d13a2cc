/** A reliable message over plain HTTP that its initiator decides: protocol.md sections 2, 3 and 5. */
import { describe, expect, it } from 'vitest'
import { eventually, newId } from './in-process-server.ts'
import { initiator } from './initiator.ts'
import { json, type ReceivedCall } from './plain-participant.ts'

const { server, bank, get, commit, rollback, callsOf } = await initiator()

const to = (name: string) => `${bank.url}/${name}`
const message = (more: object = {}) => ({
  id: newId('msg'),
  pattern: 'message',
  input: { order: 7 },
  deliveries: [{ to: to('points'), payload: { points: 1 } }],
  ...more,
})

async function begun(more: object = {}): Promise<string> {
  const body = message(more)
  expect((await server.begin(body)).status).toBe(202)
  return body.id
}

describe('a message that is begun', () => {
  it('is prepared, has no deadline, and its deliveries are named by position', async () => {
    const deliveries = [{ to: to('points') }, { to: to('mail'), name: 'mail' }, { to: to('points') }]
    const { status, headers, body } = await server.begin(message({ id: 'msg-first', deliveries }))
    expect(status).toBe(202)
    expect(headers['location']).toBe('/v1/transactions/msg-first')
    expect(body).toMatchObject({ pattern: 'message', status: 'prepared', held: null, deadlineAt: null, endedAt: null })
    expect(body['branches']).toEqual(
      ['1', 'mail', '3'].map((name) => ({ name, state: 'waiting', output: null, attempts: [] })),
    )
    const again = await server.begin(message({ id: 'msg-first', deliveries }))
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([202, 'true'])
    expect((await server.begin(message({ id: 'msg-first' }))).body['code']).toBe('LOCKSTEP_ID_REUSED')
  })

  const bad: readonly (readonly [string, object, string])[] = [
    ['no deliveries', { deliveries: undefined }, '/deliveries'],
    ['an empty list of deliveries', { deliveries: [] }, '/deliveries'],
    ['deliveries that are no list', { deliveries: { to: 'http://127.0.0.1:1/x' } }, '/deliveries'],
    ['a delivery that is none', { deliveries: ['http://127.0.0.1:1/x'] }, '/deliveries/0'],
    ['a delivery to nobody', { deliveries: [{ payload: 1 }] }, '/deliveries/0/to'],
    ['a delivery to what is no target', { deliveries: [{ to: 'ftp://x' }] }, '/deliveries/0/to'],
    ['a reserved name', { deliveries: [{ to: to('x'), name: '_local' }] }, '/deliveries/0/name'],
    [
      'a name twice',
      {
        deliveries: [
          { to: to('x'), name: 'a' },
          { to: to('x'), name: 'a' },
        ],
      },
      '/deliveries/1/name',
    ],
    [
      'a name that is another position',
      { deliveries: [{ to: to('x'), name: '2' }, { to: to('x') }] },
      '/deliveries/1/name',
    ],
    ['a negative delay', { deliveries: [{ to: to('x'), delay: -1 }] }, '/deliveries/0/delay'],
    ['a delay that is none', { deliveries: [{ to: to('x'), delay: 'soon' }] }, '/deliveries/0/delay'],
    ['an unknown key in a delivery', { deliveries: [{ to: to('x'), url: 'x' }] }, '/deliveries/0/url'],
    ['an unknown key', { steps: [] }, '/steps'],
    ['a check-back that is no URL', { checkBack: 'ftp://x' }, '/checkBack'],
    ['a checkAfter that is none', { checkBack: 'http://127.0.0.1:1/x', checkAfter: -1 }, '/checkAfter'],
  ]

  it.for(bad)('with %s is refused, and nothing is begun', async ([, more, place]) => {
    const body = message(more)
    const refused = await server.begin(body)
    expect(refused.status).toBe(400)
    expect(refused.body['code']).toBe('LOCKSTEP_INVALID_REQUEST')
    expect((refused.body['errors'] as unknown as { path: string }[]).map((issue) => issue.path)).toContain(place)
    expect((await get(body.id)).status).toBe(404)
  })

  it('with a deadline is refused, and told why', async () => {
    const refused = await server.begin(message({ deadline: 60_000 }))
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({ errors: [{ path: '/deadline' }] })
    expect(refused.body['detail']).toMatch(/silence never decides/)
  })
})

describe('commit', () => {
  it('delivers to everybody, and nothing before it', async () => {
    const deliveries = [
      { to: to('points'), payload: { points: 1 } },
      { to: to('mail'), name: 'mail', payload: ['a', null] },
      { to: to('points'), payload: { points: 2 } },
    ]
    const id = await begun({ deliveries })
    expect(callsOf(id)).toEqual([])
    const { status, body } = await commit(id, 10_000)
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'committed', incomplete: false, reason: null })
    expect(body['branches']).toMatchObject(['1', 'mail', '3'].map((name) => ({ name, state: 'done' })))
    const calls = callsOf(id, 'deliver').sort((one, two) => branchOf(one).localeCompare(branchOf(two)))
    expect(calls.map((call) => [call.path, branchOf(call), call.body])).toEqual([
      ['/points', '1', { points: 1 }],
      ['/points', '3', { points: 2 }],
      ['/mail', 'mail', ['a', null]],
    ])
    for (const { headers } of calls) {
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'lockstep-store': body['store'],
        'lockstep-operation': 'deliver',
        'lockstep-attempt': '1',
        'lockstep-begun': String(Date.parse(String(body['createdAt']))),
      })
    }
    expect(callsOf(id)).toHaveLength(3)
  })

  it('repeated is answered alike, and delivers once', async () => {
    const id = await begun()
    const first = await commit(id, 10_000)
    const second = await commit(id)
    expect([first.status, second.status, second.body]).toEqual([200, 200, first.body])
    expect(callsOf(id, 'deliver')).toHaveLength(1)
  })

  it('takes 202 of a plain URL for done', async () => {
    bank.on('/accepted', () => ({ status: 202 }))
    const id = await begun({ deliveries: [{ to: to('accepted') }] })
    expect((await commit(id, 10_000)).body['status']).toBe('committed')
    expect(callsOf(id, 'deliver')).toHaveLength(1)
  })

  it.for([
    ['500', { status: 500 }],
    ['425', { status: 425, headers: { 'retry-after': '0' } }],
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>' }],
  ] as const)('delivers again what was answered with %s, and holds back no other', async ([, bad]) => {
    const name = newId('again')
    const answer = Promise.withResolvers<void>()
    bank.on(`/${name}`, (_, count) => {
      if (count === 1) return bad
      return answer.promise.then(() => json({}))
    })
    const id = await begun({ deliveries: [{ to: to(name) }, { to: to('points') }] })
    expect((await commit(id)).status).toBe(202)
    await eventually(
      async () => (await get(id)).body['branches'] as unknown as { state: string }[],
      (branches) => branches[1]?.state === 'done',
    )
    expect((await get(id)).body['status']).toBe('committing')
    answer.resolve()
    expect((await get(id, 10_000)).body['status']).toBe('committed')
  })

  it('waits for the delay of a delivery, and the others do not', async () => {
    const times = new Map<string, number>()
    for (const name of ['now', 'later']) {
      bank.on(`/${name}`, () => {
        times.set(name, Date.now())
        return json({})
      })
    }
    const id = await begun({ deliveries: [{ to: to('later'), delay: 700 }, { to: to('now') }] })
    const decided = Date.now()
    expect((await commit(id)).body['status']).toBe('committing')
    expect((await get(id, 10_000)).body['status']).toBe('committed')
    expect(times.get('now')).toBeLessThan(times.get('later') ?? 0)
    expect((times.get('later') ?? 0) - decided).toBeGreaterThanOrEqual(699)
  })

  it('of an unknown id is not found, and leaves nothing behind', async () => {
    const id = newId('msg')
    expect((await commit(id)).status).toBe(404)
    expect((await get(id)).status).toBe(404)
  })

  it('after a rollback is 409 LOCKSTEP_ALREADY_ROLLING_BACK, and the other way round', async () => {
    const rolledBack = await begun()
    await rollback(rolledBack)
    const late = await commit(rolledBack)
    expect([late.status, late.body['code']]).toEqual([409, 'LOCKSTEP_ALREADY_ROLLING_BACK'])
    const committed = await begun()
    await commit(committed, 10_000)
    const back = await rollback(committed)
    expect([back.status, back.body['code']]).toEqual([409, 'LOCKSTEP_ALREADY_COMMITTING'])
    expect(callsOf(rolledBack, 'deliver')).toEqual([])
  })

  it('is accepted while an operator holds the message', async () => {
    const id = await begun()
    await server.act(id, { action: 'hold', reason: 'x' })
    expect((await commit(id)).body).toMatchObject({ status: 'committing', held: { reason: 'operator' } })
    expect(callsOf(id, 'deliver')).toEqual([])
    await server.act(id, { action: 'resume', reason: 'x' })
    expect((await get(id, 10_000)).body['status']).toBe('committed')
  })
})

describe('a receiver that says no', () => {
  it('keeps back no other; then the message is held, and what is decided stands', async () => {
    bank.on('/full', () => json({ code: 'mailbox-full' }, 409))
    const id = await begun({ deliveries: [{ to: to('full') }, { to: to('points') }] })
    const held = await commit(id, 10_000)
    expect(held.status).toBe(202)
    expect(held.body).toMatchObject({
      status: 'committing',
      held: { reason: 'delivery-refused', by: 'lockstep' },
      branches: [
        { name: '1', state: 'refused' },
        { name: '2', state: 'done' },
      ],
    })
    expect(String(held.body['held']?.['detail'])).toContain('mailbox-full')
    expect((await rollback(id)).body['code']).toBe('LOCKSTEP_ALREADY_COMMITTING')
    bank.on('/full', () => json({}))
    await server.act(id, { action: 'retry', reason: 'emptied' })
    expect((await get(id, 10_000)).body['status']).toBe('committed')
    expect(callsOf(id, 'deliver').filter((call) => call.path === '/points')).toHaveLength(1)
  })

  it('is given up by an operator, and the end says that something is missing', async () => {
    bank.on('/gone', () => json({ code: 'moved' }, 409))
    const id = await begun({ deliveries: [{ to: to('gone') }] })
    await commit(id, 10_000)
    await server.act(id, { action: 'skip', branch: '1', reason: 'told by phone' })
    expect((await get(id, 10_000)).body).toMatchObject({ status: 'committed', incomplete: true })
  })
})

function branchOf({ headers }: ReceivedCall): string {
  return String(headers['lockstep-branch'])
}
