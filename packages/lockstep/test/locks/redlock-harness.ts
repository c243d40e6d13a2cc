import type { LockHarness } from '../../../testkit/src/lock-conformance/index.ts'
import { type RunningRedis, startRedis } from '../../../testkit/src/services/redis.ts'
import { createLocks } from '../../src/index.ts'
import { redlock } from '../../src/locks/index.ts'
import { lockKeys, proxied, type RedisPackage } from './redis-clients.ts'

const ttlMs = 1_200
// Far above what a busy machine needs: the suite is about what is granted, not about how fast a node answers.
const nodeTimeout = 250

/** Five masters that sync every write. */
export function redlockHarness(client: RedisPackage): LockHarness {
  const closing: (() => Promise<void>)[] = []
  let redis: RunningRedis | undefined
  return {
    name: `RedLock, five masters, ${client}`,
    capabilities: { fencing: 'durable', fair: false, wakeUp: 'push', sharing: false },
    async open() {
      const started = await startRedis({ masters: 5, appendonly: true, appendfsync: 'always', private: true })
      redis = started
      return {
        capabilities: this.capabilities,
        ttlMs,
        hasSession: false,
        freedAfterMs: ttlMs,
        async process() {
          const { proxies, connectors } = await proxied(started, client)
          const locks = createLocks(redlock(connectors, { nodeTimeout }))
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
