/** Both recipes against what every lock backend must pass, on one real server. */
import { createLocks } from 'lockstep'
import { afterAll, describe, test } from 'vitest'
import {
  casesFor,
  type LockHarness,
  type LockLab,
  lockConformance,
} from '../../../testkit/src/lock-conformance/index.ts'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../../testkit/src/services/zookeeper.ts'
import { startTcpProxy } from '../../test/tcp-proxy.ts'
import { treeBelow } from '../../test/tree.ts'
import { openZooKeeper, type ZooKeeper, type ZooKeeperLocksOptions, zookeeperLocks } from '../index.ts'

const ttlMs = 1_500

function harness(recipe: ZooKeeperLocksOptions['recipe']): LockHarness {
  const root = `/${recipe}/locks`
  const closing: (() => Promise<unknown>)[] = []
  const { capabilities } = createLocks(zookeeperLocks({ servers: '127.0.0.1:1' }, { recipe }))
  let server: RunningZooKeeper
  const process = async () => {
    const proxy = await startTcpProxy(server.servers)
    const locks = createLocks(zookeeperLocks({ servers: proxy.address, sessionTimeoutMs: ttlMs }, { recipe, root }))
    closing.push(async () => {
      proxy.heal()
      await locks.close()
      await proxy.close()
    })
    return {
      locks,
      async crash() {
        proxy.blackHole('everything')
      },
    }
  }
  return {
    name: `zookeeper ${recipe}`,
    capabilities,
    async open(): Promise<LockLab> {
      server = await startZooKeeper({ private: true, fsync: false })
      const observer: ZooKeeper = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000 })
      closing.push(() => observer.close())
      return {
        capabilities,
        ttlMs,
        hasSession: true,
        freedAfterMs: ttlMs * 1.5 + 500,
        process,
        leftovers: async (name) => (await treeBelow(observer, root)).filter((path) => path.includes(name)),
      }
    },
    async dispose() {
      await Promise.all(closing.map((close) => close()))
      await server?.stop()
    },
  }
}

if (testsWithZooKeeper())
  for (const recipe of ['queue', 'ephemeral'] as const)
    describe.concurrent(`locks on ZooKeeper with the recipe ${recipe}`, { timeout: 30_000 }, () => {
      const each = harness(recipe)
      let opening: Promise<LockLab> | undefined
      const lab = (): Promise<LockLab> => {
        opening ??= each.open()
        return opening
      }
      afterAll(() => each.dispose())
      for (const [index, promise] of casesFor(lockConformance, each.capabilities).entries())
        test(promise.name, async () => promise.run(await lab(), `case${String(index).padStart(2, '0')}`))
    })
