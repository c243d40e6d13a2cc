import {
  type LockAsk,
  type LockHolder,
  type LockKind,
  type LockMode,
  lockKind,
  type RedisScript,
} from '../../ports/index.ts'
import type { LockScripts } from './lock-scripts.ts'
import { mutexScripts, mutexTogether } from './mutex-scripts.ts'
import { sharedScripts } from './shared-scripts.ts'

/**
 * Which keys and scripts a name has. The hash tag keeps the keys of a name together where a proxy spreads keys, the prefix off everybody's data.
 * Scripts take several names, so a cluster is refused.
 */
export interface Recipe {
  readonly scripts: LockScripts
  /** The script that does several operations on several names; null where each is asked for by itself. */
  readonly together: RedisScript | null
  readonly keys: readonly string[]
  /** How many of the keys `extend` takes for one name. */
  readonly extendKeys: number
}

const folders: Record<LockKind, string> = { mutex: 'mutex', 'read-write': 'rw', semaphore: 'sem' }
export const lockKinds = Object.keys(folders) as LockKind[]

export function recipeOf(prefix: string, kind: LockKind, name: string): Recipe {
  const key = `${prefix}:${folders[kind]}:{${name}}`
  const isMutex = kind === 'mutex'
  return {
    scripts: isMutex ? mutexScripts : sharedScripts,
    together: isMutex ? mutexTogether : null,
    keys: [key, `${key}:token`, `${key}:queue`, `${key}:waiters`],
    extendKeys: isMutex ? 1 : 2,
  }
}

/** The kind and name of a key that shows that somebody holds it or waits for it; null for every other key. */
export function nameOfKey(prefix: string, key: string): { kind: LockKind; name: string } | null {
  if (!key.startsWith(`${prefix}:`)) return null
  const found = /^(mutex|rw|sem):\{([^{}]+)\}(?::queue)?$/.exec(key.slice(prefix.length + 1))
  const kind = lockKinds.find((one) => folders[one] === found?.[1])
  return kind === undefined || found?.[2] === undefined ? null : { kind, name: found[2] }
}

const shown = new WeakMap<LockHolder, string>()

/** Mostly the same one asks again. */
function shownHolder(holder: LockHolder): string {
  const known = shown.get(holder)
  if (known !== undefined) return known
  const { host, pid, label } = holder
  const text = JSON.stringify([host, pid, label])
  shown.set(holder, text)
  return text
}

/** Unique per ask, and says for people who it is. */
export function memberOf({ mode, owner, holder }: Pick<LockAsk, 'mode' | 'owner' | 'holder'>): string {
  const text = `${owner} ${shownHolder(holder)}`
  return lockKind(mode) === 'mutex' ? text : `${mode.kind.charAt(0)} ${text}`
}

export function limitOf(mode: LockMode): string {
  return mode.kind === 'permit' ? String(mode.of) : '0'
}
