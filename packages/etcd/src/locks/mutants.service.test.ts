/** Each known bug of the queue shows in the way its name says; otherwise the suite would guard nothing. */
import { createLocks } from 'lockstep'
import type { Locks } from 'lockstep/locks'
import { armMutant } from 'lockstep/testing'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type RunningEtcd, startEtcd, testsWithEtcd } from '../../../testkit/src/services/etcd.ts'
import { startTcpProxy, type TcpProxy } from '../../../testkit/src/services/tcp-proxy.ts'
import { keysLeft, prefix, until } from '../../test/etcd-lab.ts'
import { type Etcd, etcdLocks, openEtcd } from '../index.ts'

if (testsWithEtcd()) {
  let server: RunningEtcd
  let observer: Etcd
  let proxy: TcpProxy
  const opened: Locks[] = []
  const open = (endpoints: readonly string[] = server.endpoints): Locks => {
    const locks = createLocks(etcdLocks({ endpoints, requestTimeoutMs: 1_000 }, { prefix, ttlMs: 10_000 }))
    opened.push(locks)
    return locks
  }
  const queued = (name: string, count: number) =>
    until(`${count} stand in the queue`, async () => (await keysLeft(observer, name)).length === count)

  beforeAll(async () => {
    server = await startEtcd({ private: true })
    observer = openEtcd({ endpoints: server.endpoints })
    proxy = await startTcpProxy({ port: Number(new URL(server.endpoints[0] ?? '').port) })
  })
  afterAll(async () => {
    observer?.close()
    await proxy?.close()
    await server?.stop()
  })
  afterEach(async () => {
    armMutant(null)
    proxy.heal()
    await Promise.all(opened.splice(0).map((locks) => locks.close()))
  })

  /** A waiter gives up while the first one holds. Who stood behind it is woken, and must not take that for its turn. */
  async function predecessorLeaves(mutant: string | null) {
    armMutant(mutant)
    const name = `leaves-${mutant}`
    const holder = await open().acquire(name)
    const abort = new AbortController()
    const leaving = open()
      .acquire(name, { signal: abort.signal, wait: '20s' })
      .catch(() => null)
    await queued(name, 2)
    const last = open()
      .acquire(name, { wait: 1_000 })
      .catch(() => null)
    await queued(name, 3)
    abort.abort('bye')
    await leaving
    const holders = [holder, await last].filter((lease) => lease?.state === 'held')
    return { holders: holders.length }
  }

  test('without a look after a wake-up, two hold when somebody leaves the queue', async () => {
    expect(await predecessorLeaves(null)).toEqual({ holders: 1 })
    expect(await predecessorLeaves('W6-no-list-again')).toEqual({ holders: 2 })
  })

  /** What stands in the queue is taken away, as when a lease ends: its owner is woken, and nobody stands before it. */
  async function entryIsGone(mutant: string | null) {
    armMutant(mutant)
    const name = `gone-${mutant}`
    const queue = { key: `${prefix}mutex/${name}/`, rangeEnd: `${prefix}mutex/${name}0` }
    await open().acquire(name, { renew: false })
    const waiting = open().acquire(name, { wait: '10s' })
    await queued(name, 2)
    await observer.delete(queue)
    const { fencingToken } = await waiting
    const { entries } = await observer.range(queue)
    return { isInTheQueue: entries.some(({ createRevision }) => createRevision === fencingToken) }
  }

  test('#11456: without a look at its own key, whose entry is gone is granted all the same', async () => {
    expect(await entryIsGone(null)).toEqual({ isInTheQueue: true })
    expect(await entryIsGone('W6-no-list-again')).toEqual({ isInTheQueue: false })
  })

  /** The server puts what is sent, and no answer comes. */
  async function entryIsUnheard(mutant: string | null) {
    armMutant(mutant)
    const name = `unheard-${mutant}`
    const locks = open([`http://127.0.0.1:${proxy.port}`])
    await (await locks.acquire(`${name}-first`)).release()
    proxy.dropAnswers()
    const failed = locks.acquire(name, { wait: 500 }).catch((error: { code: string }) => error.code)
    await queued(name, 1)
    expect(await failed).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
    proxy.heal()
    const next = await open()
      .acquire(name, { wait: 2_000 })
      .catch(() => null)
    return { isFree: next !== null }
  }

  test('without a withdrawal, an entry whose answer is lost blocks the name', async () => {
    expect(await entryIsUnheard(null)).toEqual({ isFree: true })
    expect(await entryIsUnheard('W7-no-protected-create')).toEqual({ isFree: false })
  })
}
