import type { Grant, History } from './history.ts'

/** A resource behind the lock. It refuses a token that is older than one it has seen; those without a token it must believe. */
export interface RegisterFigures {
  /** Grants while somebody else was still at work. */
  readonly overlaps: number
  /** Writes of an older holder that were accepted after a newer one had begun. */
  readonly violations: number
  /** Writes that the fence has refused. */
  readonly refused: number
}

interface Access {
  readonly atMs: number
  readonly kind: 'claim' | 'write'
  readonly grant: Grant
}

/** Replays what the holders did: each claims the register when it is granted, and writes to it right before it releases. */
export function replay({ grants }: History): RegisterFigures {
  const accesses = grants.flatMap((grant): Access[] => [
    { atMs: grant.acquiredMs, kind: 'claim', grant },
    { atMs: grant.releasedMs, kind: 'write', grant },
  ])
  const inOrder = accesses.filter(({ atMs }) => atMs < Infinity).sort((a, b) => a.atMs - b.atMs)
  const atWork = new Set<Grant>()
  let [overlaps, violations, refused] = [0, 0, 0]
  let fence = -1n
  let newest: Grant | null = null
  for (const { kind, grant } of inOrder) {
    const isRefused = grant.token !== null && grant.token < fence
    if (isRefused) refused += 1
    else if (grant.token !== null) fence = grant.token
    if (kind === 'claim') {
      if (atWork.size > 0) overlaps += 1
      atWork.add(grant)
      newest = grant
    } else {
      if (!isRefused && newest !== grant) violations += 1
      atWork.delete(grant)
    }
  }
  return { overlaps, violations, refused }
}
