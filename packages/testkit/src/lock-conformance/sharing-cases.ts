import { deepEqual, equal, ok } from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { LockCase } from './lock-case.ts'
import { codeOf, eventually, nothingLeft } from './watching.ts'

/** Read-write locks, semaphores and elections. */
export const sharingCases: readonly LockCase[] = [
  {
    name: 'readers share, and a writer is alone',
    requires: 'sharing',
    async run(lab, name) {
      const [a, b] = [(await lab.process()).locks.readWrite(name), (await lab.process()).locks.readWrite(name)]
      const readers = [await a.read.acquire(), await a.read.acquire({ wait: 10_000 }), await b.read.acquire()]
      deepEqual(
        readers.map((lease) => lease.exclusive),
        [false, false, false],
      )
      equal(await b.write.tryAcquire(), null)
      const writing = b.write.acquire({ wait: '10s' })
      for (const reader of readers) await reader.release()
      const writer = await writing
      equal(writer.exclusive, true)
      deepEqual([await a.read.tryAcquire(), await a.write.tryAcquire(), await b.read.tryAcquire()], [null, null, null])
      await writer.release()
      await (await a.read.acquire({ wait: 10_000 })).release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'a writer that waits stops new readers, and is not starved by them',
    requires: 'sharing',
    async run(lab, name) {
      const [a, b, c] = [await lab.process(), await lab.process(), await lab.process()]
      const reader = await a.locks.readWrite(name).read.acquire()
      const writing = b.locks.readWrite(name).write.acquire({ wait: '10s' })
      await pause(150)
      equal(await c.locks.readWrite(name).read.tryAcquire(), null)
      const later = c.locks.readWrite(name).read.acquire({ wait: '10s' })
      await pause(100)
      await reader.release()
      const writer = await writing
      ok(writer.fencingToken > reader.fencingToken)
      await writer.release()
      await (await later).release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'a writer that gives up lets the readers behind it in',
    requires: 'sharing',
    async run(lab, name) {
      const [a, b, c] = [await lab.process(), await lab.process(), await lab.process()]
      const reader = await a.locks.readWrite(name).read.acquire()
      const writing = codeOf(b.locks.readWrite(name).write.acquire({ wait: 300 }))
      await pause(100)
      const later = c.locks.readWrite(name).read.acquire({ wait: '10s' })
      equal(await writing, 'LOCKSTEP_LOCK_TIMEOUT')
      const second = await later
      ok(reader.remaining() > 0)
      await Promise.all([reader.release(), second.release()])
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'CURATOR-621: a downgrade lets no waiting writer slip in',
    requires: 'sharing',
    async run(lab, name) {
      const [a, b] = [await lab.process(), await lab.process()]
      const writer = await a.locks.readWrite(name).write.acquire({ ttl: lab.ttlMs })
      let isWritten = false
      const writing = b.locks
        .readWrite(name)
        .write.acquire({ wait: '20s' })
        .then((lease) => {
          isWritten = true
          return lease
        })
      await pause(100)
      const reader = await writer.downgrade()
      deepEqual([writer.state, reader.mode], ['released', 'read'])
      equal(await codeOf((async () => writer.assertHeld())()), 'LOCKSTEP_LOCK_NOT_OWNER')
      await pause(lab.ttlMs * 1.5)
      deepEqual([isWritten, reader.state], [false, 'held'])
      await reader.release()
      await (await writing).release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'who reads is refused to write at once, instead of waiting for itself for ever',
    requires: 'sharing',
    async run(lab, name) {
      const { read, write } = (await lab.process()).locks.readWrite(name)
      equal(await read.withLock(() => codeOf(write.acquire())), 'LOCKSTEP_LOCK_UNSUPPORTED')
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'a semaphore gives so many permits and no more, and none is lost',
    requires: 'sharing',
    async run(lab, name) {
      const all = [await lab.process(), await lab.process(), await lab.process()]
      let out = 0
      let most = 0
      const work = async (index: number): Promise<void> => {
        await all[index % 3]?.locks.semaphore(name, 3).withLock(
          async (permit) => {
            equal(permit.exclusive, false)
            out += 1
            most = Math.max(most, out)
            await pause(5)
            out -= 1
          },
          { wait: '20s' },
        )
      }
      await Promise.all(Array.from({ length: 18 }, (_, index) => work(index)))
      ok(most >= 2 && most <= 3, `${most} permits were out`)
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'a dead reader, writer or holder of a permit frees it after its TTL',
    requires: 'sharing',
    async run(lab, name) {
      const [a, b] = [await lab.process(), await lab.process()]
      await a.locks.readWrite(`${name}.r`).read.acquire({ ttl: lab.ttlMs })
      await a.locks.readWrite(`${name}.w`).write.acquire({ ttl: lab.ttlMs })
      await a.locks.semaphore(`${name}.s`, 1).acquire({ ttl: lab.ttlMs })
      const options = { wait: lab.freedAfterMs + 5_000 }
      const waiting = [
        b.locks.readWrite(`${name}.r`).write.acquire(options),
        b.locks.readWrite(`${name}.w`).read.acquire(options),
        b.locks.semaphore(`${name}.s`, 1).acquire(options),
      ]
      await pause(100)
      await a.crash()
      const startedMs = performance.now()
      const leases = await Promise.all(waiting)
      ok(performance.now() - startedMs < lab.freedAfterMs + 5_000)
      await Promise.all(leases.map((lease) => lease.release()))
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'an abort in each phase of a shared wait leaks no permit (CURATOR-462)',
    requires: 'sharing',
    async run(lab, name) {
      const [a, b] = [await lab.process(), await lab.process()]
      const semaphore = b.locks.semaphore(name, 1)
      const held = await a.locks.semaphore(name, 1).acquire()
      for (let delay = 0; delay < 6; delay++) {
        const abort = new AbortController()
        const waiting = codeOf(semaphore.acquire({ signal: abort.signal, wait: Infinity }))
        await pause(delay * 3)
        abort.abort('stop')
        equal(await waiting, 'stop')
      }
      await held.release()
      await (await semaphore.acquire({ wait: '5s' })).release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'etcd, “electing more than one leader”: one leads at a time, its death passes the office on, and the observers see it',
    requires: 'sharing',
    async run(lab, name) {
      const [a, b] = [await lab.process(), await lab.process()]
      const terms: bigint[] = []
      const stop = new AbortController()
      const lead = ({ locks }: typeof a): Promise<void> =>
        locks.election(name).campaign(
          async (lease) => {
            terms.push(lease.fencingToken)
            await new Promise<void>((resolve) => {
              const end = (): void => resolve()
              lease.signal.addEventListener('abort', end)
              stop.signal.addEventListener('abort', end)
            })
          },
          { ttl: lab.ttlMs, signal: stop.signal },
        )
      const campaigns = [codeOf(lead(a))]
      await pause(150)
      campaigns.push(codeOf(lead(b)))
      await pause(150)
      const elected = terms.length
      equal(elected, 1)
      const seen: (bigint | null)[] = []
      for await (const leader of b.locks.election(name).observe({ every: 50 })) {
        seen.push(leader.token)
        if (leader.token === terms[0]) await a.crash()
        // Who is elected hears of it a little later than the backend knows it.
        if (leader.token !== null && leader.token > (terms[0] ?? 0n)) break
      }
      await eventually('the second one is in office', () => terms.length === 2, lab.freedAfterMs + 5_000)
      equal(seen[0], terms[0])
      ok((terms[1] ?? 0n) > (terms[0] ?? 0n))
      stop.abort('over')
      await campaigns[1]
      await nothingLeft(lab, name)
    },
  },
]
