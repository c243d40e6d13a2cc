import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { LockCase, LockLab, LockProcess } from './lock-case.ts'
import { codeOf, eventually, nothingLeft, Register } from './watching.ts'

const processes = (lab: LockLab, count: number): Promise<LockProcess[]> =>
  Promise.all(Array.from({ length: count }, () => lab.process()))

/** What a mutex promises while nobody dies. */
export const mutexCases: readonly LockCase[] = [
  {
    name: 'one holder at a time, each with a larger token, among tasks of three processes',
    async run(lab, name) {
      const register = new Register()
      const work = async ({ locks }: LockProcess): Promise<void> => {
        await locks.withLock(name, (lease) => register.hold(lease, 2), { wait: '20s' })
      }
      const all = await processes(lab, 3)
      await Promise.all(all.flatMap((one) => Array.from({ length: 5 }, () => work(one))))
      register.check(15)
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'two tasks of one process never own a name together',
    async run(lab, name) {
      const [{ locks }] = (await processes(lab, 1)) as [LockProcess]
      const lease = await locks.acquire(name)
      equal(await locks.tryAcquire(name), null)
      equal(await codeOf(locks.acquire(name, { wait: 100 })), 'LOCKSTEP_LOCK_TIMEOUT')
      await lease.release()
      await (await locks.acquire(name)).release()
    },
  },
  {
    name: 'tryAcquire gives null only while somebody else holds it, and does not wait',
    async run(lab, name) {
      const [a, b] = (await processes(lab, 2)) as [LockProcess, LockProcess]
      const lease = await a.locks.acquire(name)
      equal(await b.locks.tryAcquire(name), null)
      await lease.release()
      const taken = await b.locks.tryAcquire(name)
      ok(taken !== null && taken.fencingToken > lease.fencingToken)
      await taken.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'waiters of several processes are served in the order of their asking',
    requires: 'fair',
    async run(lab, name) {
      const [first, ...others] = await processes(lab, 4)
      const lease = await first?.locks.acquire(name)
      const order: number[] = []
      const waiting: Promise<unknown>[] = []
      // Connections are made before, so that none is in the way of the order.
      for (const { locks } of others) equal(await locks.tryAcquire(name), null)
      for (const [index, { locks }] of others.entries()) {
        waiting.push(locks.withLock(name, () => order.push(index), { wait: '20s' }))
        // Whoever comes later asks later: each is in its queue before the next one asks.
        await pause(150)
      }
      await lease?.release()
      await Promise.all(waiting)
      deepEqual(order, [0, 1, 2])
    },
  },
  {
    name: 'a wait that is over fails with LOCKSTEP_LOCK_TIMEOUT, in time, and leaves nothing behind',
    async run(lab, name) {
      const [a, b] = (await processes(lab, 2)) as [LockProcess, LockProcess]
      const lease = await a.locks.acquire(name)
      const startedMs = performance.now()
      equal(await codeOf(b.locks.acquire(name, { wait: 300 })), 'LOCKSTEP_LOCK_TIMEOUT')
      const waitedMs = performance.now() - startedMs
      ok(waitedMs >= 290 && waitedMs < 5_000, `waited for ${waitedMs} ms`)
      await lease.release()
      await nothingLeft(lab, name)
      await (await b.locks.acquire(name, { wait: 1_000 })).release()
    },
  },
  {
    name: 'an abort ends the wait at once with its own reason, and leaves nothing behind',
    async run(lab, name) {
      const [a, b] = (await processes(lab, 2)) as [LockProcess, LockProcess]
      const lease = await a.locks.acquire(name)
      for (const { locks } of [a, b]) {
        const abort = new AbortController()
        const waiting = codeOf(locks.acquire(name, { wait: Infinity, signal: abort.signal }))
        await pause(100)
        abort.abort(new Error('enough'))
        const startedMs = performance.now()
        equal(await waiting, 'Error: enough')
        ok(performance.now() - startedMs < 1_000)
      }
      equal(await codeOf(b.locks.acquire(name, { signal: AbortSignal.abort('at once') })), 'at once')
      await lease.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'an abort at any moment of an acquire leaves nothing behind',
    async run(lab, name) {
      const [a] = (await processes(lab, 1)) as [LockProcess]
      for (let delay = 0; delay < 8; delay++) {
        const abort = new AbortController()
        const acquiring = a.locks.acquire(name, { signal: abort.signal, ttl: lab.ttlMs })
        setTimeout(() => abort.abort('stop'), delay)
        const code = await acquiring.then(
          async (lease) => void (await lease.release()),
          (error: unknown) => error,
        )
        ok(code === undefined || code === 'stop', `it was ${String(code)}`)
      }
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'withLock gives the result of the work, or what it threw, unchanged',
    async run(lab, name) {
      const [{ locks }] = (await processes(lab, 1)) as [LockProcess]
      equal(await locks.withLock(name, () => 7), 7)
      const own = new Error('mine')
      equal(await codeOf(locks.withLock(name, () => Promise.reject(own))), 'Error: mine')
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'a second release gives the first answer, and what was released is nobody’s',
    async run(lab, name) {
      const [{ locks }] = (await processes(lab, 1)) as [LockProcess]
      const lease = await locks.acquire(name)
      deepEqual([await lease.release(), await lease.release()], Array(2).fill({ released: true, wasHeld: true }))
      equal(await codeOf((async () => lease.assertHeld())()), 'LOCKSTEP_LOCK_NOT_OWNER')
      equal(await codeOf(lease.extend()), 'LOCKSTEP_LOCK_NOT_OWNER')
      equal(lease.remaining(), 0)
    },
  },
  {
    name: 'several names are taken all or none, and opposite orders never wait in a circle',
    async run(lab, name) {
      const [a, b] = (await processes(lab, 2)) as [LockProcess, LockProcess]
      const names = [`${name}.1`, `${name}.2`]
      const work = async ({ locks }: LockProcess, order: readonly string[]): Promise<void> => {
        const lease = await locks.multi(order, { wait: '10s' })
        notEqual(lease.tokenOf(names[0] ?? ''), 0n)
        await lease.release()
      }
      const rounds = Array.from({ length: 4 }, () => [work(a, names), work(b, names.toReversed())])
      await Promise.all(rounds.flat())
      const second = await a.locks.acquire(`${name}.2`)
      equal(await codeOf(b.locks.multi(names, { wait: 200 })), 'LOCKSTEP_LOCK_TIMEOUT')
      await (await a.locks.acquire(`${name}.1`, { wait: 1_000 })).release()
      await second.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'names and kinds of locks do not touch each other',
    async run(lab, name) {
      const [{ locks }] = (await processes(lab, 1)) as [LockProcess]
      const odd = [name, `${name}:lock`, `${name}:token`, `${name}.a`, `${name}~`, `${name}=`, `${name}@+-_`]
      const leases = await Promise.all(odd.map((one) => locks.acquire(one, { wait: 10_000 })))
      if (lab.capabilities.sharing) {
        leases.push(await locks.semaphore(name, 1).acquire({ wait: 10_000 }))
        leases.push(await locks.readWrite(name).write.acquire({ wait: 10_000 }))
      }
      await Promise.all(leases.map((lease) => lease.release()))
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'two hundred names at once over the connections of one process',
    async run(lab, name) {
      const [{ locks }] = (await processes(lab, 1)) as [LockProcess]
      const names = Array.from({ length: 200 }, (_, index) => `${name}.${index}`)
      const leases = await Promise.all(names.map((one) => locks.acquire(one, { wait: '20s' })))
      ok(leases.every((lease) => lease.remaining() > 0))
      await Promise.all(leases.map((lease) => lease.release()))
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'inspect says who holds a name, with which token, for how long, and how many wait',
    async run(lab, name) {
      const [a, b] = (await processes(lab, 2)) as [LockProcess, LockProcess]
      const lease = await a.locks.acquire(name, { label: 'nightly import' })
      const waiting = b.locks.acquire(name, { wait: '10s' })
      await pause(200)
      const [info] = await b.locks.inspect(name)
      equal(info?.token, lease.fencingToken)
      deepEqual([info?.name, info?.mode, info?.holder?.label], [name, 'mutex', 'nightly import'])
      equal(info?.holder?.pid, process.pid)
      ok(info?.remainingMs === null || (info?.remainingMs ?? 0) > 0)
      if (lab.capabilities.fair) equal(info?.waiters, 1)
      ok((await b.locks.inspect()).some((one) => one.name === name))
      await lease.release()
      await (await waiting).release()
      deepEqual(await b.locks.inspect(name), [])
    },
  },
  {
    name: 'an evicted holder loses it at its next renewal, and the next one has a larger token',
    async run(lab, name) {
      const [a, b] = (await processes(lab, 2)) as [LockProcess, LockProcess]
      const lease = await a.locks.acquire(name, { ttl: lab.ttlMs })
      deepEqual(await b.locks.evict(name, lease.fencingToken + 1n), [])
      const taken = await b.locks.evict(name, lease.fencingToken)
      deepEqual(
        taken.map(({ token }) => token),
        [lease.fencingToken],
      )
      const next = await b.locks.acquire(name, { wait: '5s' })
      ok(next.fencingToken > lease.fencingToken)
      await eventually('the evicted one is told', () => lease.state === 'lost', lab.ttlMs + 5_000)
      // What is lost gives back nothing: it would be somebody else's.
      deepEqual(await lease.release(), { released: false, wasHeld: false })
      await next.extend()
      await next.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'close gives everything back, and what is asked after it is refused',
    async run(lab, name) {
      const [a, b] = (await processes(lab, 2)) as [LockProcess, LockProcess]
      await a.locks.acquire(name)
      await a.locks.close()
      await (await b.locks.acquire(name, { wait: 10_000 })).release()
      notEqual(await codeOf(a.locks.acquire(name, { wait: 100 })), 'nothing thrown')
      await nothingLeft(lab, name)
    },
  },
]
