import { type Operation, type Verdict, worstOf } from './history.ts'

/** One lease, as its holder saw it. */
export interface Holding {
  readonly process: string
  readonly key: string
  readonly askedMs: number
  /** Null when it was not granted: the wait was over, or the process died. */
  readonly grantedMs: number | null
  /** The holder stopped acting under it, or its validity ended by its own computation: whichever came first. Null: it never stopped. */
  readonly endMs: number | null
  readonly token: bigint
}

/**
 * One holder at a time by what the holders know themselves: from the moment of the grant until the release was begun or the lease was over
 * by the holder's own clock. Quadratic searches are not needed: intervals are swept in the order of their beginning.
 */
export function checkMutex(history: readonly Holding[]): Verdict {
  return perKey(history, (holdings) => {
    let last: Holding | undefined
    for (const one of holdings.toSorted((a, b) => (a.grantedMs ?? 0) - (b.grantedMs ?? 0))) {
      if (last !== undefined && (last.endMs ?? Infinity) > (one.grantedMs ?? 0))
        return invalid(`${last.process} still held it when ${one.process} was granted it`, [last, one])
      if (last === undefined || (one.endMs ?? Infinity) > (last.endMs ?? Infinity)) last = one
    }
    return null
  })
}

/** If A was granted before the acquire of B began, A's token is smaller; and no token is given twice. */
export function checkTokenOrder(history: readonly Holding[]): Verdict {
  return perKey(history, (holdings) => {
    const byAsking = holdings.toSorted((a, b) => a.askedMs - b.askedMs)
    const byGrant = holdings.toSorted((a, b) => (a.grantedMs ?? 0) - (b.grantedMs ?? 0))
    const owners = new Map<bigint, Holding>()
    let newest: Holding | undefined
    let granted = 0
    for (const one of byAsking) {
      for (; (byGrant[granted]?.grantedMs ?? Infinity) < one.askedMs; granted++) {
        const before = byGrant[granted]
        if (before !== undefined && (newest === undefined || before.token > newest.token)) newest = before
      }
      if (newest !== undefined && newest.token >= one.token)
        return invalid(`${one.process} got ${one.token} after ${newest.process} had got ${newest.token}`, [newest, one])
      const twin = owners.get(one.token)
      if (twin !== undefined) return invalid(`${twin.process} and ${one.process} both got ${one.token}`, [twin, one])
      owners.set(one.token, one)
    }
    return null
  })
}

/**
 * First come, first served. Nobody outside sees when a waiter stands in the queue, so only those are compared of whom one had asked
 * `settledMs` before the other began to.
 */
export function checkFifo(history: readonly Holding[], settledMs: number): Verdict {
  return perKey(history, (holdings) => {
    const byGrant = holdings.toSorted((a, b) => (a.grantedMs ?? 0) - (b.grantedMs ?? 0))
    let latest: Holding | undefined
    for (const one of byGrant) {
      if (latest !== undefined && one.askedMs + settledMs < latest.askedMs)
        return invalid(`${latest.process} was served before ${one.process}, which had asked before`, [latest, one])
      if (latest === undefined || one.askedMs > latest.askedMs) latest = one
    }
    return null
  })
}

/** At most `permits` at a time. */
export function checkSemaphore(history: readonly Holding[], permits: number): Verdict {
  return perKey(history, (holdings) => {
    const open: Holding[] = []
    for (const one of holdings.toSorted((a, b) => (a.grantedMs ?? 0) - (b.grantedMs ?? 0))) {
      const still = open.filter((other) => (other.endMs ?? Infinity) > (one.grantedMs ?? 0))
      open.splice(0, open.length, ...still, one)
      if (open.length > permits) return invalid(`${open.length} permits of ${permits} were out`, open)
    }
    return null
  })
}

/** What a fenced resource did. */
export interface FencedEffect {
  readonly key: string
  readonly token: bigint
  readonly accepted: boolean
}

/** In the order in which the resource saw them: no older token is accepted, and no token is refused that is not older. */
export function checkFence(effects: readonly FencedEffect[]): Verdict {
  const newest = new Map<string, bigint>()
  for (const { key, token, accepted } of effects) {
    const seen = newest.get(key) ?? 0n
    if (accepted !== token >= seen)
      return {
        valid: false,
        why: `${key} had seen ${seen} and ${accepted ? 'accepted' : 'refused'} ${token}`,
        operations: [],
      }
    if (accepted) newest.set(key, token)
  }
  return effects.length === 0
    ? { valid: 'unknown', why: 'nothing was written' }
    : { valid: true, checked: effects.length }
}

function perKey(history: readonly Holding[], check: (holdings: readonly Holding[]) => Verdict | null): Verdict {
  const granted = history.filter(({ grantedMs }) => grantedMs !== null)
  const verdicts = [...Map.groupBy(granted, ({ key }) => key).values()].map((holdings): Verdict => {
    if (holdings.length < 2) return { valid: 'unknown', why: 'fewer than two were granted it' }
    return check(holdings) ?? { valid: true, checked: holdings.length }
  })
  return worstOf(verdicts)
}

function invalid(why: string, holdings: readonly Holding[]): Verdict {
  return { valid: false, why, operations: holdings.map(operationOf) }
}

function operationOf({ process, key, askedMs, grantedMs, token }: Holding): Operation {
  return { process, key, kind: 'acquire', startMs: askedMs, endMs: grantedMs, outcome: 'ok', value: token }
}
