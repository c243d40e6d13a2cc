/** Options of which Node makes no request: whoever opens a client has them checked, and the pool bears them as well. */
import { expect, test } from 'vitest'
import { manualTime } from '../../test/manual-time.ts'
import { toLockstepError } from '../locks/to-lockstep-error.ts'
import { HttpPool, type HttpRequest, type TlsOptions } from './http-pool.ts'

const request: HttpRequest = {
  endpoint: 'http://127.0.0.1:1',
  path: '/v3/kv/txn',
  headers: {},
  body: '{}',
  connectMs: 100,
  answerMs: 200,
}
const unusable: readonly (Partial<HttpRequest> & { readonly tls?: TlsOptions })[] = [
  { headers: { authorization: 'to\nken' } },
  { headers: { trailer: 'x' } },
  { endpoint: 'https://127.0.0.1:1', tls: { cert: 'no certificate' } },
]

test('what cannot be made a request is refused at once as a mistake of the options, and leaves no timer', async () => {
  for (const { tls, ...parts } of unusable) {
    const time = manualTime()
    const pool = new HttpPool({ socketsMax: 2, tls, timers: time.environment.timers })
    const error = await pool.exchange({ ...request, ...parts }).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ name: 'EtcdError', outcome: 'refused' })
    expect(toLockstepError(error, 'name')).toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
    const listener = { line: () => {}, end: () => {} }
    expect(() => pool.stream({ ...request, ...parts }, listener)).toThrow(
      expect.objectContaining({ outcome: 'refused' }),
    )
    expect(time.timers()).toBe(0)
    await time.advance(1_000)
    pool.close()
  }
})
