import type { LockHarness } from '../../../testkit/src/lock-conformance/index.ts'
import { type RunningRedis, startRedis } from '../../../testkit/src/services/redis.ts'
import { createLocks } from '../../src/index.ts'
import { redisLocks } from '../../src/locks/index.ts'
import { lockKeys, proxied, type RedisPackage } from './redis-clients.ts'

const ttlMs = 1_200

/** One master. */
export function redisHarness(client: RedisPackage): LockHarness {
  const closing: (() => Promise<void>)[] = []
  let redis: RunningRedis | undefined
  return {
    name: `Redis, one master, ${client}`,
    capabilities: { fencing: 'best-effort', fair: true, wakeUp: 'push', sharing: true },
    async open() {
      const started = await startRedis({ private: true })
      redis = started
      return {
        capabilities: this.capabilities,
        ttlMs,
        hasSession: false,
        freedAfterMs: ttlMs,
        async process() {
          const { proxies, connectors } = await proxied(started, client)
          const [connector] = connectors
          if (connector === undefined) throw new Error('there is no master')
          const locks = createLocks(redisLocks(connector))
          closing.push(async () => {
            await locks.close()
            await Promise.all(proxies.map((proxy) => proxy.close()))
          })
          return {
            locks,
            crash: async () => {
              for (const proxy of proxies) proxy.cut()
            },
          }
        },
        leftovers: (part) => lockKeys(started, part),
      }
    },
    async dispose() {
      await Promise.all(closing.map((close) => close()))
      await redis?.stop()
    },
  }
}
