/**
 * Locks in one process's memory, on the ports' clock: the reference that every other backend is compared with. First come, first served;
 * a released name is handed to the next waiter in the same turn.
 */
import { type LockBackend, type LockInfo, lockKind, type OpenLockBackend } from '../../ports/index.ts'
import { type Holder, MemoryName, type MemoryTime } from './memory-name.ts'

const inspectedMax = 1_000

/**
 * Whatever is opened from one call shares its names, as processes share a server.
 *
 * @example
 * const locks = createLocks(memoryLocks())
 */
export function memoryLocks(): OpenLockBackend {
  const space: Space = { names: new Map(), lastToken: 0n }
  return (environment) => memoryBackend(space, environment)
}

interface Space {
  readonly names: Map<string, MemoryName>
  /** Of all names, so that a name that nobody uses can be forgotten. */
  lastToken: bigint
}

function memoryBackend(space: Space, time: MemoryTime): LockBackend {
  const { names } = space
  const nextToken = (): bigint => {
    const microseconds = BigInt(Math.floor(time.clock.now() * 1_000))
    space.lastToken = space.lastToken + 1n > microseconds ? space.lastToken + 1n : microseconds
    return space.lastToken
  }
  const stateOf = (key: string): MemoryName => {
    const known = names.get(key)
    if (known !== undefined) return known
    // A hold of before may be dropped late: by then another state may stand under this key.
    const forget = (): void => {
      if (names.get(key) === fresh) names.delete(key)
    }
    const fresh: MemoryName = new MemoryName({ time, nextToken, onIdle: forget })
    names.set(key, fresh)
    return fresh
  }
  const shown = (only?: string): [name: string, state: MemoryName][] =>
    [...names]
      .map(([key, state]): [string, MemoryName] => [key.slice(key.indexOf(' ') + 1), state])
      .filter(([name]) => only === undefined || name === only)
  return {
    name: 'memory',
    capabilities: { fencing: 'best-effort', fair: true, wakeUp: 'push', sharing: true },
    ttlMinMs: 10,
    ttlMaxMs: 86_400_000,
    async contend(ask) {
      ask.signal.throwIfAborted()
      return stateOf(`${lockKind(ask.mode)} ${ask.name}`).contend(ask)
    },
    async inspect(only) {
      const all = shown(only).flatMap(([name, state]) =>
        [...state.holders].map((holder) => infoOf(name, state, holder, time)),
      )
      return all.slice(0, inspectedMax)
    },
    async evict(name, token) {
      return shown(name).flatMap(([, state]) => {
        const taken = [...state.holders].filter((holder) => token === undefined || holder.token === token)
        const infos = taken.map((holder) => infoOf(name, state, holder, time))
        for (const holder of taken) state.drop(holder)
        return infos
      })
    },
    async close() {},
  }
}

function infoOf(name: string, state: MemoryName, holder: Holder, { clock }: MemoryTime): LockInfo {
  const { ask, token, since, validUntilMs } = holder
  const remainingMs = Math.max(0, Math.round(validUntilMs - clock.monotonicMs()))
  return { name, mode: ask.mode.kind, token, holder: ask.holder, since, remainingMs, waiters: state.waiting }
}
