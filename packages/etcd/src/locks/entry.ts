/** One acquisition as it stands in etcd: a key of its own in the queue of its name, and who it is for as the value. */
import type { LockHolder, LockKind, LockMode } from 'lockstep/ports'
import type { KeyValue } from '../wire/messages.ts'

export const lockKinds = ['mutex', 'read-write', 'semaphore'] as const satisfies readonly LockKind[]

export interface Entry {
  readonly key: string
  readonly mode: LockMode
  /** Null when only the key was asked for, or somebody else's program wrote it. */
  readonly holder: LockHolder | null
  readonly createRevision: bigint
  readonly leaseId: bigint
}

/** All entries of one kind and name, and nothing else. */
export function queueOf(prefix: string, kind: LockKind, name: string): string {
  return `${prefix}${kind}/${name}/`
}

/** Unique per acquisition: two tasks on one lease would else own one key together. */
export function entryKey(queue: string, leaseId: bigint, nonce: string): string {
  return `${queue}${leaseId.toString(16)}-${nonce}`
}

/**
 * Beside the queues: while it stands, no request that is still under way can put the entry any more. It lives as long as the lease, as
 * the entry would.
 */
export function withdrawalKey(prefix: string, key: string): string {
  return `${prefix}withdrawn/${key.slice(key.lastIndexOf('/') + 1)}`
}

/** Written now and then, so that a silent watch can be told from a dead one. */
export function probeKey(prefix: string, leaseId: bigint): string {
  return `${prefix}probe/${leaseId.toString(16)}`
}

export function entryValue(mode: LockMode, holder: LockHolder): string {
  return JSON.stringify({ mode: mode.kind, ...(mode.kind === 'permit' && { of: mode.of }), ...holder })
}

export function nameAndKindOf(prefix: string, key: string): { kind: LockKind; name: string } | null {
  const [kind, name, rest] = key.slice(prefix.length).split('/')
  const known = lockKinds.find((each) => each === kind)
  return known === undefined || name === undefined || rest === undefined ? null : { kind: known, name }
}

export function readEntry({ key, value, createRevision, leaseId }: KeyValue, kind: LockKind): Entry {
  const fields = fieldsOf(value)
  const { host, pid, label } = fields
  const holder =
    typeof host === 'string' && typeof pid === 'number' && typeof label === 'string' ? { host, pid, label } : null
  return { key, mode: modeOf(fields, kind), holder, createRevision, leaseId }
}

function modeOf(fields: { mode?: unknown; of?: unknown }, kind: LockKind): LockMode {
  if (kind === 'mutex') return { kind: 'mutex' }
  if (kind === 'semaphore') return { kind: 'permit', of: typeof fields.of === 'number' ? fields.of : 1 }
  // What cannot be read stands in the way of everybody, which is safe.
  return { kind: fields.mode === 'read' ? 'read' : 'write' }
}

function fieldsOf(value: string): { mode?: unknown; of?: unknown; host?: unknown; pid?: unknown; label?: unknown } {
  try {
    return Object(JSON.parse(value))
  } catch {
    return {}
  }
}
