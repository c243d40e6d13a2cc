import { LockstepError } from '../../errors.ts'
import type { RedisConnector } from '../../ports/index.ts'
import { openConnection } from './connection.ts'
import type { MakeRawRedis } from './raw-redis.ts'

/** The releases of `ioredis` that the suite runs against. */
export const ioRedisRange = '>=5.4 <7'

/** `new Redis(…)` of the package ioredis. Only what Lockstep reads is named. */
export interface IoRedisHandle {
  readonly options: object
  duplicate(override?: object): unknown
}

interface IoRedisClient {
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'message', listener: (channel: string, text: string) => void): unknown
  connect(): Promise<void>
  call(name: string, ...args: string[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  disconnect(): void
  readonly stream?: { cork(): void; uncork(): void }
}

/** The package's defaults queue, resend and retry what nobody waits for any more: for a lock each of that is wrong. */
const ownOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  retryStrategy: null,
  reconnectOnError: null,
  // Half a closed connection would keep the process alive for so long.
  disconnectTimeout: 0,
  commandTimeout: undefined,
  enableAutoPipelining: false,
  stringNumbers: false,
  replyMapping: 'legacy',
  keyPrefix: '',
  readOnly: false,
  monitor: false,
}

/**
 * Locks over a client of the package ioredis. The client is read, never used and never closed: the locks open connections of their own with its address
 * and credentials. Its `keyPrefix` does not apply; the locks have a `prefix` of their own.
 *
 * Fails with `LOCKSTEP_ADAPTER_MISMATCH` when the handle is another thing, or a cluster.
 *
 * @example
 * const locks = createLocks(redisLocks(ioRedis(new Redis('redis://127.0.0.1:6379'))))
 */
export function ioRedis(client: IoRedisHandle): RedisConnector {
  checkHandle(client)
  const { path, host = 'localhost', port = 6379 } = client.options as { path?: string; host?: string; port?: number }
  return {
    name: `ioredis ${path ?? `${host}:${port}`}`,
    open: (environment) => openConnection(rawClients(client), environment),
  }
}

function rawClients(handle: IoRedisHandle): MakeRawRedis {
  return (events) => {
    const client = handle.duplicate(ownOptions) as IoRedisClient
    let lastError: Error | null = null
    client.on('error', (error: Error) => {
      lastError = error
    })
    client.on('end', () => events.lost(lastError ?? new Error('Redis has closed the connection.')))
    client.on('message', (channel: string, text: string) => events.message(channel, text))
    const writeTogether = togetherOn(client)
    return {
      // The package rejects with "Connection is closed." for everything; what the server said came as an event.
      open: async () => {
        await client.connect().catch((error: Error) => Promise.reject(lastError ?? error))
        // The package goes on in database 0 when the one that was asked for does not exist.
        const { db = 0 } = handle.options as { db?: unknown }
        if (db !== 0) await client.call('SELECT', String(db))
      },
      call(args) {
        writeTogether(args.length)
        return (client.call as (...all: readonly string[]) => Promise<unknown>)(...args)
      },
      subscribe: async (channel) => void (await client.subscribe(channel)),
      unsubscribe: async (channel) => void (await client.unsubscribe(channel)),
      destroy: () => client.disconnect(),
    }
  }
}

/** Arguments, as a measure of the work that they mean for the server. */
const writtenTogether = 128

/**
 * The package writes each command by itself, and a write costs more than a command. A few of one turn leave together, and not all of them: the server
 * works on the first ones while the rest are still being made. Called before each command, with the number of its arguments.
 */
function togetherOn(client: IoRedisClient): (count: number) => void {
  let corked = 0
  return (count) => {
    const { stream } = client
    if (stream === undefined) return
    if (corked === 0) {
      stream.cork()
      process.nextTick(() => {
        corked = 0
        stream.uncork()
      })
    } else if (corked >= writtenTogether) {
      stream.uncork()
      stream.cork()
      corked = 0
    }
    corked += count
  }
}

function checkHandle(client: IoRedisHandle): void {
  const found = client as Partial<IoRedisHandle> & { call?: unknown; isCluster?: unknown }
  const fits = typeof found?.duplicate === 'function' && typeof found.call === 'function'
  if (fits && found.isCluster !== true && typeof found.options === 'object') return
  const what = found?.isCluster === true ? 'a Redis cluster' : 'not a client of the package ioredis'
  throw new LockstepError('LOCKSTEP_ADAPTER_MISMATCH', {
    message: `ioRedis() was given what is ${what}.`,
    next: `Pass new Redis(…) of ioredis ${ioRedisRange}, connected to one master.`,
  })
}
