import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { workPlace } from './child-process.ts'
import { eventually } from './in-process-server.ts'
import { json, type PlainAnswer, type PlainParticipant, plainParticipant } from './plain-participant.ts'
import { send } from './raw-request.ts'

let place: ReturnType<typeof workPlace>
let bank: PlainParticipant

beforeEach(async () => {
  place = workPlace()
  bank = await plainParticipant()
})

afterEach(async () => {
  await place.clear()
  await bank.close()
})

const begin = (url: string, body: object) =>
  send(url, '/v1/transactions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const step = (name: string) => ({ name, action: `${bank.url}/${name}`, compensate: `${bank.url}/un${name}` })

describe('kill -9', () => {
  it('in the middle of a saga: the restart on the same store ends it', async () => {
    const reached = Promise.withResolvers<void>()
    bank.on('/credit', (_, count) => {
      if (count > 1) return json({ receipt: 'r2' })
      reached.resolve()
      return new Promise<PlainAnswer>(() => {})
    })
    const first = await place.serve(['--store', place.store])
    await begin(first.url, { id: 'order-42', pattern: 'saga', steps: [step('debit'), step('credit')] })
    await reached.promise
    first.child.kill('SIGKILL')
    expect((await first.finished).signal).toBe('SIGKILL')

    const second = await place.serve(['--store', place.store])
    const { status, body } = await send(second.url, '/v1/transactions/order-42?wait=20000')
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'committed', output: { debit: {}, credit: { receipt: 'r2' } } })
    // The first restart says that the dead process may have called.
    expect(body['branches']?.['1']?.['attempts']).toMatchObject([
      { outcome: 'unknown', error: 'takeover' },
      { outcome: 'done' },
    ])
    expect(bank.paths().filter((path) => path === '/debit')).toHaveLength(1)
  })

  it('in the middle of a rollback: the restart compensates what is left', async () => {
    const reached = Promise.withResolvers<void>()
    bank.on('/c', () => json('no', 409))
    bank.on('/una', (_, count) => {
      if (count > 1) return json({})
      reached.resolve()
      return new Promise<PlainAnswer>(() => {})
    })
    const first = await place.serve(['--store', place.store])
    await begin(first.url, { id: 'undo', pattern: 'saga', steps: [step('a'), step('b'), step('c')] })
    await reached.promise
    first.child.kill('SIGKILL')
    await first.finished

    const second = await place.serve(['--store', place.store])
    const { body } = await send(second.url, '/v1/transactions/undo?wait=20000')
    expect(body).toMatchObject({
      status: 'rolled-back',
      branches: [{ state: 'reversed' }, { state: 'reversed' }, { state: 'refused' }],
    })
  })

  it('again and again under load: whatever was answered ends, and ends once', async () => {
    const answered: string[] = []
    for (let round = 0; round < 3; round++) {
      const served = await place.serve(['--store', place.store])
      const sending = Array.from({ length: 8 }, async (_, lane) => {
        for (let at = 0; ; at++) {
          const id = `load-${round}-${lane}-${at}`
          const answer = await begin(served.url, { id, pattern: 'saga', steps: [step('debit'), step('credit')] }).catch(
            () => null,
          )
          if (answer === null) return
          if (answer.status === 202 || answer.status === 200) answered.push(id)
        }
      })
      // A number of answers and no time: on a slow machine the kill must not come before the load.
      const enough = answered.length + 10 * (round + 1)
      await eventually(
        async () => answered.length,
        (count) => count >= enough,
      )
      served.child.kill('SIGKILL')
      await Promise.all(sending)
    }
    expect(answered.length).toBeGreaterThanOrEqual(60)

    const last = await place.serve(['--store', place.store])
    const states = await eventually(
      () =>
        Promise.all(
          answered.map(async (id) => (await send(last.url, `/v1/transactions/${id}`)).body['status'] as unknown),
        ),
      (seen) => seen.every((status) => status === 'committed'),
      20_000,
    )
    expect(states).toHaveLength(answered.length)
  })
})

describe('SIGTERM', () => {
  it('ends an idle server with 0', async () => {
    const served = await place.serve(['--store', place.store])
    served.child.kill('SIGTERM')
    expect(await served.finished).toMatchObject({ code: 0, signal: null })
  })

  it('with a call on its way ends with 0 within seconds, and the next start goes on', async () => {
    const reached = Promise.withResolvers<void>()
    bank.on('/slow', async (_, count) => {
      reached.resolve()
      if (count === 1) await new Promise((resolve) => setTimeout(resolve, 700))
      return json({ count })
    })
    const first = await place.serve(['--store', place.store])
    await begin(first.url, { id: 'handed-over', pattern: 'saga', steps: [step('slow'), step('next')] })
    await reached.promise
    first.child.kill('SIGTERM')
    expect(await first.finished).toMatchObject({ code: 0 })

    const second = await place.serve(['--store', place.store])
    const { body } = await send(second.url, '/v1/transactions/handed-over?wait=10000')
    expect(body).toMatchObject({ status: 'committed', output: { slow: { count: 1 } } })
  })

  it('a second time ends it at once', async () => {
    bank.on('/hangs', () => new Promise<PlainAnswer>(() => {}))
    const served = await place.serve(['--store', place.store])
    await begin(served.url, { id: 'hangs', pattern: 'saga', steps: [step('hangs')] })
    await eventually(
      async () => bank.paths(),
      (paths) => paths.includes('/hangs'),
    )
    const started = Date.now()
    served.child.kill('SIGTERM')
    await eventually(
      async () => served.stdout(),
      (text) => text.includes('stopping'),
    )
    served.child.kill('SIGTERM')
    expect(await served.finished).toMatchObject({ code: 143 })
    expect(Date.now() - started).toBeLessThan(3_000)
  })
})

describe('a disk that fails', () => {
  it('ends the process with 1 and the reason; what was answered before is there after the restart', async () => {
    const full = await place.serve(['--store', place.store], { shell: 'ulimit -f 400' })
    const answered: string[] = []
    const padding = 'x'.repeat(20_000)
    for (let at = 0; at < 200; at++) {
      const id = `full-${at}`
      const answer = await begin(full.url, { id, pattern: 'saga', input: padding, steps: [step('a')] }).catch(
        () => null,
      )
      if (answer === null || answer.status >= 500) break
      answered.push(id)
    }
    const { code, stderr } = await full.finished
    expect(code).toBe(1)
    expect(stderr).toContain('LOCKSTEP_STORE_FAILED')
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(answered.length).toBeGreaterThan(0)

    const again = await place.serve(['--store', place.store])
    for (const id of answered)
      expect((await send(again.url, `/v1/transactions/${id}?wait=5000`)).body['status']).toBe('committed')
  })
})
