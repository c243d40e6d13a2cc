import { type Coordinator, createCoordinator, type ErrorOptions, LockstepError, type Logger } from 'lockstep'
import { memoryStore } from 'lockstep/memory'
import { silentLogger } from 'lockstep/ports'
import { afterEach, describe, expect, it } from 'vitest'
import { createApi } from '../src/api/create-api.ts'
import { type HttpServer, listen } from '../src/serve/http-server.ts'
import { plainParticipant } from './plain-participant.ts'
import { send } from './raw-request.ts'

const json = { 'content-type': 'application/json' }
let opened: HttpServer | undefined

afterEach(async () => {
  await opened?.close(0)
})

async function serverOf(coordinator: Partial<Coordinator>, logger: Logger = silentLogger) {
  const api = createApi({ coordinator: coordinator as Coordinator, logger })
  opened = await listen(api, { host: '127.0.0.1', port: 0 }, logger)
  return opened.url
}

describe('past retention', () => {
  it('a transaction is answered 410 with its id and how it ended, and other content is still told apart', async () => {
    const bank = await plainParticipant()
    const store = memoryStore({ clock: { now: () => Date.now() }, exclusive: true })
    const coordinator = createCoordinator({ store, urls: 'any' })
    await coordinator.start()
    const url = await serverOf(coordinator)
    const begin = (more: object = {}) => {
      const body = { id: 'old', pattern: 'saga', wait: 5000, steps: [{ name: 'a', action: `${bank.url}/a` }], ...more }
      return send(url, '/v1/transactions', { method: 'POST', headers: json, body: JSON.stringify(body) })
    }
    await begin()
    await store.retire({ endedBefore: Date.now() + 1_000, forgetBefore: 0, limit: 10 })

    const post = (path: string, body?: object) =>
      send(url, `/v1/transactions/old/${path}`, {
        method: 'POST',
        headers: json,
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
    const action = post('actions', { action: 'retry', reason: 'x' })
    const gone = [
      await send(url, '/v1/transactions/old'),
      await begin(),
      await post('commit'),
      await post('rollback'),
      await post('branches', { name: 'late', confirm: bank.url, cancel: bank.url }),
      await action,
    ]
    for (const answer of gone) {
      expect(answer.status).toBe(410)
      expect(answer.headers['content-type']).toBe('application/problem+json')
      expect(answer.body).toMatchObject({ status: 410, code: 'LOCKSTEP_EXPIRED', id: 'old', endStatus: 'committed' })
    }
    expect((await begin({ input: 'other' })).body['code']).toBe('LOCKSTEP_ID_REUSED')
    await coordinator.stop()
    await bank.close()
  })
})

describe('an error', () => {
  it('that nobody expected is a 500 without its words, and the log has them with the trace id', async () => {
    const logged: { fields: object; message: string }[] = []
    const logger: Logger = { ...silentLogger, error: (fields, message) => void logged.push({ fields, message }) }
    const url = await serverOf({ get: () => Promise.reject(new TypeError('canary is not a function')) }, logger)
    const { status, headers, body, text } = await send(url, '/v1/transactions/x?wait=1')
    expect(status).toBe(500)
    expect(headers['content-type']).toBe('application/problem+json')
    expect(body).toMatchObject({ code: 'LOCKSTEP_BUG', outcome: 'unknown', retriable: false })
    expect(text).not.toMatch(/canary|\.ts/)
    expect(logged).toMatchObject([
      { fields: { path: '/v1/transactions/x', traceId: body['traceId'], stack: expect.stringContaining('canary') } },
    ])
    expect((await send(url, '/livez')).text).toBe('ok')
  })

  const answers = [
    ['LOCKSTEP_STORE_UNAVAILABLE', {}, 503, '1', 'unknown'],
    ['LOCKSTEP_STORE_UNAVAILABLE', { retryAfterMs: 2_500 }, 503, '3', 'unknown'],
    ['LOCKSTEP_STOPPING', {}, 503, '1', 'not-applied'],
    ['LOCKSTEP_BUSY', { retryAfterMs: 1_000 }, 429, '1', 'not-applied'],
    ['LOCKSTEP_DECIDED', {}, 409, undefined, 'not-applied'],
  ] as const
  it.for(answers)(
    '%s with %o is answered with its status, its outcome and when to come back',
    async ([code, options, status, after, outcome]) => {
      const failure: ErrorOptions = { message: 'said why', ...options }
      const url = await serverOf({ begin: () => Promise.reject(new LockstepError(code, failure)) })
      const answer = await send(url, '/v1/transactions', { method: 'POST', headers: json, body: '{}' })
      expect(answer.status).toBe(status)
      expect(answer.headers['retry-after']).toBe(after)
      expect(answer.body).toMatchObject({
        status,
        code,
        outcome,
        detail: 'said why',
        title: expect.any(String),
        next: expect.any(String),
      })
    },
  )

  it.for([
    ['new', 'starting'],
    ['stopping', 'stopping'],
    ['failed', 'failed'],
    ['the store does not answer', 'store-unavailable'],
  ] as const)('/readyz of a coordinator that says "%s" is 503 and one word', async ([notReady, word]) => {
    const url = await serverOf({ notReady } as Partial<Coordinator>)
    expect(await send(url, '/readyz')).toMatchObject({ status: 503, text: word })
  })
})
