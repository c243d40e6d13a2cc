/** Those of one process who want one name: whose turn it is, and what the others are told. */
import { beforeEach, describe, expect, it } from 'vitest'
import { createLocks } from '../../src/index.ts'
import { type Locks, memoryLocks } from '../../src/locks/index.ts'
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

/** Answers when the test says so. */
function slowContend() {
  const grants: (() => void)[] = []
  const slow: LockBackend = {
    ...backend,
    contend: async (ask) => {
      await new Promise<void>((resolve) => void grants.push(resolve))
      return backend.contend(ask)
    },
  }
  const settle = (): void => {
    for (const grant of grants.splice(0)) grant()
  }
  return { slow, grants, settle }
}

describe('the queue of one process', () => {
  it('goes on behind a reader whose turn came at the very end of its wait', async () => {
    const { slow, settle } = slowContend()
    const { environment } = time.process()
    // Timers come late, as in a process that is busy: the answer is handled before the end of the wait is.
    const timers = { after: (ms: number, fire: () => void) => environment.timers.after(ms + 60, fire) }
    const own = createLocks(() => slow, { environment: { ...environment, timers } })
    const { read } = own.readWrite('page')
    const first = read.acquire()
    const second = codeOf(read.acquire({ wait: '100ms' }))
    await time.advance(150)
    settle()
    await time.advance(10)
    settle()
    await first
    await second
    const third = read.acquire({ wait: '1s' })
    await time.advance(10)
    settle()
    expect((await third).state).toBe('held')
  })
  it('a try does not wait behind one of its own process that waits for somebody else', async () => {
    await others.acquire('sku', { ttl: '1m' })
    const waiting = new AbortController()
    const waiter = codeOf(locks.acquire('sku', { wait: Infinity, signal: waiting.signal }))
    await time.advance(10)
    const tries = [locks.tryAcquire('sku'), codeOf(locks.acquire('sku', { wait: 0 }))]
    expect(await Promise.all(tries)).toEqual([null, 'LOCKSTEP_LOCK_TIMEOUT'])
    waiting.abort('enough')
    expect(await waiter).toBe('enough')
  })
  it('a try that stands behind another one goes when somebody who waits comes before it', async () => {
    const { slow, grants, settle } = slowContend()
    await others.acquire('sku', { ttl: '1m' })
    const own = over(slow)
    const waiting = new AbortController()
    const [first, waiter, last] = [
      own.tryAcquire('sku'),
      codeOf(own.acquire('sku', { wait: Infinity, signal: waiting.signal })),
      own.tryAcquire('sku'),
    ]
    await time.advance(10)
    settle()
    expect(await Promise.all([first, last])).toEqual([null, null])
    await time.advance(10)
    expect(grants).toHaveLength(1)
    waiting.abort('enough')
    settle()
    expect(await waiter).toBe('enough')
  })
  it('nobody asks the backend while a release is on its way, also who came after it had left', async () => {
    const order: string[] = []
    const answered = Promise.withResolvers<void>()
    const releasing = holding((hold) => ({
      release: async () => {
        order.push('release sent')
        await answered.promise
        order.push('release answered')
        return hold.release()
      },
    }))
    const watched: LockBackend = {
      ...releasing,
      contend: (ask) => {
        order.push('asked')
        return releasing.contend(ask)
      },
    }
    const own = over(watched)
    const lease = await own.acquire('sku')
    const released = lease.release()
    await time.advance(10)
    const [next, tried] = [own.acquire('sku'), own.tryAcquire('sku')]
    await time.advance(10)
    answered.resolve()
    await Promise.all([released, next])
    expect(order).toEqual(['asked', 'release sent', 'release answered', 'asked'])
    expect(await tried).toBeNull()
  })
  it('a try that comes while a release is on its way has its turn behind it', async () => {
    const answered = Promise.withResolvers<void>()
    const own = over(holding((hold) => ({ release: () => answered.promise.then(() => hold.release()) })))
    const released = (await own.acquire('sku')).release()
    const tried = own.tryAcquire('sku')
    await time.advance(10)
    answered.resolve()
    await released
    expect((await tried)?.state).toBe('held')
  })
  it('is told within one TTL that the backend is away, and serves again after it', async () => {
    const away = { isAway: false }
    const failing = holding((hold) => ({
      release: () => (away.isAway ? Promise.reject(unavailable()) : hold.release()),
    }))
    const own = over(failing)
    const lease = await own.acquire('sku', { ttl: '2s' })
    away.isAway = true
    const waiter = codeOf(own.acquire('sku', { wait: '500ms' }))
    expect(await lease.release()).toEqual({ released: false, wasHeld: 'unknown' })
    expect(await codeOf(own.tryAcquire('sku'))).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    await time.advance(600)
    expect(await waiter).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    await time.advance(1_500)
    away.isAway = false
    expect((await own.acquire('sku', { wait: 0 })).state).toBe('held')
  })
  it('one that has gone while its pass was not answered is abandoned, and one that comes is not', async () => {
    const abandoned: string[] = []
    const passing: LockBackend = {
      ...backend,
      pass: () => Promise.reject(unavailable()),
      abandon: ({ holder }) => void abandoned.push(holder.label),
    }
    const own = over(passing)
    const lease = await own.acquire('sku')
    const stop = new AbortController()
    const gone = codeOf(own.acquire('sku', { label: 'gone', signal: stop.signal }))
    const stays = own.acquire('sku', { label: 'stays' })
    const released = lease.release()
    stop.abort('enough')
    await time.advance(10)
    await released
    expect([await gone, (await stays).state, abandoned]).toEqual(['enough', 'held', ['gone']])
  })
})
