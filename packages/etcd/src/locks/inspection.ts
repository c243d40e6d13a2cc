/** Who holds and who waits, read from the queues: the order decides here as it does for those who stand in them. */
import type { LockInfo } from 'lockstep/ports'
import type { Etcd } from '../etcd.ts'
import { blockersOf } from './admission.ts'
import { type Entry, lockKinds, nameAndKindOf } from './entry.ts'
import type { Queues } from './queues.ts'

const shownMax = 1_000
/** Waiters are read as well, and there may be many to a hold. */
const readMax = 20_000

interface Held {
  readonly name: string
  readonly entry: Entry
  readonly waiters: number
}

interface InspectionParts {
  readonly etcd: Etcd
  readonly queues: Queues
  readonly prefix: string
}

export async function inspect(parts: InspectionParts, name?: string): Promise<readonly LockInfo[]> {
  return shown(parts, await heldEntries(parts, name))
}

/** Takes away every hold of the name, or the one with the token, and answers what was taken. */
export async function evict(parts: InspectionParts, name: string, token?: bigint): Promise<readonly LockInfo[]> {
  const wanted = (await heldEntries(parts, name)).filter(
    ({ entry }) => token === undefined || entry.createRevision === token,
  )
  const infos = await shown(parts, wanted)
  const taken = await Promise.all(wanted.map(({ entry }) => parts.queues.remove(entry)))
  return infos.filter((_, index) => taken[index] === true)
}

async function heldEntries({ queues, prefix }: InspectionParts, name?: string): Promise<readonly Held[]> {
  const perKind = await Promise.all(lockKinds.map((kind) => queues.entries(kind, name, readMax)))
  const perQueue = Map.groupBy(perKind.flat(), ({ key }) => key.slice(0, key.lastIndexOf('/')))
  const held = [...perQueue.values()].flatMap((queue) => {
    const holders = queue.filter(({ mode }, index) => blockersOf(mode, queue.slice(0, index)) === null)
    const waiters = queue.length - holders.length
    return holders.map((entry) => ({ name: nameAndKindOf(prefix, entry.key)?.name ?? entry.key, entry, waiters }))
  })
  return held.slice(0, shownMax)
}

async function shown({ etcd }: InspectionParts, held: readonly Held[]): Promise<readonly LockInfo[]> {
  const leaseIds = [...new Set(held.map(({ entry }) => entry.leaseId))]
  const seconds = await Promise.all(leaseIds.map((id) => etcd.leaseTimeToLive(id)))
  const secondsOf = new Map(leaseIds.map((id, index) => [id, seconds[index] ?? null]))
  return held.map(({ name, entry, waiters }) => {
    const left = secondsOf.get(entry.leaseId) ?? null
    return {
      name,
      mode: entry.mode.kind,
      token: entry.createRevision,
      holder: entry.holder,
      // It stands there since it began to wait; when it came to hold is written nowhere.
      since: null,
      remainingMs: left === null ? null : left * 1_000,
      waiters,
    }
  })
}
