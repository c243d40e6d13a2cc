import { mutant } from '#mutant'
import type { Claimed, ClaimRequest, StoredTransaction } from '../../ports/index.ts'
import { compareText, copyRow, type MemoryRow, type MemoryState } from './memory-rows.ts'

/**
 * Takes due rows: first what dead owners left, then what nobody owns, each the longest overdue first.
 *
 * An owner is dead when its lease is over or it has none. In an exclusive store everybody else is.
 */
export function claimDue(
  state: MemoryState,
  request: ClaimRequest,
  now: number,
  exclusive: boolean,
): readonly Claimed[] {
  const callable = new Set(request.services)
  const lost = request.except === undefined ? null : new Set(request.except)
  // The known bug M13: the lease judged by a clock that runs ahead of the store's.
  const judgedAt = mutant('M13-lease-by-local-clock') ? now + 10_000 : now
  const live = [...state.instances].filter(([, instance]) => instance.leaseUntil > judgedAt)
  const liveOwners = new Set(live.map(([owner]) => owner))
  const isClaimable = ({ row }: MemoryRow): boolean => {
    if (!isDue(row, now)) return false
    if (row.owner === request.owner) return lost !== null && !lost.has(row.id)
    if (row.owner !== null && !exclusive && liveOwners.has(row.owner)) return false
    if (covers(callable, row.needs) || mutant('L11-claims-what-it-cannot-call')) return true
    const isMissing = (row.nextAt ?? now) <= now - request.missingAfterMs
    return isMissing && (exclusive || !live.some(([, instance]) => covers(new Set(instance.services), row.needs)))
  }
  const due = [...state.rows.values()].filter(isClaimable).sort(byUrgency)
  return due.slice(0, request.limit).map((stored) => take(state, stored, request.owner))
}

function isDue(row: StoredTransaction, now: number): boolean {
  return row.held === null && row.endedAt === null && row.nextAt !== null && row.nextAt <= now
}

function covers(services: ReadonlySet<string>, needs: readonly string[]): boolean {
  return needs.every((need) => services.has(need))
}

function byUrgency(left: MemoryRow, right: MemoryRow): number {
  const takeoversFirst = Number(left.row.owner === null) - Number(right.row.owner === null)
  return takeoversFirst || (left.row.nextAt ?? 0) - (right.row.nextAt ?? 0) || compareText(left.row.id, right.row.id)
}

function take(state: MemoryState, stored: MemoryRow, owner: string): Claimed {
  const row = { ...stored.row, owner, epoch: stored.row.epoch + (mutant('L5-claim-keeps-epoch') ? 0 : 1) }
  state.rows.set(row.id, { ...stored, row })
  return { row: copyRow(row), takeover: stored.row.owner !== null }
}
