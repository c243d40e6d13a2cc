import type { LockAsk, LockHolder } from 'lockstep/ports'

/** What a node says of who made it. */
export interface OwnerData {
  /** The ask's own: what tells our node from another one under the same path. */
  readonly owner: string
  readonly holder: LockHolder
  /** When it was asked for, milliseconds since 1970. */
  readonly since: number | null
}

export function ownerData({ owner, holder }: LockAsk, since: number): string {
  const { host, pid, label } = holder
  return JSON.stringify({ owner, host, pid, label, since })
}

/** Null for what is not readable: whoever wrote it, it must not keep `inspect` from the rest. */
export function readOwnerData(data: Buffer): OwnerData | null {
  const fields = parsed(data)
  if (typeof fields !== 'object' || fields === null) return null
  const { owner, host, pid, label, since } = fields as Record<string, unknown>
  if (typeof owner !== 'string') return null
  const holder = { host: String(host ?? ''), pid: Number(pid ?? 0), label: String(label ?? '') }
  return { owner, holder, since: typeof since === 'number' ? since : null }
}

function parsed(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString())
  } catch {
    return null
  }
}
