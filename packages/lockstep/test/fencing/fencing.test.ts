import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import {
  claimFenceSync,
  fencedHandler,
  fenceTableSql,
  fencingHeaders,
  readFence,
  requireFenced,
} from '../../src/fencing/index.ts'
import { createLocks } from '../../src/index.ts'
import { memoryLocks } from '../../src/locks/index.ts'

const fence = (fencingToken: bigint, name = 'sku-42') => ({ name, fencingToken })
const stale = expect.objectContaining({ code: 'LOCKSTEP_STALE_TOKEN' })

describe('a fence in SQLite', () => {
  const open = (): DatabaseSync => {
    const db = new DatabaseSync(':memory:')
    db.exec(fenceTableSql())
    return db
  }
  test('accepts the same token again and a newer one, and refuses an older one', () => {
    const db = open()
    for (const token of [5n, 5n, 7n]) claimFenceSync(db, fence(token))
    expect(() => claimFenceSync(db, fence(6n))).toThrowError(stale)
    claimFenceSync(db, fence(6n), { resource: 'another' })
    claimFenceSync(db, fence(2n ** 63n - 1n))
    expect(() => claimFenceSync(db, fence(2n ** 63n - 2n))).toThrowError(stale)
  })
  test('without its table says how to make it', () => {
    expect(() => claimFenceSync(new DatabaseSync(':memory:'), fence(1n))).toThrowError(
      expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION', next: expect.stringContaining('migrate fence') }),
    )
  })
  test('in a column of the row itself: no row changed is a stale token', () => {
    expect(() => requireFenced({ rowCount: 0 }, fence(1n))).toThrowError(stale)
    requireFenced({ rowCount: 1 }, fence(1n))
  })
})

describe('tokens that cannot fence', () => {
  test.each([0n, -1n, 2n ** 63n, 7 as never, undefined as never])('%s is refused', (token) => {
    expect(() => fencingHeaders(fence(token))).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
  })
  test('those of readers and of one permit among several are refused, that of a single permit is not', async () => {
    const locks = createLocks(memoryLocks())
    const unsupported = expect.objectContaining({ code: 'LOCKSTEP_LOCK_UNSUPPORTED' })
    const shared = [await locks.readWrite('sku').read.acquire(), await locks.semaphore('sku', 2).acquire()]
    for (const lease of shared) {
      expect(() => fencingHeaders(lease)).toThrowError(unsupported)
      expect(() => requireFenced({ rowCount: 1 }, lease)).toThrowError(unsupported)
    }
    const single = await locks.semaphore('one', 1).acquire()
    expect(fencingHeaders(single)).toEqual({ 'lockstep-fencing-token': String(single.fencingToken) })
    await locks.close()
  })
})

describe('a fenced handler', () => {
  const db = new DatabaseSync(':memory:')
  db.exec(fenceTableSql())
  const handler = fencedHandler({
    resourceOf: (request) => new URL(request.url).pathname,
    handle(_, claimed) {
      claimFenceSync(db, claimed)
      return Response.json({ token: String(claimed.fencingToken) })
    },
  })
  const send = (headers: Record<string, string>) => handler(new Request('http://here/sku-42', { headers }))

  test('answers 409 with the code stale-fencing-token to an older holder', async () => {
    expect((await send(fencingHeaders(fence(9n)))).status).toBe(200)
    const answer = await send(fencingHeaders(fence(8n)))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([409, 'application/problem+json'])
    expect(await answer.json()).toMatchObject({ code: 'stale-fencing-token', resource: '/sku-42', token: '8' })
  })
  test.each([
    {},
    ...['', '0', '-1', '1e3', '0x1', ' 1 2', '1'.repeat(20), '9999999999999999999', '9223372036854775808'].map(
      (text) => ({
        'lockstep-fencing-token': text,
      }),
    ),
  ])('answers 400 to %j', async (headers) => {
    expect((await send(headers as Record<string, string>)).status).toBe(400)
  })
  test('answers 400 when what it is about cannot be named', async () => {
    const long = `http://here/${'a'.repeat(400)}`
    expect((await handler(new Request(long, { headers: fencingHeaders(fence(1n)) }))).status).toBe(400)
  })
  test('leaves what else is thrown to its caller', async () => {
    const failing = fencedHandler({ resourceOf: () => 'a', handle: () => Promise.reject(new Error('mine')) })
    await expect(failing(new Request('http://here', { headers: fencingHeaders(fence(1n)) }))).rejects.toThrow('mine')
    expect(readFence(new Request('http://here', { headers: { 'lockstep-fencing-token': '12' } }), 'a')).toEqual(
      fence(12n, 'a'),
    )
  })
})
