import { LockstepError } from '../../errors.ts'
import type { RedisConnector } from '../../ports/index.ts'
import { openConnection } from './connection.ts'
import type { MakeRawRedis } from './raw-redis.ts'

/** The releases of `redis` and `@redis/client` that the suite runs against. */
export const nodeRedisRange = '>=5.8 <7'

/** `createClient(…)` of the packages redis and @redis/client. Only what Lockstep reads is named. */
export interface NodeRedisHandle {
  readonly isOpen: boolean
  duplicate(overrides?: object): unknown
}

interface NodeRedisOptions {
  readonly socket?: { readonly path?: string; readonly host?: string; readonly port?: number }
}

interface NodeRedisClient {
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  connect(): Promise<unknown>
  sendCommand(args: readonly string[]): Promise<unknown>
  subscribe(channel: string, listener: (text: string, channel: string) => void): Promise<void>
  unsubscribe(channel: string): Promise<void>
  destroy(): void
}

/**
 * Locks over a client of the package redis (node-redis). The client is read, never used and never closed: the locks open connections of
 * their own with its address and credentials.
 *
 * Fails with `LOCKSTEP_ADAPTER_MISMATCH` when the handle is another thing, or a cluster.
 *
 * @example
 * const locks = createLocks(redisLocks(nodeRedis(createClient({ url: 'redis://127.0.0.1:6379' }))))
 */
export function nodeRedis(client: NodeRedisHandle): RedisConnector {
  checkHandle(client)
  const { path, host = 'localhost', port = 6379 } = optionsOf(client).socket ?? {}
  return {
    name: `node-redis ${path ?? `${host}:${port}`}`,
    open: (environment) => openConnection(rawClients(client), environment),
  }
}

function rawClients(handle: NodeRedisHandle): MakeRawRedis {
  return (events) => {
    const client = handle.duplicate(ownOptions(handle)) as NodeRedisClient
    client.on('error', (error: Error) => events.lost(error))
    client.on('end', () => events.lost(new Error('Redis has closed the connection.')))
    return {
      open: async () => void (await client.connect()),
      call: (args) => client.sendCommand(args),
      subscribe: (channel) => client.subscribe(channel, (text) => events.message(channel, text)),
      unsubscribe: (channel) => client.unsubscribe(channel),
      destroy() {
        try {
          client.destroy()
        } catch {
          // It throws when it is closed already.
        }
      },
    }
  }
}

/** The package's defaults queue and retry what nobody waits for any more, and arm a timer for each command. */
function ownOptions(handle: NodeRedisHandle): object {
  return {
    socket: { ...optionsOf(handle).socket, reconnectStrategy: false },
    disableOfflineQueue: true,
    commandOptions: { timeout: 0 },
    commandsQueueMaxLength: undefined,
    pingInterval: undefined,
    readonly: false,
    clientSideCache: undefined,
    emitInvalidate: false,
    maintNotifications: 'disabled',
  }
}

function optionsOf(handle: NodeRedisHandle): NodeRedisOptions {
  return (handle as { options?: NodeRedisOptions }).options ?? {}
}

function checkHandle(client: NodeRedisHandle): void {
  const found = client as Partial<NodeRedisHandle> & { sendCommand?: unknown; masters?: unknown; options?: unknown }
  const fits = typeof found?.duplicate === 'function' && typeof found.sendCommand === 'function'
  const isCluster = Array.isArray(found?.masters)
  if (fits && !isCluster && typeof found.isOpen === 'boolean' && typeof found.options === 'object') return
  throw new LockstepError('LOCKSTEP_ADAPTER_MISMATCH', {
    message: `nodeRedis() was given what is ${isCluster ? 'a Redis cluster' : 'not a client of the package redis'}.`,
    next: `Pass createClient(…) of redis ${nodeRedisRange}, connected to one master.`,
  })
}
