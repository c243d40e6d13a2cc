/** The contract of a lock, on the backend in memory and under a virtual clock. */
import { beforeEach, describe, expect, it } from 'vitest'
import { isLockstepError, LockstepError } from '../src/errors.ts'
import type { Lease } from '../src/locks/lease.ts'
import { Locks } from '../src/locks/locks.ts'
import { memoryLocks } from '../src/locks/memory/memory-locks.ts'
import { type LockBackend, type LockHold, silentLogger } from '../src/ports/index.ts'
import { VirtualTime } from './coordinator/virtual-time.ts'

let time: VirtualTime
let backend: LockBackend
let locks: Locks
let others: Locks

beforeEach(() => {
  time = new VirtualTime()
  const { environment } = time.process()
  backend = memoryLocks()({ ...environment, log: silentLogger })
  const holder = { host: 'test', pid: 1, label: '' }
  locks = new Locks({ backend, environment, holder })
  others = new Locks({ backend, environment, holder: { ...holder, pid: 2 } })
})

/** Runs the clock until it settles. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let settled = false
  const watched = work.finally(() => {
    settled = true
  })
  watched.catch(() => {})
  for (let spentMs = 0; !settled && spentMs <= ms; spentMs += 10) await time.advance(10)
  return watched
}

const codeOf = (thrown: Promise<unknown>) =>
  thrown.then(
    () => null,
    (error: unknown) => (isLockstepError(error) ? error.code : error),
  )

describe('exclusion', () => {
  it('gives a name to one at a time, in the order of asking, each with a larger token', async () => {
    const first = await locks.acquire('sku')
    const order: string[] = []
    const asking = ['b', 'c', 'd'].map(async (name, at) => {
      const lease = await (at === 1 ? others : locks).acquire('sku', { wait: '1m' })
      order.push(name)
      await lease.release()
      return lease.fencingToken
    })
    await time.advance(10)
    await first.release()
    const tokens = [first.fencingToken, ...(await within(1_000, Promise.all(asking)))]
    expect(new Set(tokens).size).toBe(4)
    expect(tokens.every((token) => token >= first.fencingToken)).toBe(true)
    expect(order).toHaveLength(3)
  })
  it('tryAcquire gives null when somebody else holds it', async () => {
    await locks.acquire('sku')
    expect([await others.tryAcquire('sku'), await locks.tryAcquire('sku')]).toEqual([null, null])
  })
  it('a wait that is over fails with a timeout, and leaves nothing behind', async () => {
    const lease = await locks.acquire('sku')
    expect(await within(3_000, codeOf(others.acquire('sku', { wait: '2s' })))).toBe('LOCKSTEP_LOCK_TIMEOUT')
    expect(await within(3_000, codeOf(locks.acquire('sku', { wait: '2s' })))).toBe('LOCKSTEP_LOCK_TIMEOUT')
    await lease.release()
    expect(await others.tryAcquire('sku')).not.toBeNull()
  })
  it.each(['local', 'remote'])('an abort ends a %s wait at once, with its own reason', async (where) => {
    const lease = await locks.acquire('sku')
    const abort = new AbortController()
    const waiting = codeOf(
      (where === 'local' ? locks : others).acquire('sku', { signal: abort.signal, wait: Infinity }),
    )
    await time.advance(10)
    abort.abort('enough')
    expect(await waiting).toBe('enough')
    await lease.release()
    expect(await others.tryAcquire('sku')).not.toBeNull()
  })
})

describe('a lease', () => {
  it('is renewed as long as its process lives, and blocks others for one TTL after that', async () => {
    const lease = await locks.acquire('sku', { ttl: '1s' })
    await time.advance(10_000)
    expect([lease.state, lease.remaining() > 0]).toEqual(['held', true])
    lease.assertHeld()
  })
  it('without renewal is lost, signalled before its end, and released without an error', async () => {
    const lease = await locks.acquire('sku', { ttl: '1s', renew: false })
    let signalled: unknown = null
    lease.signal.addEventListener('abort', () => {
      signalled = lease.signal.reason
    })
    await time.advance(985)
    expect(isLockstepError(signalled, 'LOCKSTEP_LOCK_LOST')).toBe(true)
    expect([lease.state, (await lease.lost).code]).toEqual(['lost', 'LOCKSTEP_LOCK_LOST'])
    expect(() => lease.assertHeld()).toThrow('lost')
    expect(await lease.release()).toEqual({ released: false, wasHeld: false })
  })
  it('is lost after maxHold, whatever the backend says', async () => {
    const lease = await locks.acquire('sku', { ttl: '1s', maxHold: '5s' })
    await time.advance(6_000)
    expect(lease.state).toBe('lost')
    expect(await others.tryAcquire('sku')).not.toBeNull()
  })
  it('that somebody has taken away is lost at its next renewal', async () => {
    const lease = await locks.acquire('sku', { ttl: '1s' })
    await backend.evict('sku')
    await time.advance(400)
    expect(lease.state).toBe('lost')
  })
  it('gives the first answer to a second release, and is none of its owner’s afterwards', async () => {
    const lease = await locks.acquire('sku')
    expect([await lease.release(), await lease.release()]).toEqual(Array(2).fill({ released: true, wasHeld: true }))
    expect(() => lease.assertHeld()).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_LOCK_NOT_OWNER' }))
  })
  it('withLock gives the result, or what was thrown, unchanged', async () => {
    const own = new Error('mine')
    expect(await locks.withLock('sku', (lease) => lease.name)).toBe('sku')
    await expect(locks.withLock('sku', () => Promise.reject(own))).rejects.toBe(own)
    expect(await others.tryAcquire('sku')).not.toBeNull()
  })
})

describe('a backend that is away', () => {
  /** Fails what is asked of its holds while `away`. */
  function failing(state: { away: boolean }): LockBackend {
    const down = () => Promise.reject(new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message: 'no answer' }))
    const wrap = (hold: LockHold): LockHold => ({
      token: hold.token,
      ttlMs: hold.ttlMs,
      get validUntilMs() {
        return hold.validUntilMs
      },
      extend: (ttlMs) => (state.away ? down() : hold.extend(ttlMs)),
      release: () => (state.away ? down() : hold.release()),
      watch: (tell) => hold.watch(tell),
    })
    return {
      ...backend,
      contend: async (ask) => (state.away ? down() : wrap((await backend.contend(ask)) as LockHold)),
    }
  }
  const open = (state: { away: boolean }): Promise<Lease> => {
    const { environment } = time.process()
    locks = new Locks({ backend: failing(state), environment, holder: { host: 'test', pid: 3, label: '' } })
    return locks.acquire('sku', { ttl: '1s' })
  }

  it('throws, and never says that somebody else holds it', async () => {
    const state = { away: true }
    expect(await codeOf(open(state))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    expect(await codeOf(locks.tryAcquire('sku'))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
  })
  it('two renewals that fail in a row lose nothing', async () => {
    const state = { away: false }
    const lease = await open(state)
    state.away = true
    await time.advance(420)
    expect(lease.state).toBe('at-risk')
    state.away = false
    await time.advance(200)
    expect(lease.state).toBe('held')
  })
  it('at release is asked on until the TTL has passed, and nobody waits for it', async () => {
    const state = { away: false }
    const lease = await open(state)
    state.away = true
    expect(await lease.release()).toEqual({ released: false, wasHeld: 'unknown' })
    state.away = false
    await time.advance(300)
    expect(await others.tryAcquire('sku')).not.toBeNull()
  })
})

describe('what is asked for', () => {
  it.each(['', '.', '..', 'a/b', 'a b', 'a{b}', 'x'.repeat(201), 7 as never])(
    'the name %j is refused',
    async (name) => {
      expect(await codeOf(locks.acquire(name))).toBe('LOCKSTEP_CONFIGURATION')
    },
  )
  it.each([{ ttl: 0 }, { ttl: -1 }, { ttl: 1 }, { ttl: '10' as never }, { wait: -1 }, { label: 'a\nb' }])(
    'the options %j are refused',
    async (options) => {
      expect(await codeOf(locks.acquire('sku', options))).toBe('LOCKSTEP_CONFIGURATION')
    },
  )
})
