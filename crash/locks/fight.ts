/** One fight over locks: servers, workers that want the same names, strikes, and then everybody must be served and nothing be left. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLocks } from './backends.ts'
import { nowMs } from './journal.ts'
import type { LockFight, LockFightSettings } from './lock-fight.ts'
import { type Lane, linkFaultsOn, planLane } from './plan.ts'
import { report, untested } from './report.ts'
import { Resource } from './resource.ts'
import { startServers } from './servers.ts'
import { LockStriker } from './striker.ts'
import { shownByPeace, shownByStrikes } from './verdicts.ts'
import { WorkerProcess } from './worker-process.ts'

const workerCount = 4
/** A run on a machine that is busy takes longer, and shows something as well. */
const leastPerLane = 2
/** For so much longer, at most, a run goes on that has not shown yet what must be shown. */
const longerMsMax = { strikes: 30_000, peace: 15_000 }
/** In peace at the beginning and at the end: there the order of service can be seen. */
const calmMs = { short: 2_500, long: 4_000 }
const servedWithinMs = 20_000
const clearedWithinMs = 10_000
const nameForMs = 15_000
const endsWithinMs = 5_000

/** True when every promise held, and each was put to the test. */
export async function fightOverLocks(settings: LockFightSettings): Promise<boolean> {
  const { backend, seconds, seed, say, lossy } = settings
  const fight = await begin(settings)
  const { workers, servers, resource, ttlMs, directory } = fight
  say(
    `crash locks on ${backend}${lossy ? ' that forgets' : ''}: ${seconds} s, ${workerCount} workers, TTL ${ttlMs} ms, seed ${seed}, histories ${directory}`,
  )
  try {
    await underFire(fight)
    await comeToRest(fight)
    return report(fight)
  } catch (error) {
    say(`  BROKEN: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return false
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
    await resource.close()
    await servers.stop()
  }
}

async function begin(settings: LockFightSettings): Promise<LockFight> {
  const { backend, seed, isShort, lossy } = settings
  const ttlMs = isShort ? 1_000 : 2_000
  const resource = new Resource({ fences: process.env['LOCKSTEP_MUTANT'] !== 'M14-resource-ignores-the-token' })
  const resourcePort = await resource.open()
  const directory = mkdtempSync(join(tmpdir(), `lockstep-locks-${backend}-`))
  const workers: WorkerProcess[] = []
  const onMoved = (at: number, port: number): void => {
    for (const worker of workers) worker.links[at]?.leadTo(port)
  }
  const servers = await startServers(backend, { single: isShort, lossy, onMoved })
  const probe = openLocks(backend, servers, { ttlMs })
  const promised = probe.locks.capabilities
  await probe.close()
  for (let at = 0; at < workerCount; at++) {
    const plan = {
      name: `w${at}`,
      directory,
      backend,
      ttlMs,
      resourcePort,
      seed,
      serverPorts: servers.ports,
      database: servers.database,
      tasks: at === 0 ? 2 : 1,
      startedMs: nowMs(),
      nameForMs,
      // Servers that forget are no harm to sections that are over before they are back.
      longSections: lossy ? 0.5 : 0.1,
      unrenewed: lossy ? 0.5 : 0.1,
      // Where order is promised, somebody must have waited for so long that nobody can be wrong about it.
      shortSectionMs: promised.fair ? 200 : 80,
      sectionMaxMs: isShort ? 400 : ttlMs,
      servedWithinMs,
    }
    workers.push(await WorkerProcess.create(plan))
  }
  const striker = new LockStriker({ workers, servers, inside: () => resource.inside })
  return { settings, ttlMs, directory, promised, servers, resource, workers, striker, troubles: [] }
}

async function underFire(fight: LockFight): Promise<void> {
  const { settings, workers, striker, servers, ttlMs } = fight
  const { seconds, strikesMax, seed, backend, isShort } = settings
  await Promise.all(workers.map((worker) => worker.start()))
  const startedMs = nowMs()
  const calm = isShort ? calmMs.short : calmMs.long
  await sleep(calm)
  const plan = { seed, ttlMs, serverFaults: servers.faults, linkFaults: linkFaultsOn(backend) }
  const isOver = (): boolean => nowMs() - startedMs >= seconds * 1_000 - calm / 2 || striker.strikes >= strikesMax
  const progress = setInterval(
    () => settings.say(`  ${Math.round((nowMs() - startedMs) / 1_000)} s: ${striker}`),
    30_000,
  )
  const isTooLong = (): boolean => nowMs() - startedMs >= seconds * 1_000 + longerMsMax.strikes
  const isShown = (promises: readonly string[]): boolean => !untested(fight).some((one) => promises.includes(one))
  const lane = async (name: Lane): Promise<void> => {
    let number = 0
    for (const strike of planLane(name, plan)) {
      if (number >= leastPerLane && isOver() && (isTooLong() || isShown(shownByStrikes))) break
      await striker.strike(strike)
      number += 1
    }
  }
  try {
    await Promise.all([lane('processes'), lane('outside')])
  } finally {
    clearInterval(progress)
  }
  await sleep(calm / 2)
  const untilMs = nowMs() + longerMsMax.peace
  while (nowMs() < untilMs && !isShown(shownByPeace)) await sleep(500)
}

/** No fault is left: everybody is served within a bound, nothing keeps a process alive, and nothing stands in the servers. */
async function comeToRest(fight: LockFight): Promise<void> {
  const { workers, troubles } = fight
  await Promise.all(workers.map((worker) => worker.finish(2 * servedWithinMs + endsWithinMs)))
  for (const worker of workers) {
    troubles.push(...worker.troubles)
    const last = worker.lives.at(-1)
    const isServed = last !== undefined && worker.events(last).some(({ e }) => e === 'served')
    if (!isServed)
      troubles.push(`${worker.process} was not served within ${servedWithinMs / 1_000} s after the last fault`)
  }
  const left = await leftBehind(fight)
  if (left.length > 0) troubles.push(`left behind: ${left.slice(0, 10).join(', ')}`)
}

async function leftBehind({ settings, servers, ttlMs }: LockFight): Promise<readonly string[]> {
  const observer = openLocks(settings.backend, servers, { ttlMs })
  const untilMs = nowMs() + clearedWithinMs
  try {
    for (;;) {
      const holds = (await observer.locks.inspect()).map((info) => `${info.mode} ${info.name}`)
      if (holds.length === 0) break
      if (nowMs() > untilMs) return holds
      await sleep(50)
    }
  } finally {
    await observer.close()
  }
  for (;;) {
    const found = await servers.leftovers()
    if (found.length === 0 || nowMs() > untilMs) return found
    await sleep(50)
  }
}
