import type { LockInfo, LockKind, LockMode } from 'lockstep/ports'
import { isZooKeeperError } from '../errors.ts'
import type { ZooKeeper } from '../zookeeper.ts'
import { deletePath, type LockSession } from './lock-session.ts'
import { readOwnerData } from './owner-data.ts'
import { type LockPaths, lockKinds } from './paths.ts'
import { holdersOf, inOrder, type QueueKind } from './queue-names.ts'

const infosMax = 1_000
/** Names that are looked at at a time. */
const atATime = 32

/** Somebody's hold, and the node by which it holds. */
export interface Found {
  readonly info: LockInfo
  /** Null for a name that has waiters and no holder. */
  readonly path: string | null
}

const modeOf = { lock: 'mutex', read: 'read', write: 'write' } as const satisfies Record<QueueKind, LockMode['kind']>

/** Reads who holds what. It is a look at a tree that goes on changing: what is missing by the time it is read is left out. */
export class Inspection {
  readonly #session: LockSession
  readonly #paths: LockPaths

  constructor(session: LockSession, paths: LockPaths) {
    this.#session = session
    this.#paths = paths
  }

  async holds(only?: string): Promise<readonly Found[]> {
    await this.#zookeeper.sync(this.#paths.root, this.#time)
    const names = await Promise.all(lockKinds.map(async (kind) => this.#named(kind, only)))
    const all = names.flat()
    const found: Found[] = []
    for (let at = 0; at < all.length && found.length < infosMax; at += atATime) {
      const part = all.slice(at, at + atATime).map(({ kind, name }) => this.#ofName(kind, name))
      found.push(...(await Promise.all(part)).flat())
    }
    return found.slice(0, infosMax)
  }

  /** What was taken away, and not what was gone already. */
  async take(name: string, token: bigint | undefined): Promise<readonly LockInfo[]> {
    const wanted = (await this.holds(name)).filter(({ info }) => token === undefined || info.token === token)
    const taken = await Promise.all(wanted.map((found) => this.#takeOne(found)))
    return wanted.filter((_, index) => taken[index]).map(({ info }) => info)
  }

  async #takeOne({ info, path }: Found): Promise<boolean> {
    if (path === null) return false
    // A path may be the next holder's by now, where the recipe shares it.
    const now = await this.#data(path)
    return now !== null && now.stat.czxid === info.token && deletePath(this.#session, path)
  }

  async #named(kind: LockKind, only?: string): Promise<readonly { kind: LockKind; name: string }[]> {
    const names = only === undefined ? await this.#children(this.#paths.ofKind(kind)) : [only]
    return names.map((name) => ({ kind, name }))
  }

  #ofName(kind: LockKind, name: string): Promise<Found[]> {
    return kind === 'semaphore' ? this.#permits(name) : this.#line(kind, name)
  }

  async #line(kind: LockKind, name: string): Promise<Found[]> {
    const path = this.#paths.ofName(kind, name)
    const line = inOrder(await this.#children(path))
    if (line.length === 0) return kind === 'mutex' ? this.#hold(path, { name, mode: 'mutex', waiters: null }) : []
    const holders = holdersOf(line)
    const waiters = line.length - holders.length
    const found = holders.map((each) => this.#hold(`${path}/${each.name}`, { name, mode: modeOf[each.kind], waiters }))
    return (await Promise.all(found)).flat()
  }

  async #permits(name: string): Promise<Found[]> {
    const permits = this.#paths.permits(name)
    const [holders, line] = await Promise.all([
      this.#children(permits),
      this.#children(this.#paths.line({ kind: 'permit' }, name)),
    ])
    const about = { name, mode: 'permit', waiters: inOrder(line).length } as const
    if (holders.length === 0 && about.waiters > 0) {
      return [{ info: { ...about, token: null, holder: null, since: null, remainingMs: null }, path: null }]
    }
    return (await Promise.all(holders.map((each) => this.#hold(`${permits}/${each}`, about)))).flat()
  }

  /** Empty when it is gone, or is no hold: the container of a name that nobody wants. */
  async #hold(path: string, about: Pick<LockInfo, 'name' | 'mode' | 'waiters'>): Promise<Found[]> {
    const node = await this.#data(path)
    if (node === null || node.stat.ephemeralOwner <= 0n) return []
    const owner = readOwnerData(node.data)
    const info: LockInfo = {
      ...about,
      token: node.stat.czxid,
      holder: owner?.holder ?? null,
      since: owner?.since ?? null,
      remainingMs: null,
    }
    return [{ info, path }]
  }

  async #children(path: string): Promise<readonly string[]> {
    const found = await orNull(this.#zookeeper.getChildren(path, this.#time))
    return found?.children ?? []
  }

  #data(path: string) {
    return orNull(this.#zookeeper.getData(path, this.#time))
  }

  get #zookeeper(): ZooKeeper {
    return this.#session.zookeeper
  }

  get #time(): { readonly timeoutMs: number } {
    return { timeoutMs: this.#session.requestMs }
  }
}

async function orNull<Result>(reading: Promise<Result>): Promise<Result | null> {
  try {
    return await reading
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return null
    throw error
  }
}
