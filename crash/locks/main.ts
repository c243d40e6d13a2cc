/** `npm run crash -- --locks …`: one backend after the other, or two at a time where the runs are short. */
import { etcdAvailable, postgresAvailable, redisAvailable, zookeeperAvailable } from '@lockstep/testkit'
import { type BackendName, lossyBackends } from './backends.ts'
import { fightOverLocks } from './fight.ts'
import type { LockFightSettings } from './lock-fight.ts'

export interface LocksRun extends Omit<LockFightSettings, 'backend' | 'say'> {
  readonly backends: readonly BackendName[]
}

/** What `npm test` runs; the others have their full runs. */
export const smokeBackends: readonly BackendName[] = ['redis', 'redlock', 'zookeeper', 'etcd', 'postgres']

/** Answers the exit code. */
export async function crashLocks(run: LocksRun): Promise<number> {
  const durable = run.lossy ? run.backends.find((backend) => !lossyBackends.includes(backend)) : undefined
  if (durable !== undefined) {
    console.error(`crash: --lossy is for ${lossyBackends.join(' and ')}: ${durable} has no server that forgets.`)
    return 2
  }
  const available = run.backends.filter(isAvailable)
  const missing = run.backends.length - available.length
  const results: { backend: BackendName; held: boolean }[] = []
  const waiting = [...available]
  const work = async (): Promise<void> => {
    for (let backend = waiting.shift(); backend !== undefined; backend = waiting.shift())
      results.push({ backend, held: await oneFight(backend, run) })
  }
  await Promise.all(Array.from({ length: run.isShort ? 2 : 1 }, work))
  const broken = results.filter(({ held }) => !held).map(({ backend }) => backend)
  const names = results.map(({ backend }) => backend).join(', ')
  console.log(
    broken.length === 0
      ? `crash: every promise held, locks on ${names}: ${run.lossy ? '' : 'one holder, '}growing tokens, nothing lost behind the fence, everybody served, nothing left behind`
      : `crash: BROKEN, locks on ${broken.join(', ')}`,
  )
  console.log(`${results.length - broken.length} passed, ${broken.length} failed`)
  const isRequired = missing > 0 && process.env['LOCKSTEP_TEST_REQUIRE'] === 'all'
  return broken.length === 0 && results.length > 0 && !isRequired ? 0 : 1
}

/** Of two at a time each says everything at its end. */
async function oneFight(backend: BackendName, run: LocksRun): Promise<boolean> {
  const lines: string[] = []
  const say = run.isShort ? (line: string) => void lines.push(line) : console.log
  const held = await fightOverLocks({ ...run, backend, say })
  for (const line of lines) console.log(line)
  return held
}

const servers: Readonly<Record<BackendName, () => { available: true } | { available: false; reason: string }>> = {
  redis: redisAvailable,
  redlock: redisAvailable,
  zookeeper: zookeeperAvailable,
  'zookeeper-ephemeral': zookeeperAvailable,
  etcd: etcdAvailable,
  postgres: postgresAvailable,
  'postgres-advisory': postgresAvailable,
}

function isAvailable(backend: BackendName): boolean {
  const found = servers[backend]()
  if (!found.available) console.log(`skipped locks on ${backend}: ${found.reason}`)
  return found.available
}
