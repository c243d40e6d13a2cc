/** A reliable message over plain HTTP that its check-back decides: protocol.md sections 3 and 5. */
import { beforeAll, describe, expect, it } from 'vitest'
import { eventually, newId } from './in-process-server.ts'
import { initiator } from './initiator.ts'
import { freePort, json, type PlainAnswer } from './plain-participant.ts'

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

/** The check-back at a path of its own answers in turn; the last answer is for ever. */
function checkBack(...answers: readonly PlainAnswer[]): string {
  const name = newId('check')
  bank.on(`/${name}`, (_, count) => answers[Math.min(count, answers.length) - 1] ?? { status: 500 })
  return to(name)
}

const commits = json({ decision: 'commit' })
const rollsBack = json({ decision: 'rollback' })

describe('the check-back', () => {
  it('is asked after checkAfter with the input, and its commit delivers', async () => {
    const started = Date.now()
    const id = await begun({ checkBack: checkBack(commits), checkAfter: 200 })
    const { status, body } = await get(id, 10_000)
    expect([status, body['status']]).toEqual([200, 'committed'])
    const [check] = callsOf(id, 'check')
    expect(check?.body).toEqual({ order: 7 })
    expect(check?.headers).toMatchObject({
      'content-type': 'application/json',
      'lockstep-store': body['store'],
      'lockstep-transaction': id,
      'lockstep-branch': '_local',
      'lockstep-operation': 'check',
      'lockstep-attempt': '1',
      'lockstep-begun': String(Date.parse(String(body['createdAt']))),
    })
    expect(Date.now() - started).toBeGreaterThanOrEqual(200)
    expect([callsOf(id, 'check').length, callsOf(id, 'deliver').length]).toEqual([1, 1])
    const local = (body['branches'] as unknown as { name: string }[]).find(({ name }) => name === '_local')
    expect(local).toMatchObject({ attempts: [{ operation: 'check', number: 1, outcome: 'done' }] })
  })

  it('is not asked when the decision comes first', async () => {
    const id = await begun({ checkBack: checkBack(rollsBack), checkAfter: 300 })
    expect((await commit(id, 10_000)).body['status']).toBe('committed')
    // Another message that is checked later shows that the time has come and gone.
    const other = await begun({ checkBack: checkBack(commits), checkAfter: 400 })
    await get(other, 10_000)
    expect(callsOf(id, 'check')).toEqual([])
  })

  it('that answers rollback ends the message, and nothing is ever delivered', async () => {
    const id = await begun({ checkBack: checkBack(rollsBack), checkAfter: 50 })
    const { status, body } = await get(id, 10_000)
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'rolled-back', reason: { branch: '_local' } })
    expect(callsOf(id, 'deliver')).toEqual([])
    expect((await commit(id)).body['code']).toBe('LOCKSTEP_ALREADY_ROLLING_BACK')
  })

  it('that nobody answers decides nothing; the initiator still does', async () => {
    const id = await begun({ checkBack: `http://127.0.0.1:${await freePort()}/check`, checkAfter: 50 })
    await eventually(
      async () => (await get(id)).body['branches'] as unknown as { name: string; attempts: unknown[] }[],
      (branches) => branches.some(({ name, attempts }) => name === '_local' && attempts.length > 0),
    )
    expect((await get(id)).body['status']).toBe('prepared')
    expect((await commit(id, 10_000)).body['status']).toBe('committed')
  })

  describe('that does not decide is asked again, and the message stays prepared', () => {
    const html = { 'content-type': 'text/html' }
    const strange: readonly (readonly [string, PlainAnswer])[] = [
      ['an empty 200', {}],
      ['an empty 204', { status: 204 }],
      ['HTML', { headers: html, body: '<html>{"decision":"commit"}</html>' }],
      ['JSON that is not declared', { body: '{"decision":"commit"}' }],
      ['another word', json({ decision: 'maybe' })],
      ['more than a decision', json({ decision: 'commit', x: 1 })],
      ['a list of decisions', json([{ decision: 'commit' }])],
      ['the bare word', json('commit')],
      ['COMMIT', json({ decision: 'COMMIT' })],
      ['an empty object', json({})],
      ['202', { status: 202, headers: { 'retry-after': '0' } }],
      ['425', { status: 425, headers: { 'retry-after': '0' } }],
      ['500', json({ decision: 'commit' }, 500)],
      ['404', json({ decision: 'commit' }, 404)],
      ['409', json({ decision: 'rollback' }, 409)],
      ['a redirect', { status: 307, headers: { location: '/points' } }],
    ]
    /** What was seen after two such answers, and how it ended once the third one decided. */
    const courses = new Map<string, ReturnType<typeof course>>()

    async function course(answer: PlainAnswer) {
      const name = newId('check')
      const decided = Promise.withResolvers<PlainAnswer>()
      bank.on(`/${name}`, (_, count) => (count < 3 ? answer : decided.promise))
      const id = await begun({ checkBack: to(name), checkAfter: 50 })
      await eventually(
        async () => callsOf(id, 'check').length,
        (count) => count === 3,
      )
      const meanwhile = { seen: (await get(id)).body, deliveries: callsOf(id, 'deliver').length }
      decided.resolve(commits)
      const ended = (await get(id, 20_000)).body['status']
      return { meanwhile, ended, attempts: callsOf(id, 'check').map(({ headers }) => headers['lockstep-attempt']) }
    }

    // All at once, since each of them takes its seconds.
    beforeAll(() => {
      for (const [what, answer] of strange) {
        const running = course(answer)
        running.catch(() => {})
        courses.set(what, running)
      }
    })

    it.for(strange)('%s', async ([what]) => {
      expect(await courses.get(what)).toMatchObject({
        meanwhile: { seen: { status: 'prepared', held: null }, deliveries: 0 },
        ended: 'committed',
        attempts: ['1', '2', '3'],
      })
    })
  })
})

describe('rollback', () => {
  it('of a message without a check-back decides, and nothing is delivered', async () => {
    const id = await begun()
    const first = await rollback(id)
    expect(first.status).toBe(200)
    expect(first.body).toMatchObject({ status: 'rolled-back', reason: { branch: null } })
    const second = await rollback(id)
    expect([second.status, second.body]).toEqual([200, first.body])
    expect(callsOf(id)).toEqual([])
  })

  it.for([
    ['commit', commits, 'committed', 1],
    ['rollback', rollsBack, 'rolled-back', 0],
  ] as const)(
    'of a message with a check-back only has it asked now: a %s decides',
    async ([, answer, status, delivered]) => {
      const id = await begun({ checkBack: checkBack(answer), checkAfter: 60_000 })
      const asked = await rollback(id)
      expect(asked.status).toBe(202)
      expect(asked.body['status']).toBe('prepared')
      const ended = await get(id, 10_000)
      expect([ended.status, ended.body['status']]).toEqual([200, status])
      expect([callsOf(id, 'check').length, callsOf(id, 'deliver').length]).toEqual([1, delivered])
    },
  )

  it('by force is a check as well, where there is one', async () => {
    const id = await begun({ checkBack: checkBack(commits), checkAfter: 60_000 })
    await server.act(id, { action: 'force-rollback', reason: 'I believe it failed' })
    expect((await get(id, 10_000)).body['status']).toBe('committed')
  })

  it('of an unknown id leaves a tombstone, which a late begin finds', async () => {
    const body = message()
    expect(await rollback(body.id)).toMatchObject({ status: 200, body: { status: 'rolled-back', branches: [] } })
    const late = await server.begin(body)
    expect([late.status, late.body['code']]).toEqual([409, 'LOCKSTEP_DECIDED'])
    expect(callsOf(body.id)).toEqual([])
  })
})
