/** Advisory locks over a server whose answers come when the test wants. */
import { expect, test } from 'vitest'
import { VirtualTime } from '../../../test/coordinator/virtual-time.ts'
import { type LockAsk, type PgKeptClientHandle, type PgResult, silentLogger } from '../../ports/index.ts'
import { postgresAdvisoryLocks } from './advisory-locks.ts'

const ask: LockAsk = {
  name: 'name',
  mode: { kind: 'mutex' },
  ttlMs: 1_000,
  waitMs: 0,
  signal: new AbortController().signal,
  owner: 'me',
  holder: { host: 'here', pid: 1, label: '' },
}

function locksOver(answer: (text: string) => Promise<PgResult> | null) {
  const time = new VirtualTime()
  const { environment, timers } = time.process()
  const client: PgKeptClientHandle = {
    processID: 7,
    query: (text) => answer(text) ?? Promise.resolve({ rows: [{ pid: 7, has_table: true }], rowCount: 1 }),
    release() {},
    on() {},
    removeListener() {},
  }
  const pool = { totalCount: 0, connect: async () => client }
  const backend = postgresAdvisoryLocks(pool, { ttlMs: 1_000 })({ ...environment, log: silentLogger })
  return { time, timers, backend }
}

test('a grant that comes after the end of the session is no refusal: the try was not answered', async () => {
  const granted = { rows: [{ token: '1' }], rowCount: 1 }
  const all = locksOver((text) => {
    if (!text.includes('pg_try_advisory_lock')) return null
    // The process stood still for longer than the TTL: no timer has fired yet.
    all.time.nowMs += 2_000
    return Promise.resolve(granted)
  })
  const trying = all.backend.contend(ask).catch((error) => error.code)
  await all.time.settle()
  expect(await trying).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
  await all.backend.close()
})

test('a release that is not answered is told as unknown, also when the connection has ended since', async () => {
  const { time, backend } = locksOver((text) => {
    if (text.includes('pg_try_advisory_lock')) return Promise.resolve({ rows: [{ token: '1' }], rowCount: 1 })
    return text.includes('pg_advisory_unlock') ? new Promise(() => {}) : null
  })
  const hold = await backend.contend(ask)
  const releasing = hold?.release().catch((error) => [error.code, error.outcome])
  await time.advance(2_000)
  expect(await releasing).toEqual(['LOCKSTEP_LOCK_UNAVAILABLE', 'unknown'])
  // Its repeat finds that the connection has ended, and the lock with it.
  expect(await hold?.release()).toBe(false)
  await backend.close()
})

test('close does not wait for a connection that is beginning and does not answer', async () => {
  const { time, timers, backend } = locksOver((text) => (text.startsWith('listen') ? new Promise(() => {}) : null))
  const trying = backend.contend(ask).catch((error) => error.code)
  await time.settle()
  let isClosed = false
  const closing = backend.close().then(() => {
    isClosed = true
  })
  await time.settle()
  expect([isClosed, timers()]).toEqual([true, 0])
  expect(await trying).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
  await closing
})
