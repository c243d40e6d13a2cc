import type { RandomStream, Scheduler, SimulatedNode } from '@lockstep/testkit'
import { isLockstepError } from 'lockstep'
import type { Lease, Locks } from 'lockstep/locks'
import type { FencedRegister } from './fenced-register.ts'
import type { LockWatch } from './lock-watch.ts'

export interface WorkerParts {
  readonly node: SimulatedNode
  readonly locks: Locks
  readonly scheduler: Scheduler
  readonly random: RandomStream
  readonly watch: LockWatch
  readonly fenced: ReadonlyMap<string, FencedRegister>
  readonly unfenced: ReadonlyMap<string, FencedRegister>
  readonly delayMaxMs: () => number
}

const names = ['one', 'two'] as const

/** Takes a name, reads a value, thinks, writes it back as one more; some give up, some hold for too long. */
export async function workOnce(parts: WorkerParts): Promise<void> {
  const { locks, random, scheduler, watch, node } = parts
  const name = random.pick('name', names)
  const options = {
    ttl: random.pick('ttl', [500, 1_000, 3_000]),
    wait: random.pick('wait', [0, 500, 10_000, 60_000]),
    renew: random.chance('renews', 0.8),
  }
  const abort = new AbortController()
  if (random.chance('aborts', 0.15))
    node.deliver(random.integer('abort after', 0, 2_000), 'abort', () => abort.abort('enough'))
  const askedMs = scheduler.now()
  const lease = await locks.acquire(name, { ...options, signal: abort.signal }).catch((error: unknown) => {
    if (error === 'enough' || isLockstepError(error, 'LOCKSTEP_LOCK_TIMEOUT')) return null
    if (isLockstepError(error, 'LOCKSTEP_LOCK_UNAVAILABLE')) return null
    throw error
  })
  if (lease === null) return
  watch.granted(name, node, lease, askedMs)
  if (!options.renew && random.chance('extends', 0.5)) await lease.extend().catch(() => {})
  await change(parts, lease, name)
  await lease.release()
}

/** The claim comes before the read: an older holder can then no more write between our read and our write. */
async function change(parts: WorkerParts, lease: Lease, name: string): Promise<void> {
  const { random, fenced, unfenced } = parts
  const [guarded, bare] = [fenced.get(name), unfenced.get(name)]
  if (guarded === undefined || bare === undefined) return
  const token = lease.fencingToken
  if (!(await atResource(parts, () => guarded.claim(token)))) return
  const [seen, other] = await atResource(parts, () => [guarded.read(), bare.read()] as const)
  await sleep(
    parts,
    random.chance('thinks long', 0.2) ? random.integer('long thought', 0, 6_000) : random.integer('thought', 0, 50),
  )
  // What has ended is not written under; a pause after this line is what the fence is for.
  if (lease.remaining() <= 0) return
  await atResource(parts, () => bare.write(null, other.value + 1, other.version))
  await atResource(parts, () => guarded.write(token, seen.value + 1, seen.version))
}

function atResource<Result>(parts: WorkerParts, run: () => Result): Promise<Result> {
  const { scheduler, random, node } = parts
  return new Promise((resolve) => {
    scheduler.after(random.integer('to the resource', 0, parts.delayMaxMs()), 'at the resource', () => {
      const result = run()
      node.deliver(random.integer('from the resource', 0, parts.delayMaxMs()), 'from the resource', () =>
        resolve(result),
      )
    })
  })
}

function sleep({ node }: WorkerParts, ms: number): Promise<void> {
  return new Promise((resolve) => node.deliver(ms, 'thought', resolve))
}
