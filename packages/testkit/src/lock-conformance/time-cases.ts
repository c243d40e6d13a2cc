import { deepEqual, equal, ok } from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { LockCase } from './lock-case.ts'
import { codeOf, eventually, nothingLeft } from './watching.ts'

/** What happens as time passes, and when somebody dies. */
export const timeCases: readonly LockCase[] = [
  {
    name: 'a lease is renewed for as long as its process lives',
    async run(lab, name) {
      const [a, b] = [await lab.process(), await lab.process()]
      const lease = await a.locks.acquire(name, { ttl: lab.ttlMs })
      await pause(lab.ttlMs * 2.5)
      deepEqual([lease.state, lease.remaining() > 0], ['held', true])
      equal(await b.locks.tryAcquire(name), null)
      deepEqual(await lease.release(), { released: true, wasHeld: true })
    },
  },
  {
    name: 'without renewal it is lost, told before its end, and its release touches nobody',
    async run(lab, name) {
      if (lab.hasSession) return
      const [a, b] = [await lab.process(), await lab.process()]
      const lease = await a.locks.acquire(name, { ttl: lab.ttlMs, renew: false })
      const order: string[] = []
      lease.signal.addEventListener('abort', () => order.push('told'))
      const next = await b.locks.acquire(name, { wait: lab.ttlMs * 4, ttl: lab.ttlMs })
      order.push('granted to another')
      deepEqual(order, ['told', 'granted to another'])
      ok(next.fencingToken > lease.fencingToken)
      equal((await lease.lost).code, 'LOCKSTEP_LOCK_LOST')
      equal(await codeOf(lease.extend()), 'LOCKSTEP_LOCK_LOST')
      deepEqual(await lease.release(), { released: false, wasHeld: false })
      await pause(50)
      await next.extend()
      await next.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'an extension by less ends it earlier, for its holder as well as for others',
    async run(lab, name) {
      if (lab.hasSession) return
      const [a, b] = [await lab.process(), await lab.process()]
      const lease = await a.locks.acquire(name, { ttl: lab.ttlMs * 10, renew: false })
      await lease.extend(lab.ttlMs)
      ok(lease.remaining() <= lab.ttlMs, `${lease.remaining()} ms are left of ${lab.ttlMs}`)
      const startedMs = performance.now()
      const next = await b.locks.acquire(name, { wait: lab.ttlMs * 5 })
      ok(performance.now() - startedMs < lab.ttlMs + 4_000)
      equal(lease.state, 'lost')
      await next.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'an extension by more is kept by the renewals after it',
    async run(lab, name) {
      if (lab.hasSession) return
      const { locks } = await lab.process()
      const lease = await locks.acquire(name, { ttl: lab.ttlMs })
      await lease.extend(lab.ttlMs * 8)
      equal(lease.ttlMs, lab.ttlMs * 8)
      await pause(lab.ttlMs)
      ok(lease.remaining() > lab.ttlMs * 4, `${lease.remaining()} ms are left of ${lab.ttlMs * 8}`)
      await lease.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'a dead holder blocks others no longer than its TTL, and the next one has a larger token',
    async run(lab, name) {
      const [a, b] = [await lab.process(), await lab.process()]
      const lease = await a.locks.acquire(name, { ttl: lab.ttlMs })
      const waiting = b.locks.acquire(name, { wait: lab.freedAfterMs + 5_000 })
      await pause(50)
      const startedMs = performance.now()
      await a.crash()
      const next = await waiting
      const tookMs = performance.now() - startedMs
      ok(tookMs < lab.freedAfterMs + 4_000, `took ${tookMs} ms`)
      ok(next.fencingToken > lease.fencingToken)
      await next.release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'a waiter that dies in the queue strands nobody behind it',
    async run(lab, name) {
      const [a, b, c] = [await lab.process(), await lab.process(), await lab.process()]
      const lease = await a.locks.acquire(name, { ttl: lab.ttlMs })
      const abandoned = codeOf(b.locks.acquire(name, { wait: '1m', ttl: lab.ttlMs }))
      await pause(100)
      const waiting = c.locks.acquire(name, { wait: lab.freedAfterMs + 10_000, ttl: lab.ttlMs })
      await pause(100)
      await b.crash()
      await lease.release()
      const next = await waiting
      await next.release()
      await nothingLeft(lab, name)
      await Promise.race([abandoned, pause(10)])
    },
  },
  {
    name: 'a waiter that was granted it and died before it knew strands nobody behind it',
    async run(lab, name) {
      const [a, b, c] = [await lab.process(), await lab.process(), await lab.process()]
      const lease = await a.locks.acquire(name, { ttl: lab.ttlMs })
      void codeOf(b.locks.acquire(name, { wait: '1m', ttl: lab.ttlMs }))
      await pause(100)
      const waiting = c.locks.acquire(name, { wait: lab.freedAfterMs + 10_000, ttl: lab.ttlMs })
      await pause(100)
      await Promise.all([lease.release(), b.crash()])
      await (await waiting).release()
      await nothingLeft(lab, name)
    },
  },
  {
    name: 'tokens grow over processes that come and go',
    async run(lab, name) {
      const tokens: bigint[] = []
      for (let round = 0; round < 4; round++) {
        const { locks } = await lab.process()
        const lease = await locks.acquire(name, { wait: 10_000 })
        tokens.push(lease.fencingToken)
        await locks.close()
      }
      const sorted = tokens.toSorted((x, y) => (x < y ? -1 : 1))
      deepEqual(tokens, sorted)
      equal(new Set(tokens).size, 4)
    },
  },
  {
    name: 'a wait that ends as it is granted ends one way or the other, and blocks nobody',
    async run(lab, name) {
      const [a, b] = [await lab.process(), await lab.process()]
      for (let round = 0; round < 6; round++) {
        const lease = await a.locks.acquire(name, { wait: '5s', ttl: lab.ttlMs })
        const ended = b.locks.acquire(name, { wait: 40, ttl: lab.ttlMs }).then(
          (late) => late.release(),
          (error: { code?: string }) => equal(error.code, 'LOCKSTEP_LOCK_TIMEOUT'),
        )
        await pause(34 + round * 2)
        await lease.release()
        await ended
      }
      const startedMs = performance.now()
      await (await a.locks.acquire(name, { wait: '10s' })).release()
      ok(performance.now() - startedMs < lab.freedAfterMs + 4_000)
      await eventually(
        'nothing is left',
        async () => (await lab.leftovers(name)).length === 0,
        lab.freedAfterMs + 5_000,
      )
    },
  },
]
