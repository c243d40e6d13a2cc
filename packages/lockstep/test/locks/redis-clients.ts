import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import type { RunningRedis } from '../../../testkit/src/services/redis.ts'
import { startTcpProxy, type TcpProxy } from '../../../testkit/src/services/tcp-proxy.ts'
import { ioRedis, nodeRedis } from '../../src/adapters/redis/index.ts'
import type { RedisConnector } from '../../src/ports/index.ts'

export type RedisPackage = 'ioredis' | 'node-redis'

/** A handle as a user has it, of either package. It is never connected: the locks open connections of their own. */
export function connectorTo(port: number, client: RedisPackage): RedisConnector {
  if (client === 'ioredis') return ioRedis(new Redis({ host: '127.0.0.1', port, lazyConnect: true }))
  return nodeRedis(createClient({ url: `redis://127.0.0.1:${port}` }))
}

/** The way of one process to each of the masters, which can be cut. */
export async function proxied(
  redis: RunningRedis,
  client: RedisPackage,
): Promise<{ readonly proxies: readonly TcpProxy[]; readonly connectors: readonly RedisConnector[] }> {
  const proxies = await Promise.all(redis.members.map(({ port }) => startTcpProxy({ port })))
  return { proxies, connectors: proxies.map(({ port }) => connectorTo(port, client)) }
}

/** Keys of locks on the masters with that in their name; counters hold nothing. */
export async function lockKeys(redis: RunningRedis, part: string): Promise<readonly string[]> {
  const keys = await Promise.all(
    redis.members.map(async ({ port }) => {
      const client = new Redis({ host: '127.0.0.1', port })
      const found = await client.keys(`lockstep:*${part}*`)
      client.disconnect()
      return found.map((key) => `${port}/${key}`)
    }),
  )
  return keys.flat().filter((key) => !key.endsWith(':token'))
}
