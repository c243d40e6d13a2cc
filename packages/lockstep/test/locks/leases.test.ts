/** The contract of a lock, on the backend in memory and under a virtual clock. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeEach, describe, expect, it } from 'vitest'
import { isLockstepError, LockstepError } from '../../src/errors.ts'
import { createLocks } from '../../src/index.ts'
import { type Lease, type Locks, memoryLocks } from '../../src/locks/index.ts'
import { type LockBackend, type LockHold, silentLogger } from '../../src/ports/index.ts'
import { VirtualTime } from '../coordinator/virtual-time.ts'

let time: VirtualTime
let backend: LockBackend
let locks: Locks
let others: Locks

beforeEach(() => {
  time = new VirtualTime()
  const { environment } = time.process()
  backend = memoryLocks()({ ...environment, log: silentLogger })
  locks = locksOver(backend)
  others = locksOver(backend)
})

const locksOver = (over: LockBackend): Locks => createLocks(() => over, { environment: time.process().environment })

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
  it('gives a name to one at a time, in order between processes and within each, with growing tokens', async () => {
    const first = await locks.acquire('sku')
    const order: string[] = []
    const tokens = [first.fencingToken]
    const asking = [locks, others, locks].map(async (asked, at) => {
      const lease = await asked.acquire('sku', { wait: '1m' })
      order.push(['second here', 'the other process', 'third here'][at] ?? '')
      tokens.push(lease.fencingToken)
      await lease.release()
    })
    await time.advance(10)
    await first.release()
    await within(1_000, Promise.all(asking))
    // The other process stands in the queue since it asked; here only one asks at a time, so the second does when the first has gone.
    expect(order).toEqual(['the other process', 'second here', 'third here'])
    expect(tokens).toEqual(tokens.toSorted((one, other) => Number(one - other)))
    expect(new Set(tokens).size).toBe(4)
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
  it('RedLock.net #68: is lost after maxHold, whatever the backend says', async () => {
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
  it('node-redlock #131: an expired lease stands in front of neither the result nor the error of the work', async () => {
    const outlived = async (result: () => number): Promise<number> => {
      await time.advance(2_000)
      return result()
    }
    const options = { ttl: '1s', renew: false } as const
    expect(await locks.withLock('sku', () => outlived(() => 7), options)).toBe(7)
    const own = new Error('mine')
    const failing = () =>
      outlived(() => {
        throw own
      })
    await expect(locks.withLock('sku', failing, options)).rejects.toBe(own)
  })
  it('node-redlock #169: has its whole TTL after a long wait', async () => {
    const first = await others.acquire('sku', { ttl: '1m' })
    const waiting = locks.acquire('sku', { ttl: '1s', wait: '1m' })
    await time.advance(30_000)
    await first.release()
    expect((await within(1_000, waiting)).remaining()).toBeGreaterThan(900)
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
    locks = locksOver(failing(state))
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
  it('Redisson #5698: renews through a backend that is away again and again, for a hundred times its TTL', async () => {
    const state = { away: false }
    const lease = await open(state)
    for (let spentMs = 0; spentMs < 100_000; spentMs += 1_000) {
      state.away = true
      await time.advance(400)
      state.away = false
      await time.advance(600)
    }
    expect([lease.state, await lease.release()]).toEqual(['held', { released: true, wasHeld: true }])
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

describe('what is asked for in a wrong way', () => {
  it('is refused, and nothing is held', async () => {
    const wrong: (() => Promise<unknown>)[] = [
      () => locks.multi('abc' as never),
      () => locks.multi(null as never),
      () => locks.evict('sku', 5 as never),
      () => locks.withLock('sku', undefined as never),
    ]
    for (const ask of wrong) expect(await codeOf(ask())).toBe('LOCKSTEP_CONFIGURATION')
    expect(await backend.inspect()).toEqual([])
  })
})

describe('what is asked for', () => {
  it.each(['', '.', '..', 'a/b', 'a b', 'a{b}', 'x'.repeat(201), 7 as never])(
    'the name %j is refused',
    async (name) => {
      expect(await codeOf(locks.acquire(name))).toBe('LOCKSTEP_CONFIGURATION')
    },
  )
  it.each([
    { ttl: 0 },
    { ttl: -1 },
    { ttl: 1 },
    { ttl: '10' as never },
    { wait: -1 },
    { label: 'a\nb' },
    { label: '\u009b' },
    { label: '\u202e' },
    { label: '\ud800' },
    { renew: 'no' as never },
    { signal: {} as never },
    { timeout: 5 } as never,
    null as never,
  ])('the options %j are refused', async (options) => {
    expect(await codeOf(locks.acquire('sku', options))).toBe('LOCKSTEP_CONFIGURATION')
  })
})

describe('clocks and stalls', () => {
  it('Redisson #2665, #2807: a process that stood still beyond its lease loses it at wake-up, and sends no extension', async () => {
    let extensions = 0
    const counting: LockBackend = {
      ...backend,
      contend: async (ask) => {
        const hold = await backend.contend(ask)
        if (hold === null) return null
        const { token, ttlMs, validUntilMs } = hold
        const extend = (forMs: number): Promise<boolean> => {
          extensions += 1
          return hold.extend(forMs)
        }
        return { token, ttlMs, validUntilMs, extend, release: () => hold.release(), watch() {} }
      },
    }
    const process = time.process()
    const stalled = createLocks(() => counting, { environment: { ...process.environment, timers: laggingTimers() } })
    const lease = await stalled.acquire('sku', { ttl: '1s' })
    await time.advance(1_500)
    expect(() => lease.assertHeld()).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_LOCK_LOST' }))
    await time.advance(1_000)
    expect([lease.state, extensions]).toEqual(['lost', 0])
    expect(await lease.release()).toEqual({ released: false, wasHeld: false })

    /** Timers that fire two seconds late, as after SIGSTOP. */
    function laggingTimers() {
      return { after: (ms: number, fire: () => void) => process.environment.timers.after(ms + 2_000, fire) }
    }
  })
  it('sleep of the machine stops the monotonic clock, and ends the lease all the same', async () => {
    let sleptMs = 0
    const { environment } = time.process()
    const clock = { monotonicMs: () => environment.clock.monotonicMs(), now: () => environment.clock.now() + sleptMs }
    const lease = await createLocks(() => backend, { environment: { ...environment, clock } }).acquire('sku', {
      ttl: '1s',
    })
    sleptMs = 900
    expect(lease.remaining()).toBe(100)
    sleptMs = 1_000
    expect(() => lease.assertHeld()).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_LOCK_LOST' }))
  })
  it('a thousand renewals are a few timers, and leave in the same turn', async () => {
    const process = time.process()
    // As servers give them: a little less than the TTL.
    const drifting: LockBackend = {
      ...backend,
      contend: async (ask) => {
        const hold = await backend.contend(ask)
        if (hold === null) return null
        const extend = (forMs: number): Promise<boolean> => hold.extend(forMs)
        const validUntilMs = () => hold.validUntilMs - ask.ttlMs * 0.01 - 2
        return Object.defineProperty(
          { token: hold.token, ttlMs: hold.ttlMs, validUntilMs: 0, extend, release: () => hold.release(), watch() {} },
          'validUntilMs',
          { get: validUntilMs },
        )
      },
    }
    const many = createLocks(() => drifting, { environment: process.environment })
    const leases = []
    for (let at = 0; at < 1_000; at++) leases.push(await many.acquire(`sku-${at}`, { ttl: '10s' }))
    expect(process.timers()).toBe(1)
    await time.advance(15_000)
    expect(leases.every((lease) => lease.state === 'held')).toBe(true)
    await Promise.all(leases.map((lease) => lease.release()))
    expect(process.timers()).toBe(0)
  })
  it('Redisson #1626, node-redlock PR #369: no timer is left after a release, a loss or a wait that ended', async () => {
    const process = time.process()
    const own = createLocks(() => backend, { environment: process.environment })
    await (await own.acquire('sku')).release()
    const held = await others.acquire('sku')
    await within(1_000, codeOf(own.acquire('sku', { wait: 100 })))
    const lost = await own.acquire('other', { ttl: '1s', renew: false })
    await time.advance(1_500)
    expect([lost.state, process.timers()]).toEqual(['lost', 0])
    await held.release()
  })
})

describe('memory', () => {
  it('node-redlock PR #312: a hundred thousand tries leave nothing behind', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const lease = await others.acquire('sku')
    const tries = async (count: number): Promise<number> => {
      for (let at = 0; at < count; at++) await locks.tryAcquire('sku')
      collect()
      return process.memoryUsage().heapUsed
    }
    const before = await tries(10_000)
    expect(((await tries(100_000)) - before) / 2 ** 20).toBeLessThan(4)
    await lease.release()
  })
})

describe('one session shared by two tasks', () => {
  it('is not asked for the next one before the release of the one before is confirmed, or cannot count any more', async () => {
    const asked: number[] = []
    let releases = 0
    const session: LockBackend = {
      ...backend,
      contend: async (ask) => {
        asked.push(time.nowMs)
        return {
          token: 1n,
          ttlMs: ask.ttlMs,
          validUntilMs: time.nowMs + ask.ttlMs,
          extend: async () => true,
          release: () => {
            releases += 1
            return Promise.reject(new LockstepError('LOCKSTEP_LOCK_UNAVAILABLE', { message: 'no answer' }))
          },
          watch() {},
        }
      },
    }
    const own = locksOver(session)
    const lease = await own.acquire('sku', { ttl: '1s' })
    const second = own.acquire('sku', { ttl: '1s', wait: '1m' })
    expect(await lease.release()).toEqual({ released: false, wasHeld: 'unknown' })
    await within(5_000, second)
    expect(asked[1]).toBeGreaterThanOrEqual(1_000)
    expect(releases).toBeGreaterThan(2)
  })
})
