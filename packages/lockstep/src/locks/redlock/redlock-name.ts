import type { LockAsk, LockHolder } from '../../ports/index.ts'

/** The keys of one name on a node. The braces keep them in one slot, and the prefix away from data. */
export interface RedlockKeys {
  readonly lock: string
  readonly counter: string
  readonly channel: string
}

export function keysOf(prefix: string, name: string): RedlockKeys {
  const lock = `${prefix}:{${name}}`
  return { lock, counter: `${lock}:token`, channel: `${lock}:wake` }
}

/** What stands in the lock's key: who owns it, and for people who that is. Fresh for each attempt. */
export function ownerText(ask: LockAsk, attempt: number, since: number): string {
  const { host, pid, label } = ask.holder
  return JSON.stringify([`${ask.owner}.${attempt}`, host, pid, label, since])
}

export function readOwner(text: string): { readonly holder: LockHolder | null; readonly since: number | null } {
  try {
    const [, host, pid, label, since] = JSON.parse(text) as [string, string, number, string, number]
    return { holder: { host, pid, label }, since }
  } catch {
    return { holder: null, since: null }
  }
}
