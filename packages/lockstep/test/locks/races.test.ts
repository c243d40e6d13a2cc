/** Schedules in which two things happen to a lease or a wait at once. */
import { beforeEach, describe, expect, it } from 'vitest'
import { createLocks, LockstepError } from '../../src/index.ts'
import { type LockEvent, type Locks, memoryLocks } from '../../src/locks/index.ts'
import { type LockBackend, type LockHold, silentLogger } from '../../src/ports/index.ts'
import { VirtualTime } from '../coordinator/virtual-time.ts'
import { codeOf, holdingOn, unavailable } from './changed-backend.ts'

let time: VirtualTime
let backend: LockBackend
let locks: Locks
let others: Locks

beforeEach(() => {
  time = new VirtualTime()
  backend = memoryLocks()({ ...time.process().environment, log: silentLogger })
  locks = over(backend)
  others = over(backend)
})

const over = (one: LockBackend): Locks => createLocks(() => one, { environment: time.process().environment })
const holding = (change: (hold: LockHold) => Partial<LockHold>) => holdingOn(backend, change)

describe('the signal', () => {
  it('comes before the end of a lease that was extended by less, also with renewal', async () => {
    const shortened = await over(backend).acquire('other', { ttl: '3s' })
    await shortened.extend('300ms')
    let leftMs = -1
    shortened.signal.addEventListener('abort', () => {
      leftMs = 0
    })
    await time.advance(2_000)
    // Renewed by as much as it was extended by.
    expect([shortened.state, shortened.ttlMs, leftMs]).toEqual(['held', 300, -1])
  })
  it('comes in time, and nobody asks without a pause, where renewals prove nothing', async () => {
    let asked = 0
    const proving = holding((hold) => {
      const { validUntilMs } = hold
      const extend = async (): Promise<boolean> => {
        asked += 1
        return true
      }
      return { validUntilMs, extend }
    })
    const lease = await over(proving).acquire('sku', { ttl: '3s' })
    let signalledAtMs = Number.POSITIVE_INFINITY
    lease.signal.addEventListener('abort', () => {
      signalledAtMs = time.nowMs
    })
    await time.advance(4_000)
    expect(signalledAtMs).toBeLessThan(3_000)
    expect(asked).toBeLessThan(12)
  })
  it('comes in time for a grant that was answered late, whose renewals are not answered', async () => {
    const late = holding((hold) => ({
      get validUntilMs() {
        return Math.min(hold.validUntilMs, 200)
      },
      extend: () => new Promise(() => {}),
    }))
    const lease = await over(late).acquire('sku', { ttl: '3s' })
    let signalledAtMs = Number.POSITIVE_INFINITY
    lease.signal.addEventListener('abort', () => {
      signalledAtMs = time.nowMs
    })
    await time.advance(3_000)
    expect(signalledAtMs).toBeLessThan(200)
  })
})

describe('a waiter whose turn is being passed on', () => {
  const silent = () => holding(() => ({ release: () => Promise.reject(unavailable()) }))

  it.each(['abort', 'the end of its wait', 'close'] as const)('hears %s at once', async (what) => {
    const own = over(silent())
    const lease = await own.acquire('sku', { ttl: '5s' })
    const abort = new AbortController()
    const wait = what === 'the end of its wait' ? '300ms' : '1m'
    const waiting = codeOf(own.acquire('sku', { wait, signal: abort.signal }))
    const behind = what === 'close' ? null : own.acquire('sku', { wait: '1m' })
    await lease.release()
    await time.advance(200)
    if (what === 'abort') abort.abort('enough')
    if (what === 'close') void own.close()
    await time.advance(200)
    const expected = {
      abort: 'enough',
      // It has waited for a backend that is away, and not for somebody who holds it.
      'the end of its wait': 'LOCKSTEP_LOCK_UNAVAILABLE',
      close: 'LOCKSTEP_LOCK_UNAVAILABLE',
    }
    expect(await waiting).toBe(expected[what])
    // Whoever stood behind is served when nobody can own it any more.
    await time.advance(15_000)
    if (behind !== null) expect((await behind).remaining()).toBeGreaterThan(0)
  })
})

describe('a lease', () => {
  it('that is extended by less without an answer ends then, and its signal comes before', async () => {
    const silent = holding((hold) => ({
      extend: async (ttlMs) => {
        await hold.extend(ttlMs)
        throw unavailable()
      },
    }))
    const lease = await over(silent).acquire('sku', { ttl: '9s' })
    expect(await codeOf(lease.extend('600ms'))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    let leftMs = -1
    lease.signal.addEventListener('abort', () => {
      leftMs = lease.remaining()
    })
    await time.advance(580)
    expect([lease.state, lease.signal.aborted]).toEqual(['lost', true])
    expect(leftMs).toBeGreaterThanOrEqual(0)
  })
  it('bears a setting that is wrong for a while', async () => {
    let isWrong = true
    const refusing = holding((hold) => ({
      extend: (ttlMs) =>
        isWrong
          ? Promise.reject(new LockstepError('LOCKSTEP_CONFIGURATION', { message: 'wrong password' }))
          : hold.extend(ttlMs),
    }))
    const lease = await over(refusing).acquire('sku', { ttl: '3s' })
    await time.advance(1_500)
    expect(lease.state).toBe('at-risk')
    isWrong = false
    await time.advance(1_000)
    expect(lease.state).toBe('held')
  })
})

describe('memory', () => {
  it('has one holder when an evicted one gives back late', async () => {
    const first = await locks.acquire('sku')
    await others.evict('sku')
    const second = await others.acquire('sku')
    await first.release()
    expect([await over(backend).tryAcquire('sku'), second.remaining() > 0]).toEqual([null, true])
  })
})

describe('a downgrade', () => {
  it('that meets a release leaves nothing behind', async () => {
    const { read, write } = locks.readWrite('sku')
    const writer = await write.acquire()
    const downgrading = codeOf(writer.downgrade().then((reader) => reader.release()))
    const released = await writer.release()
    expect([await downgrading, released.wasHeld]).toEqual([null, true])
    expect(await others.inspect('sku')).toEqual([])
    await (await others.readWrite('sku').write.acquire({ wait: 0 })).release()
    await (await read.acquire({ wait: 0 })).release()
  })
  it('that is asked for twice is one, and no renewal comes between it and its answer', async () => {
    const answered = Promise.withResolvers<void>()
    let extended = 0
    const slow = holding((hold) => ({
      extend: (ttlMs) => {
        extended += 1
        return hold.extend(ttlMs)
      },
      downgrade: async () => {
        const reader = (await hold.downgrade?.()) ?? null
        await answered.promise
        return reader
      },
    }))
    const writer = await over(slow).readWrite('sku').write.acquire({ ttl: '3s' })
    const readers = Promise.all([writer.downgrade(), writer.downgrade()])
    await time.advance(1_500)
    expect([writer.state, extended]).toEqual(['held', 0])
    answered.resolve()
    const [one, other] = await readers
    expect([one === other, one.state]).toEqual([true, 'held'])
  })
  it('without an answer is a loss: others may read by now', async () => {
    const writer = await over(holding(() => ({ downgrade: () => Promise.reject(unavailable()) })))
      .readWrite('sku')
      .write.acquire()
    expect(await codeOf(writer.downgrade())).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    expect([writer.state, writer.remaining()]).toEqual(['lost', 0])
  })
})

describe('tries side by side', () => {
  it('get as many permits and readers as there are', async () => {
    const semaphore = locks.semaphore('sku', 3)
    const permits = await Promise.all([1, 2, 3, 4].map(() => semaphore.tryAcquire()))
    expect(permits.map((permit) => permit !== null)).toEqual([true, true, true, false])
    const { read } = locks.readWrite('sku')
    expect((await Promise.all([read.tryAcquire(), read.tryAcquire()])).every((one) => one !== null)).toBe(true)
  })
  it('are told that the backend is away, and not that somebody holds it', async () => {
    const away: LockBackend = { ...backend, contend: () => Promise.reject(unavailable()) }
    const own = over(away)
    const codes = await Promise.all([1, 2, 3].map(() => codeOf(own.tryAcquire('sku'))))
    expect(codes).toEqual(Array(3).fill('LOCKSTEP_LOCK_UNAVAILABLE'))
  })
  it('of a mutex give it to one', async () => {
    const leases = await Promise.all([1, 2, 3].map(() => locks.tryAcquire('sku')))
    expect(leases.map((lease) => lease !== null)).toEqual([true, false, false])
  })
})

describe('close', () => {
  it('ends a campaign, and an observer that is aborted does not sleep on', async () => {
    await others.acquire('boss', { wait: 0 })
    const campaign = codeOf(locks.election('boss').campaign(async () => {}))
    await time.advance(10)
    void locks.close()
    await time.advance(10)
    expect(await campaign).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    const abort = new AbortController()
    const observing = (async () => {
      for await (const leader of others.election('boss').observe({ every: '1h', signal: abort.signal })) {
        expect(leader.token).not.toBeNull()
        abort.abort()
      }
      return 'over'
    })()
    await time.advance(10)
    expect(await observing).toBe('over')
  })
  it('leaves no timer, also when a release was not answered', async () => {
    const process = time.process()
    const own = createLocks(() => holding(() => ({ release: () => Promise.reject(unavailable()) })), {
      environment: process.environment,
    })
    await own.acquire('sku', { ttl: '1h' })
    await own.close()
    await time.advance(1_000)
    expect(process.timers()).toBe(0)
  })
  it('gives back what is granted while it closes', async () => {
    let grant: () => void = () => {}
    const slow: LockBackend = {
      ...backend,
      contend: async (ask) => {
        await new Promise<void>((resolve) => {
          grant = resolve
        })
        return backend.contend({ ...ask, signal: new AbortController().signal })
      },
      close: async () => {},
    }
    const own = over(slow)
    const acquiring = codeOf(own.acquire('sku'))
    await time.advance(10)
    await own.close()
    grant()
    expect(await acquiring).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    await time.advance(10)
    expect(await others.tryAcquire('sku')).not.toBeNull()
  })
})

describe('whoever observes', () => {
  it('sees grants, renewals, losses, releases and timeouts, with the tokens that leases have', async () => {
    const events: LockEvent[] = []
    const own = createLocks(() => backend, {
      environment: time.process().environment,
      observe: (event) => events.push(event),
      tokenOffset: 10n ** 18n,
    })
    const lease = await own.acquire('sku', { ttl: '3s' })
    expect(events[0]).toMatchObject({ kind: 'acquired', name: 'sku', mode: 'mutex', token: lease.fencingToken })
    await time.advance(1_100)
    await own.tryAcquire('sku')
    const [taken] = await own.evict('sku')
    expect(taken?.token).toBe(lease.fencingToken)
    await time.advance(1_100)
    await (await own.acquire('sku')).release()
    const kinds = events.map(({ kind }) => kind)
    expect(kinds).toEqual(['acquired', 'renewed', 'timeout', 'lost', 'acquired', 'released'])
  })
  it('and throws, breaks nothing', async () => {
    const own = createLocks(() => backend, {
      environment: time.process().environment,
      observe: () => {
        throw new Error('mine')
      },
    })
    const warned = new Promise((resolve) => process.once('warning', resolve))
    const lease = await own.acquire('sku', { ttl: '1s', renew: false })
    await time.advance(1_500)
    expect([lease.state, lease.signal.aborted]).toEqual(['lost', true])
    await (await own.acquire('sku')).release()
    expect(await warned).toMatchObject({ message: 'mine' })
  })
  it.each([1, -1n, '5'])('and a tokenOffset of %s is refused', (tokenOffset) => {
    expect(() => createLocks(() => backend, { tokenOffset: tokenOffset as never })).toThrowError(
      expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }),
    )
  })
})

describe('what a backend cannot do', () => {
  it('is refused before anything is sent', async () => {
    const none = { fencing: 'none', fair: false, wakeUp: 'poll', sharing: false } as const
    const poor = over({ ...backend, name: 'poor', capabilities: none })
    const unsupported = expect.objectContaining({ code: 'LOCKSTEP_LOCK_UNSUPPORTED' })
    for (const ask of [() => poor.readWrite('a'), () => poor.semaphore('a', 2), () => poor.election('a')])
      expect(ask).toThrowError(unsupported)
    const lease = await poor.acquire('a')
    expect(() => lease.fencingToken).toThrowError(unsupported)
  })
  it.each([0, -1, 1.5, 10_001, Number.NaN])('a semaphore of %s permits is refused', (permits) => {
    expect(() => locks.semaphore('a', permits)).toThrowError(
      expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }),
    )
  })
  it('a permit cannot be entered again', async () => {
    expect(await codeOf(locks.semaphore('a', 2).acquire({ reentrant: true }))).toBe('LOCKSTEP_LOCK_UNSUPPORTED')
  })
})

describe('several names', () => {
  it('are given back in reverse order, also when the wait ends halfway', async () => {
    const given: string[] = []
    const noting: LockBackend = {
      ...backend,
      contend: async (ask) => {
        const hold = await backend.contend(ask)
        if (hold === null) return null
        const { token, ttlMs, validUntilMs } = hold
        const release = (): Promise<boolean> => {
          given.push(ask.name)
          return hold.release()
        }
        return { token, ttlMs, validUntilMs, extend: (ms) => hold.extend(ms), release, watch() {} }
      },
    }
    const own = over(noting)
    await (await own.multi(['b', 'c', 'a'])).release()
    const held = await others.acquire('c')
    const abort = new AbortController()
    const acquiring = codeOf(own.multi(['a', 'b', 'c'], { signal: abort.signal }))
    await time.advance(10)
    abort.abort('enough')
    expect([await acquiring, given]).toEqual(['enough', ['c', 'b', 'a', 'b', 'a']])
    await held.release()
  })
})
