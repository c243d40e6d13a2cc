/** Reentrancy: the owner is a piece of asynchronous work. */
import { describe, expect, it } from 'vitest'
import { createLocks, isLockstepError } from '../../src/index.ts'
import { type Lease, memoryLocks } from '../../src/locks/index.ts'

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => (isLockstepError(error) ? error.code : error),
  )
const open = () => createLocks(memoryLocks())

describe('a lock that is taken again', () => {
  it('is refused or waited for unless it is asked for', async () => {
    const locks = open()
    const inner = await locks.withLock('sku', () =>
      Promise.all([locks.tryAcquire('sku'), codeOf(locks.acquire('sku', { wait: 20 }))]),
    )
    expect(inner).toEqual([null, 'LOCKSTEP_LOCK_TIMEOUT'])
  })
  it('RFencedLock: has the same token, and its release gives back nothing', async () => {
    const locks = open()
    await locks.withLock('sku', async (lease) => {
      const again = await locks.acquire('sku', { reentrant: true })
      const deeper = await locks.acquire('sku', { reentrant: true })
      expect([again.fencingToken, deeper.fencingToken]).toEqual([lease.fencingToken, lease.fencingToken])
      expect([await deeper.release(), await again.release()]).toEqual(Array(2).fill({ released: true, wasHeld: true }))
      expect(() => again.assertHeld()).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_LOCK_NOT_OWNER' }))
      expect([lease.state, (await locks.inspect('sku')).length]).toEqual(['held', 1])
    })
    expect(await locks.inspect('sku')).toEqual([])
  })
  it('is shared by what runs side by side inside, and by nobody outside', async () => {
    const locks = open()
    const outside: Promise<Lease | null>[] = []
    await locks.withLock('sku', async () => {
      const both = await Promise.all([1, 2].map(() => locks.acquire('sku', { reentrant: true })))
      expect(new Set(both.map((lease) => lease.fencingToken)).size).toBe(1)
    })
    const lease = await locks.acquire('sku')
    outside.push(locks.tryAcquire('sku', { reentrant: true }))
    expect(await outside[0]).toBeNull()
    // `run` is how a lease that was acquired moves its ownership on.
    expect((await lease.run(() => locks.acquire('sku', { reentrant: true }))).fencingToken).toBe(lease.fencingToken)
    await lease.release()
  })
  it('by work that has outlived it is refused, and never acquired anew', async () => {
    const locks = open()
    let later: Promise<unknown> = Promise.resolve()
    await locks.withLock('sku', () => {
      later = new Promise((resolve) => setTimeout(resolve, 20)).then(() => locks.acquire('sku', { reentrant: true }))
      later.catch(() => {})
    })
    expect(await codeOf(later)).toBe('LOCKSTEP_LOCK_NOT_OWNER')
  })
  it('of other locks is not found: a context belongs to the locks it was opened by', async () => {
    const [locks, others] = [open(), open()]
    await locks.withLock('sku', async (lease) => {
      const other = await others.acquire('sku', { reentrant: true })
      expect(other).not.toBe(lease)
      await other.release()
      expect(await others.inspect('sku')).toEqual([])
    })
  })
  it('a writer may read, a reader may not write', async () => {
    const { read, write } = open().readWrite('sku')
    await write.withLock(async (lease) => {
      expect((await read.acquire({ reentrant: true })).fencingToken).toBe(lease.fencingToken)
    })
    await read.withLock(async () => {
      expect(await codeOf(write.acquire({ reentrant: true }))).toBe('LOCKSTEP_LOCK_UNSUPPORTED')
    })
  })
})

describe('several names', () => {
  it('are sorted, named once, and have a token each', async () => {
    const locks = open()
    await using lease = await locks.multi(['b', 'a', 'b'])
    expect(lease.names).toEqual(['a', 'b'])
    expect(lease.tokenOf('b')).toBeGreaterThan(lease.tokenOf('a'))
    expect(() => lease.tokenOf('c')).toThrowError(expect.objectContaining({ code: 'LOCKSTEP_CONFIGURATION' }))
  })
  it('are lost with the first of them', async () => {
    const locks = open()
    const lease = await locks.multi(['a', 'b'], { ttl: 60 })
    await locks.evict('b')
    await lease.lost
    expect([lease.state, lease.signal.aborted, lease.remaining()]).toEqual(['lost', true, 0])
    await lease.release()
    expect(await locks.inspect()).toEqual([])
  })
  it('that are none are refused', async () => {
    expect(await codeOf(open().multi([]))).toBe('LOCKSTEP_CONFIGURATION')
  })
})

describe('an election', () => {
  it('campaigns again only when the work of the lost office has settled', async () => {
    const locks = open()
    const terms: string[] = []
    let settleOld: () => void = () => {}
    const campaign = locks.election('boss').campaign(
      async (lease) => {
        terms.push('elected')
        if (terms.length > 1) return 'second term'
        await lease.lost
        await new Promise<void>((resolve) => {
          settleOld = resolve
        })
        throw new Error('late trouble of the first term is nobody’s result')
      },
      { ttl: 60 },
    )
    await new Promise((resolve) => setTimeout(resolve, 10))
    await locks.evict('boss')
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(terms).toEqual(['elected'])
    settleOld()
    expect(await campaign).toBe('second term')
  })
  it('fails with what the work threw in office, and with the reason of the signal', async () => {
    const locks = open()
    const own = new Error('mine')
    await expect(locks.election('boss').campaign(() => Promise.reject(own))).rejects.toBe(own)
    const lease = await locks.acquire('boss')
    const campaign = locks.election('boss').campaign(async () => {}, { signal: AbortSignal.timeout(20) })
    await expect(campaign).rejects.toMatchObject({ name: 'TimeoutError' })
    await lease.release()
    expect(await locks.inspect()).toEqual([])
  })
})

describe('tokens after a change of backend', () => {
  it('are raised by tokenOffset, also where they are shown and named', async () => {
    const plain = open()
    const old = await plain.acquire('sku')
    const locks = createLocks(memoryLocks(), { tokenOffset: 10n ** 18n })
    const lease = await locks.acquire('sku')
    expect(lease.fencingToken).toBeGreaterThan(10n ** 18n)
    expect(lease.fencingToken).toBeGreaterThan(old.fencingToken)
    expect((await locks.inspect('sku'))[0]?.token).toBe(lease.fencingToken)
    expect(await locks.evict('sku', lease.fencingToken)).toHaveLength(1)
  })
})
