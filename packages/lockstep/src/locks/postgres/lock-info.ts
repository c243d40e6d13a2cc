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

/** As the server stores it: a label may hold what is no text to it, half a character or a zero. */
export function storedHolder({ host, pid, label }: LockHolder): string {
  const text = (value: string): string => value.toWellFormed().replaceAll('\0', '\uFFFD')
  return JSON.stringify({ host: text(host), pid, label: text(label) })
}

function holderOf(value: unknown): LockHolder | null {
  const { host, pid, label } = Object(value)
  const isHolder = typeof host === 'string' && typeof pid === 'number' && typeof label === 'string'
  return isHolder ? { host, pid, label } : null
}
