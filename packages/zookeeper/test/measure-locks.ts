/**
 * `node --conditions=lockstep-source packages/zookeeper/test/measure-locks.ts [waiters] [sessions] [hold ms]`: a burst of waiters for one
 * name, each once, on a server that syncs to disk. Hand-off is from the start of a release to the next holder running. Times are printed,
 * never judged.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { createLocks } from 'lockstep'
import { startZooKeeper } from '../../testkit/src/services/zookeeper.ts'
import { zookeeperLocks } from '../src/index.ts'

const [waiters = '64', sessions = '4', holdMs = '5'] = process.argv.slice(2)
const server = await startZooKeeper({ private: true })
const open = () =>
  createLocks(zookeeperLocks({ servers: server.servers, sessionTimeoutMs: 20_000 }, { recipe: 'queue' }))
const all = Array.from({ length: Number(sessions) }, open)
await Promise.all(all.map(async (locks) => (await locks.acquire('warm-up')).release()))
for (let round = 0; round < 5; round += 1) await burst(`burst-${round}`)
await Promise.all(all.map((locks) => locks.close()))
await server.stop()

async function burst(name: string): Promise<void> {
  const handOffs: number[] = []
  let releasedAtMs = 0
  const startedMs = performance.now()
  const take = async (index: number): Promise<void> => {
    const lease = await all[index % all.length]?.acquire(name, { wait: '20s' })
    const nowMs = performance.now()
    if (releasedAtMs > 0) handOffs.push(nowMs - releasedAtMs)
    await pause(Number(holdMs))
    releasedAtMs = performance.now()
    await lease?.release()
  }
  await Promise.all(Array.from({ length: Number(waiters) }, (_, index) => take(index)))
  const tookMs = performance.now() - startedMs
  handOffs.sort((left, right) => left - right)
  const at = (part: number): string => (handOffs[Math.floor(handOffs.length * part)] ?? 0).toFixed(2)
  const rate = Math.round((Number(waiters) / tookMs) * 1_000)
  console.log(`${waiters} waiters, ${sessions} sessions: ${rate} acq/s, hand-off p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
}
