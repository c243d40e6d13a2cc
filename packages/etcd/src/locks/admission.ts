/**
 * Who of a queue holds: the order of the create revisions decides, and everybody reads the same order. A mutex and a writer wait for all
 * that stand before them, a reader for the writers, a permit until fewer than `of` stand before it. A writer that waits thereby stops
 * new readers, and of `of` permits never more are out: at most so many entries have so few before them.
 */
import type { LockMode } from 'lockstep/ports'
import type { KeyRange, RangeQuery } from '../wire/messages.ts'
import type { Entry } from './entry.ts'

/** What must happen before it is worth looking again. */
export interface Blockers {
  readonly keys: readonly string[]
  readonly needed: number
}

/** Null when it holds. `before` may be cut to what `lowerQuery` asks for. */
export function blockersOf(mode: LockMode, before: readonly Entry[]): Blockers | null {
  if (mode.kind === 'permit') {
    const tooMany = before.length - mode.of + 1
    return tooMany > 0 ? { keys: before.map(({ key }) => key), needed: tooMany } : null
  }
  const inTheWay = mode.kind === 'read' ? before.filter((entry) => entry.mode.kind === 'write') : before
  // The next lower one alone: when it leaves, one waiter looks, and not all of them.
  const [next] = inTheWay.toSorted((a, b) => (a.createRevision > b.createRevision ? -1 : 1))
  return next === undefined ? null : { keys: [next.key], needed: 1 }
}

/**
 * The part of the queue that decides about `mode`; with `upTo`, of what was made until then. A mutex and a writer need but the newest
 * before them, whatever the length of the queue; `own` says that the answer will show the entry that asks as well.
 */
export function lowerQuery(queue: KeyRange, mode: LockMode, bound: { upTo?: bigint; own?: boolean } = {}): RangeQuery {
  const { upTo, own = false } = bound
  const range = { ...queue, newestFirst: true, ...(upTo !== undefined && { createdUpTo: upTo }) }
  if (mode.kind === 'read') return range
  return { ...range, keysOnly: true, ...(mode.kind !== 'permit' && { limit: own ? 2 : 1 }) }
}
