import type { Operation } from './history.ts'
import type { Model } from './linearizable.ts'

/**
 * Locks as sequential objects. A history has `acquire` and `release`; `value` of an acquire is its token. A release that failed or was not
 * answered counts as a release, because a lease runs out by itself: such a history gives it as `unknown`, or as `ok` at the end of the lease.
 */

interface Held {
  readonly holder: string | null
  readonly depth: number
  readonly token: bigint
}

const free: Held = { holder: null, depth: 0, token: 0n }
const textOf = ({ holder, depth, token }: Held): string => `${holder} ${depth} ${token}`

/** One holder at a time. */
export const mutexModel: Model<Held> = {
  initial: free,
  textOf,
  step(state, { kind, process }) {
    if (kind === 'acquire') return state.holder === null ? { ...state, holder: process, depth: 1 } : null
    return state.holder === process ? free : null
  },
}

/** One holder at a time, each with a larger token than the one before. */
export const fencedMutexModel: Model<Held> = {
  initial: free,
  textOf,
  step: (state, operation, isCertain) => fencedStep(state, operation, { isCertain, isReentrant: false }),
}

/** The holder may take it again, with the same token, and must give it back as often. */
export const reentrantFencedMutexModel: Model<Held> = {
  initial: free,
  textOf,
  step: (state, operation, isCertain) => fencedStep(state, operation, { isCertain, isReentrant: true }),
}

interface Rules {
  readonly isCertain: boolean
  readonly isReentrant: boolean
}

function fencedStep(state: Held, operation: Operation, { isCertain, isReentrant }: Rules): Held | null {
  const { kind, process, value } = operation
  if (kind === 'release') {
    if (state.holder !== process) return null
    return state.depth > 1 ? { ...state, depth: state.depth - 1 } : { ...state, holder: null, depth: 0 }
  }
  // Nobody has seen the token of a grant that was not answered: it is one above, the least that the next one must exceed.
  const token = isCertain && typeof value === 'bigint' ? value : state.token + 1n
  if (state.holder === null) return token > state.token ? { holder: process, depth: 1, token } : null
  if (!isReentrant || state.holder !== process) return null
  return token === state.token ? { ...state, depth: state.depth + 1 } : null
}

/** At most `permits` holders, each of which may hold several. */
export function semaphoreModel(permits: number): Model<readonly string[]> {
  return {
    initial: [],
    textOf: (holders) => holders.join(),
    step(holders, { kind, process }) {
      if (kind === 'acquire') return holders.length < permits ? [...holders, process].sort() : null
      const at = holders.indexOf(process)
      return at < 0 ? null : holders.toSpliced(at, 1)
    },
  }
}

/** A value that is read, written, and nothing else. */
export const registerModel: Model<Operation['value']> = {
  initial: null,
  textOf: String,
  step(state, { kind, value = null }) {
    if (kind === 'write') return value
    return value === state ? state : null
  },
}
