/** The npm packages for locks on Redis, with their own settings; only the number of tries is raised, since everybody waits here until it is served. */
import { Redis } from 'ioredis'
import { type Locker, type OpenLocker, ttlMs, waitLimitMs } from '../locker.ts'
import { loadPeer } from './load-peer.ts'

const endless = 1_000_000

/** redlock 4 and 5 ask at an interval of 200 ms with jitter. */
export const redlock4: OpenLocker = async ({ ports }) => {
  interface Lock {
    unlock(): Promise<unknown>
  }
  interface Redlock {
    lock(name: string, ttlMs: number): Promise<Lock>
  }
  type Module = { readonly default: new (clients: readonly Redis[], options: object) => Redlock }
  const { default: Redlock } = await loadPeer<Module>('redlock-4')
  const redlock = new Redlock(clientsOf(ports), { retryCount: -1 })
  return {
    async lock(name) {
      const lock = await redlock.lock(name, ttlMs)
      return { token: null, release: () => lock.unlock() }
    },
  }
}

export const redlock5: OpenLocker = async ({ ports }) => {
  interface Lock {
    release(): Promise<unknown>
  }
  interface Redlock {
    acquire(names: string[], ttlMs: number): Promise<Lock>
    on(event: 'error', listener: () => void): void
  }
  type Class = new (clients: readonly Redis[], options: object) => Redlock
  const { default: found } = await loadPeer<{ readonly default: Class | { readonly default: Class } }>('redlock-5')
  const Redlock = 'default' in found ? found.default : found
  const redlock = new Redlock(clientsOf(ports), { retryCount: -1 })
  redlock.on('error', () => {})
  return {
    async lock(name) {
      const lock = await redlock.acquire([name], ttlMs)
      return { token: null, release: () => lock.release() }
    },
  }
}

/** Asks every 10 ms. */
export const redisSemaphore: OpenLocker = async ({ ports }) => {
  interface Lock {
    acquire(): Promise<void>
    release(): Promise<void>
  }
  interface Module {
    readonly Mutex: new (client: Redis, name: string, options: object) => Lock
    readonly RedlockMutex: new (clients: readonly Redis[], name: string, options: object) => Lock
  }
  const { Mutex, RedlockMutex } = await loadPeer<Module>('redis-semaphore')
  const clients = clientsOf(ports)
  const [first] = clients as [Redis]
  const options = { lockTimeout: ttlMs, acquireTimeout: waitLimitMs }
  const make = (name: string) =>
    clients.length === 1 ? new Mutex(first, name, options) : new RedlockMutex(clients, name, options)
  return {
    async lock(name) {
      const lock = make(name)
      await lock.acquire()
      return { token: null, release: () => lock.release() }
    },
  }
}

/** Asks every 100 ms, on five masters every 200 ms. */
export const redlockUniversal: OpenLocker = async ({ ports }) => {
  interface Lock {
    acquire(): Promise<object>
    release(handle: object): Promise<boolean>
  }
  interface Module {
    readonly IoredisAdapter: new (client: Redis) => object
    createLock(options: object): Lock
    createRedlock(options: object): Lock
  }
  const { IoredisAdapter, createLock, createRedlock } = await loadPeer<Module>('redlock-universal')
  const adapters = clientsOf(ports).map((client) => new IoredisAdapter(client))
  const rest = { ttl: ttlMs, retryAttempts: endless }
  const make = (key: string) =>
    adapters.length === 1
      ? createLock({ adapter: adapters[0], key, ...rest })
      : createRedlock({ adapters, key, ...rest })
  return {
    async lock(name) {
      const lock = make(name)
      const handle = await lock.acquire()
      return { token: null, release: () => lock.release(handle) }
    },
  }
}

/** Asks every 50 ms. It needs ioredis 5. */
export const ioredisLock: OpenLocker = async ({ ports }): Promise<Locker> => {
  interface Lock {
    acquire(name: string): Promise<unknown>
    release(): Promise<unknown>
  }
  interface Module {
    createLock(client: object, options: object): Lock
  }
  const { createLock } = await loadPeer<Module>('@microfleet/ioredis-lock')
  const { Redis: Redis5 } = await loadPeer<{ readonly Redis: new (port: number, host: string) => object }>('ioredis')
  const client = new Redis5(ports[0] ?? 0, '127.0.0.1')
  return {
    async lock(name) {
      const lock = createLock(client, { timeout: ttlMs, retries: endless })
      await lock.acquire(name)
      return { token: null, release: () => lock.release() }
    },
  }
}

function clientsOf(ports: readonly number[]): Redis[] {
  return ports.map((port) => new Redis(port, '127.0.0.1'))
}
