import type { LockHolder, LockInfo } from '../../ports/index.ts'

/** A row of the lease table or of the advisory holds, as `inspect` shows it. */
export function infoOf(row: Record<string, unknown>): LockInfo {
  const { name, token, holder, since, left_ms: leftMs } = row
  return {
    name: String(name),
    mode: 'mutex',
    token: BigInt(String(token)),
    holder: holderOf(holder),
    since: typeof since === 'number' ? Math.round(since) : null,
    remainingMs: typeof leftMs === 'number' ? Math.max(0, Math.round(leftMs)) : null,
    // Who waits here asks now and then, and stands nowhere.
    waiters: null,
  }
}

function holderOf(value: unknown): LockHolder | null {
  const { host, pid, label } = Object(value)
  const isHolder = typeof host === 'string' && typeof pid === 'number' && typeof label === 'string'
  return isHolder ? { host, pid, label } : null
}
