/**
 * `node --conditions=lockstep-source packages/zookeeper/test/measure-cycles.ts [seconds] [in flight] [servers]`: create + delete cycles a
 * second, as a lock costs them. Without servers it starts one of its own, which syncs to disk. Times are printed, never judged.
 */
import { startZooKeeper } from '../../testkit/src/services/zookeeper.ts'
import { openZooKeeper, type ZooKeeper } from '../src/index.ts'

const [seconds = '5', inFlight = '64', servers] = process.argv.slice(2)
const own = servers === undefined ? await startZooKeeper({ private: true }) : undefined
const zookeeper = openZooKeeper({ servers: servers ?? own?.servers ?? '', sessionTimeoutMs: 20_000 })
await zookeeper.whenConnected()
for (const count of [1, Number(inFlight)]) {
  await measure(zookeeper, { count, durationMs: 1_000 })
  const { cycles, durationMs, cpuMs, latencies } = await measure(zookeeper, {
    count,
    durationMs: Number(seconds) * 1_000,
  })
  const at = (part: number): string => (latencies[Math.floor(latencies.length * part)] ?? 0).toFixed(2)
  const rate = Math.round((cycles / durationMs) * 1_000)
  const share = Math.round((cpuMs / durationMs) * 100)
  console.log(
    `${count} in flight: ${rate} cycles/s; a cycle p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; this process ${share} % of a core`,
  )
}
await zookeeper.close()
await own?.stop()

async function measure(client: ZooKeeper, { count, durationMs }: { count: number; durationMs: number }) {
  const latencies: number[] = []
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()]
  const run = async (index: number): Promise<void> => {
    while (performance.now() - startedMs < durationMs) {
      const beganMs = performance.now()
      const { path } = await client.create(`/bench-${count}-${index}-`, { mode: 'ephemeral-sequential' })
      await client.delete(path)
      latencies.push(performance.now() - beganMs)
    }
  }
  await Promise.all(Array.from({ length: count }, (_, index) => run(index)))
  const { user, system } = process.cpuUsage(cpu)
  const tookMs = performance.now() - startedMs
  latencies.sort((left, right) => left - right)
  return { cycles: latencies.length, durationMs: tookMs, cpuMs: (user + system) / 1_000, latencies }
}
