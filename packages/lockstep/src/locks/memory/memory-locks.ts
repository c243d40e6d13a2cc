/**
 * Locks in one process's memory, on the ports' clock: the reference that every other backend is compared with. First come, first served;
 * a released name is handed to the next waiter in the same turn.
 */
import type { LockBackend, LockInfo } from '../../ports/index.ts'
import { type Holder, MemoryName, type MemoryTime } from './memory-name.ts'

export function memoryLocks(time: MemoryTime): LockBackend {
  const names = new Map<string, MemoryName>()
  const nameOf = (name: string): MemoryName => {
    const known = names.get(name) ?? new MemoryName(time)
    names.set(name, known)
    return known
  }
  return {
    name: 'memory',
    capabilities: { fencing: 'best-effort', fair: true, wakeUp: 'push', sharing: true },
    ttlMinMs: 10,
    ttlMaxMs: 86_400_000,
    async contend(ask) {
      ask.signal.throwIfAborted()
      return nameOf(ask.name).contend(ask)
    },
    async inspect(only) {
      const shown = [...names].filter(([name]) => only === undefined || name === only)
      return shown.flatMap(([name, state]) => [...state.holders].map((holder) => infoOf(name, state, holder, time)))
    },
    evict: async (name) => names.get(name)?.dropAll() ?? false,
    async close() {
      for (const name of names.values()) name.dropAll()
    },
  }
}

function infoOf(name: string, state: MemoryName, holder: Holder, { clock }: MemoryTime): LockInfo {
  const { ask, token, since, validUntilMs } = holder
  const remainingMs = Math.max(0, Math.round(validUntilMs - clock.monotonicMs()))
  return { name, mode: ask.mode.kind, token, holder: ask.holder, since, remainingMs, waiters: state.waiting }
}
