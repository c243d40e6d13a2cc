import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type RunningRedis, startRedis, startRedisProxy, testsWithRedis } from '../../../../testkit/src/index.ts'
import { ioRedis, nodeRedis } from '../../adapters/redis/index.ts'
import { nodeEnvironment } from '../../environment/node.ts'
import { type LockAsk, type LockBackend, type LockHold, type RedisConnector, silentLogger } from '../../ports/index.ts'
import { type RedisLocksOptions, redisLocks } from './redis-locks.ts'

const clients: Record<string, (url: string) => RedisConnector> = {
  ioredis: (url) => ioRedis(new Redis(url, { lazyConnect: true })),
  'node-redis': (url) => nodeRedis(createClient({ url })),
}
const never = new AbortController().signal
const holder = { host: 'here', pid: 1, label: 'test' }
const mutex = { kind: 'mutex' } as const
let owners = 0

function ask(name: string, wanted: Partial<LockAsk> = {}): LockAsk {
  owners += 1
  return { name, mode: mutex, ttlMs: 5_000, waitMs: 5_000, signal: never, owner: `owner${owners}`, holder, ...wanted }
}

function held(hold: LockHold | null): LockHold {
  if (hold === null) throw new Error('It was not granted.')
  return hold
}

if (testsWithRedis())
  describe.each(Object.entries(clients))('locks on one Redis through %s', (_client, connector) => {
    let redis: RunningRedis
    let names = 0
    const opened: LockBackend[] = []
    const cleanups: (() => Promise<unknown>)[] = []
    const open = (options: RedisLocksOptions & { url?: string } = {}): LockBackend => {
      const { url = redis.url, ...rest } = options
      const backend = redisLocks(connector(url), rest)({ ...nodeEnvironment, log: silentLogger })
      opened.push(backend)
      return backend
    }
    const fresh = (): string => {
      names += 1
      return `name-${names}`
    }
    const tell = (...command: string[]): Promise<string> => redis.members[0]?.ask(...command) ?? Promise.resolve('')
    const proxy = async () => {
      const started = await startRedisProxy(redis.members[0]?.port ?? 0)
      cleanups.push(() => started.close())
      return started
    }
    /** Everything but the counters of tokens. */
    const keysLeft = async (name: string): Promise<string[]> =>
      (await tell('KEYS', `*{${name}}*`))
        .split('\r\n')
        .filter((key) => key.startsWith('lockstep') && !key.endsWith(':token'))
    const nothingLeft = (name: string, timeout = 1_500) =>
      vi.waitFor(async () => expect(await keysLeft(name)).toEqual([]), { timeout })
    const waiting = (name: string, count: number, folder = 'mutex') =>
      vi.waitFor(async () => expect(await tell('LLEN', `lockstep:${folder}:{${name}}:queue`)).toBe(`:${count}\r\n`))

    beforeAll(async () => {
      redis = await startRedis({ private: true })
    })
    afterEach(async () => {
      redis.members[0]?.resume()
      await Promise.all(opened.splice(0).map((backend) => backend.close()))
      await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()))
    })
    afterAll(() => redis.stop())

    it('a name has one owner, and tokens grow', async () => {
      const [one, other] = [open(), open()]
      const name = fresh()
      const first = held(await one.contend(ask(name)))
      expect(await other.contend(ask(name, { waitMs: 0 }))).toBeNull()
      expect(await first.release()).toBe(true)
      expect(await first.release()).toBe(false)
      const second = held(await other.contend(ask(name, { waitMs: 0 })))
      expect(second.token > first.token).toBe(true)
      expect(second.validUntilMs).toBeLessThan(performance.now() + second.ttlMs)
      await second.release()
      expect(await keysLeft(name)).toEqual([])
    })

    it('a token grows also when the clock of the server has gone back, by the last one that is known', async () => {
      const name = fresh()
      const ahead = 9_000_000_000_000_000n
      await tell('SET', `lockstep:mutex:{${name}}:token`, String(ahead))
      const first = held(await open().contend(ask(name)))
      const wait = open().contend(ask(name))
      await waiting(name, 1)
      await first.release()
      const second = held(await wait)
      await second.release()
      const third = held(await open().contend(ask(name)))
      expect([first.token, second.token, third.token]).toEqual([ahead + 1n, ahead + 2n, ahead + 3n])
      await third.release()
    })

    it('three connections are served in the order of their coming', async () => {
      const name = fresh()
      const first = held(await open().contend(ask(name)))
      const order: number[] = []
      const waits: Promise<void>[] = []
      for (const index of [0, 1, 2]) {
        const wait = open().contend(ask(name))
        waits.push(
          wait.then(async (hold) => {
            order.push(index)
            await held(hold).release()
          }),
        )
        await waiting(name, index + 1)
      }
      await first.release()
      await Promise.all(waits)
      expect(order).toEqual([0, 1, 2])
      await nothingLeft(name)
    })

    it('a burst of 64 waiters in four connections costs about two scripts for each, never two owners', async () => {
      const name = fresh()
      const backends = [open(), open(), open(), open()]
      for (const backend of backends) await held(await backend.contend(ask(fresh()))).release()
      const listening = held((await backends[0]?.contend(ask(name))) as LockHold)
      const warm = backends.map((backend) => backend.contend(ask(name)))
      await waiting(name, 4)
      await listening.release()
      await Promise.all(warm.map((wait) => wait.then((hold) => held(hold).release())))
      await tell('CONFIG', 'RESETSTAT')
      let inside = 0
      const inTurn = async (backend: LockBackend): Promise<void> => {
        let hold = held(await backend.contend(ask(name)))
        for (let left = 15; left >= 0; left -= 1) {
          inside += 1
          expect(inside).toBe(1)
          await Promise.resolve()
          inside -= 1
          if (left === 0) await hold.release()
          else hold = held((await (await backend.pass?.(hold, ask(name)))?.next) as LockHold)
        }
      }
      await Promise.all(backends.map(inTurn))
      const stats = await tell('INFO', 'commandstats')
      const calls =
        Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]) +
        Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1] ?? 0)
      expect(calls / 64).toBeLessThan(2.15)
    })

    it('passes to the next of this process at once when nobody else waits, and behind those who do', async () => {
      const [one, other] = [open(), open()]
      const name = fresh()
      const first = held(await one.contend(ask(name)))
      const alone = await one.pass?.(first, ask(name))
      expect(alone?.wasHeld).toBe(true)
      const second = held((await alone?.next) ?? null)
      const foreign = other.contend(ask(name))
      await waiting(name, 1)
      const behind = await one.pass?.(second, ask(name))
      const third = held(await foreign)
      await third.release()
      const fourth = held((await behind?.next) ?? null)
      expect(fourth.token > third.token).toBe(true)
      expect(await one.pass?.(first, ask(name, { waitMs: 100 }))).toMatchObject({ wasHeld: false })
      await fourth.release()
    })

    it('a waiter whose connection was killed is skipped (Redisson #2883, #3004, #3730, #3829)', async () => {
      const name = fresh()
      const first = held(await open().contend(ask(name)))
      const through = await proxy()
      const dead = open({ url: through.url })
      const gone = expect(dead.contend(ask(name))).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
      await waiting(name, 1)
      const alive = open().contend(ask(name))
      await waiting(name, 2)
      await through.close()
      const started = performance.now()
      await first.release()
      await held(await alive).release()
      expect(performance.now() - started).toBeLessThan(700)
      await dead.close()
      await gone
      await nothingLeft(name, 6_000)
    })

    it('a message that is lost costs less than the time to confirm (Redisson #1763, #5761)', async () => {
      const name = fresh()
      const through = await proxy()
      const first = held(await open().contend(ask(name)))
      const deaf = open({ url: through.url }).contend(ask(name))
      await waiting(name, 1)
      through.dropMessages()
      const started = performance.now()
      await first.release()
      await held(await deaf).release()
      expect(performance.now() - started).toBeLessThan(1_200)
    })

    it('a grant whose answer was lost is asked for again, and does not block itself (node-redlock PR #369)', async () => {
      const name = fresh()
      const through = await proxy()
      const backend = open({ url: through.url })
      await held(await backend.contend(ask(fresh()))).release()
      through.dropAnswers()
      const contended = backend.contend(ask(name))
      await through.dropped()
      through.passEverything()
      through.cut()
      const hold = held(await contended)
      expect(hold.validUntilMs).toBeGreaterThan(performance.now())
      expect(await hold.release()).toBe(true)
      expect(await keysLeft(name)).toEqual([])
    })

    it('a release whose answer was lost is repeated, and was held', async () => {
      const name = fresh()
      const through = await proxy()
      const hold = held(await open({ url: through.url }).contend(ask(name)))
      through.dropAnswers()
      const released = hold.release()
      await through.dropped()
      through.passEverything()
      through.cut()
      expect(await released).toBe(true)
    })

    it('a name that is free by expiry belongs to the one who waits, not to a newcomer', async () => {
      const name = fresh()
      const first = held(await open().contend(ask(name)))
      const newcomer = open()
      await held(await newcomer.contend(ask(fresh()))).release()
      const wait = open().contend(ask(name))
      await waiting(name, 1)
      await tell('DEL', `lockstep:mutex:{${name}}`)
      expect(await newcomer.contend(ask(name, { waitMs: 0 }))).toBeNull()
      expect(await first.release()).toBe(false)
      await held(await wait).release()
    })

    it('an expired holder is followed by the one who waits, and finds out', async () => {
      const name = fresh()
      const first = held(await open().contend(ask(name, { ttlMs: 300 })))
      const second = held(await open().contend(ask(name)))
      expect(await first.extend(300)).toBe(false)
      expect(await first.release()).toBe(false)
      expect(await second.extend(5_000)).toBe(true)
      await second.release()
    })

    it('a waiter that stands still costs one confirm time, and the hand-over goes on', async () => {
      const name = fresh()
      const through = await proxy()
      const first = held(await open().contend(ask(name)))
      const still = open({ url: through.url })
        .contend(ask(name, { waitMs: 3_000 }))
        .catch(() => null)
      await waiting(name, 1)
      const next = open().contend(ask(name))
      await waiting(name, 2)
      through.blackHole()
      const started = performance.now()
      await first.release()
      await held(await next).release()
      expect(performance.now() - started).toBeLessThan(2_200)
      through.passEverything()
      through.cut()
      await still.then((hold) => hold?.release())
    })

    it('an abort and the end of the wait leave nothing behind, in each phase', async () => {
      const name = fresh()
      const backend = open()
      await held(await backend.contend(ask(fresh()))).release()
      const asking = new AbortController()
      const aborted = expect(backend.contend(ask(name, { signal: asking.signal }))).rejects.toBe('asking')
      asking.abort('asking')
      await aborted
      await nothingLeft(name)
      const first = held(await open().contend(ask(name)))
      const sleeping = new AbortController()
      const ended = expect(backend.contend(ask(name, { signal: sleeping.signal }))).rejects.toBe('sleeping')
      await waiting(name, 1)
      sleeping.abort('sleeping')
      await ended
      await waiting(name, 0)
      expect(await backend.contend(ask(name, { waitMs: 60 }))).toBeNull()
      await waiting(name, 0)
      const late = new AbortController()
      const contended = backend.contend(ask(name, { signal: late.signal })).catch(() => null)
      await waiting(name, 1)
      const released = first.release()
      late.abort('granted meanwhile')
      await released
      await (await contended)?.release()
      await nothingLeft(name)
    })

    it('goes on after the server has forgotten its scripts, and over a restart with its data', async () => {
      const name = fresh()
      const backend = open()
      const first = held(await backend.contend(ask(name)))
      await tell('SCRIPT', 'FLUSH')
      expect(await first.extend(5_000)).toBe(true)
      const wait = open().contend(ask(name))
      await waiting(name, 1)
      await redis.members[0]?.restart()
      await vi.waitFor(async () => expect(await first.extend(5_000)).toBe(true))
      await first.release()
      const second = held(await wait)
      expect(second.token > first.token).toBe(true)
      await second.release()
    })

    it('a restart without data loses the lease, and the token still grows', async () => {
      const forgetful = await startRedis({ private: true, appendonly: false })
      cleanups.push(() => forgetful.stop())
      const backend = open({ url: forgetful.url })
      const first = held(await backend.contend(ask('a')))
      await forgetful.members[0]?.restart()
      const second = held(await backend.contend(ask('a')))
      expect(await first.extend(1_000)).toBe(false)
      expect(await first.release()).toBe(false)
      expect(second.token > first.token).toBe(true)
    })

    it('a wrong password is a configuration error, a server that is away is unavailable', async () => {
      const guarded = await startRedis({ private: true, settings: { requirepass: 'secret' } })
      cleanups.push(() => guarded.stop())
      await expect(open({ url: guarded.url }).contend(ask('a'))).rejects.toMatchObject({
        code: 'LOCKSTEP_CONFIGURATION',
      })
      for (const waitMs of [0, 300])
        await expect(open({ url: 'redis://127.0.0.1:1' }).contend(ask('a', { waitMs }))).rejects.toMatchObject({
          code: 'LOCKSTEP_LOCK_UNAVAILABLE',
        })
    })

    it('ten thousand names on one connection are extended in a hundred commands (Redisson #4216, #4064)', async () => {
      const backend = open()
      const prefix = fresh()
      const holds = await Promise.all(
        Array.from({ length: 10_000 }, (_, index) => backend.contend(ask(`${prefix}-${index}`, { ttlMs: 30_000 }))),
      )
      await tell('CONFIG', 'RESETSTAT')
      const extended = await Promise.all(holds.map((hold) => held(hold).extend(30_000)))
      expect(extended.every(Boolean)).toBe(true)
      const stats = await tell('INFO', 'commandstats')
      const calls =
        Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0) +
        Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1] ?? 0)
      expect(calls).toBe(100)
      await Promise.all(holds.map((hold) => held(hold).release()))
    })

    it('a lock is never the key of data of the same name (sesamecare #6)', async () => {
      const name = fresh()
      await tell('SET', name, 'data')
      const hold = held(await open().contend(ask(name)))
      expect(await tell('GET', name)).toBe('$4\r\ndata\r\n')
      await hold.release()
      expect(await tell('GET', name)).toBe('$4\r\ndata\r\n')
    })

    it('shows who holds and who waits, and evicts for the next one', async () => {
      const name = fresh()
      const backend = open({ prefix: 'shown' })
      const first = held(await backend.contend(ask(name)))
      const wait = open({ prefix: 'shown' }).contend(ask(name))
      await vi.waitFor(async () =>
        expect(await backend.inspect(name)).toMatchObject([
          { name, mode: 'mutex', waiters: 1, holder, token: first.token },
        ]),
      )
      const all = await backend.inspect()
      expect(all).toHaveLength(1)
      expect(Math.abs((all[0]?.since ?? 0) - Date.now())).toBeLessThan(10_000)
      expect(await backend.evict(name, first.token + 1n)).toEqual([])
      expect(await backend.evict(name)).toMatchObject([{ token: first.token }])
      const second = held(await wait)
      expect(second.token > first.token).toBe(true)
      expect(await first.extend(1_000)).toBe(false)
      await second.release()
    })

    it('polls where pub/sub is forbidden', async () => {
      const name = fresh()
      const first = held(await open({ wakeUp: 'poll' }).contend(ask(name)))
      const wait = open({ wakeUp: 'poll' }).contend(ask(name))
      await waiting(name, 1)
      await first.release()
      await held(await wait).release()
      expect(await tell('PUBSUB', 'CHANNELS', '*')).toBe('*0\r\n')
    })

    it('refuses a grant that too few replicas have, and leaves nothing of it', async () => {
      const name = fresh()
      await expect(open({ replicas: 1, callTimeoutMs: 100 }).contend(ask(name))).rejects.toMatchObject({
        code: 'LOCKSTEP_LOCK_UNAVAILABLE',
        message: expect.stringContaining('0 of 1 replicas'),
      })
      await nothingLeft(name)
    })

    it('readers share, a writer that waits stops new readers, and is served before them', async () => {
      const [one, other, third] = [open(), open(), open()]
      const name = fresh()
      const read = { mode: { kind: 'read' } } as const
      const write = { mode: { kind: 'write' } } as const
      const readers = [held(await one.contend(ask(name, read))), held(await other.contend(ask(name, read)))]
      const writer = one.contend(ask(name, write))
      await waiting(name, 1, 'rw')
      expect(await other.contend(ask(name, { ...read, waitMs: 0 }))).toBeNull()
      const later = [third.contend(ask(name, read)), other.contend(ask(name, read))]
      await waiting(name, 3, 'rw')
      await Promise.all(readers.map((reader) => reader.release()))
      const written = held(await writer)
      expect(await third.contend(ask(name, { ...read, waitMs: 0 }))).toBeNull()
      expect(await written.extend(5_000)).toBe(true)
      await written.release()
      const lastReaders = (await Promise.all(later)).map(held)
      expect(lastReaders.every((reader) => reader.token > written.token)).toBe(true)
      await Promise.all(lastReaders.map((reader) => reader.release()))
      await nothingLeft(name)
    })

    it('a writer that gives up lets the readers behind it in', async () => {
      const [one, other] = [open(), open()]
      const name = fresh()
      const reader = held(await one.contend(ask(name, { mode: { kind: 'read' } })))
      const stop = new AbortController()
      const writer = other.contend(ask(name, { mode: { kind: 'write' }, signal: stop.signal })).catch(() => null)
      await waiting(name, 1, 'rw')
      const behind = open().contend(ask(name, { mode: { kind: 'read' } }))
      await waiting(name, 2, 'rw')
      const started = performance.now()
      stop.abort()
      await writer
      await held(await behind).release()
      // By the message, and not by the poll.
      expect(performance.now() - started).toBeLessThan(400)
      await reader.release()
      await nothingLeft(name)
    })

    it('a downgrade lets no writer in, and readers at the head (CURATOR-621)', async () => {
      const [one, other] = [open(), open()]
      const name = fresh()
      const writer = held(await one.contend(ask(name, { mode: { kind: 'write' } })))
      const behind = open().contend(ask(name, { mode: { kind: 'read' } }))
      await waiting(name, 1, 'rw')
      const nextWriter = other.contend(ask(name, { mode: { kind: 'write' } }))
      await waiting(name, 2, 'rw')
      const reader = held((await writer.downgrade?.()) ?? null)
      expect(reader.token).toBe(writer.token)
      const second = held(await behind)
      expect(await other.inspect(name)).toMatchObject([{ mode: 'read' }, { mode: 'read' }])
      expect(await writer.extend(1_000)).toBe(false)
      expect(await reader.extend(5_000)).toBe(true)
      await Promise.all([reader.release(), second.release()])
      await held(await nextWriter).release()
      expect(await writer.downgrade?.()).toBeNull()
      await nothingLeft(name)
    })

    it('as many permits as the limit, each with its own end', async () => {
      const [one, other] = [open(), open()]
      const name = fresh()
      const permit = { mode: { kind: 'permit', of: 2 } } as const
      const short = held(await one.contend(ask(name, { ...permit, ttlMs: 300 })))
      const long = held(await other.contend(ask(name, permit)))
      expect(await one.contend(ask(name, { ...permit, waitMs: 0 }))).toBeNull()
      const third = held(await open().contend(ask(name, permit)))
      expect(await short.extend(300)).toBe(false)
      expect(await long.extend(5_000)).toBe(true)
      expect(await third.release()).toBe(true)
      expect(await long.release()).toBe(true)
      await nothingLeft(name)
    })

    it('a call after close is refused, and waiters end with it', async () => {
      const name = fresh()
      const backend = open()
      const first = held(await open().contend(ask(name)))
      const wait = expect(backend.contend(ask(name))).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
      await waiting(name, 1)
      await backend.close()
      await wait
      await waiting(name, 0)
      await expect(backend.contend(ask(name))).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
      await first.release()
    })
  })
