import { describe, expect, it } from 'vitest'
import { newId } from './in-process-server.ts'
import { serverAndBank } from './server-and-bank.ts'

const { server, bank, step, saga } = await serverAndBank()

describe('the same id again', () => {
  it('with the same content answers the transaction there is, marked as replayed', async () => {
    const body = saga({ wait: 5000 })
    const first = await server.begin(body)
    const second = await server.begin(body)
    expect(second.status).toBe(200)
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(second.headers['location']).toBe(`/v1/transactions/${body.id}`)
    expect(second.body).toEqual(first.body)
    expect(bank.calls.filter((call) => call.headers['lockstep-transaction'] === body.id)).toHaveLength(1)
  })

  it('may differ in wait, in the order of its keys and in how its numbers are written', async () => {
    const id = newId()
    const steps = JSON.stringify([step('debit', { input: { amount: 5 } })])
    await server.post('/v1/transactions', `{"id":"${id}","pattern":"saga","steps":${steps}}`)
    const other = `{ "wait": "5s", "steps": ${steps.replace('"amount":5', '"amount": 5.0e0')}, "pattern": "saga", "id": "${id}" }`
    const replayed = await server.post('/v1/transactions', other)
    expect(replayed.headers['idempotent-replayed']).toBe('true')
  })

  it('with other content is refused and changes nothing', async () => {
    const body = saga({ input: { amount: 5 }, wait: 5000 })
    const first = await server.begin(body)
    for (const change of [
      { input: { amount: 6 } },
      { labels: { a: 'b' } },
      { deadline: 60_000 },
      { concurrent: false },
    ]) {
      const refused = await server.begin({ ...body, ...change })
      expect(refused.status).toBe(422)
      expect(refused.body).toMatchObject({ code: 'LOCKSTEP_ID_REUSED', outcome: 'not-applied', retriable: false })
    }
    expect((await server.get(`/v1/transactions/${body.id}`)).body).toEqual(first.body)
  })

  it('sent by many at once begins one transaction', async () => {
    const body = saga({ wait: 5000 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.begin(body)))
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200))
    expect(answers.filter((answer) => answer.headers['idempotent-replayed'] === undefined)).toHaveLength(1)
    expect(bank.calls.filter((call) => call.headers['lockstep-transaction'] === body.id)).toHaveLength(1)
  })
})
