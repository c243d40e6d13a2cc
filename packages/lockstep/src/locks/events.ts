import { messageOf } from '../errors.ts'
import type { LockMode, Logger } from '../ports/index.ts'

/** What happened to a lock of this process: for metrics, spans and logs. `name` is for traces; as a label of a metric it has no bound. */
export type LockEvent = { readonly name: string; readonly mode: LockMode['kind'] } & (
  | { readonly kind: 'acquired'; readonly waitedMs: number; readonly token: bigint }
  /** Somebody else held it for the whole wait. */
  | { readonly kind: 'timeout'; readonly waitedMs: number }
  /** The wait ended with an error: the backend's, or the caller's own abort. */
  | { readonly kind: 'failed'; readonly waitedMs: number; readonly error: unknown }
  /** `marginMs` is what was left when the answer came. */
  | { readonly kind: 'renewed'; readonly marginMs: number; readonly tries: number }
  | { readonly kind: 'lost'; readonly heldMs: number; readonly why: string }
  | { readonly kind: 'released'; readonly heldMs: number }
  /** The backend did not answer: it is asked on until the TTL has passed. */
  | { readonly kind: 'release-unconfirmed'; readonly heldMs: number; readonly error: unknown }
)

export type ObserveLocks = (event: LockEvent) => void

/** What a person should see: a loss, a renewal that needed its last try, and a name that was perhaps not given back. */
export function logLockEvent(log: Logger, event: LockEvent): void {
  const { name, mode } = event
  if (event.kind === 'lost') log.warn({ name, mode, heldMs: Math.round(event.heldMs) }, `lock lost: ${event.why}`)
  else if (event.kind === 'renewed' && event.tries > 2)
    log.warn({ name, mode, tries: event.tries }, 'lock renewed late')
  else if (event.kind === 'release-unconfirmed')
    log.warn({ name, mode, error: messageOf(event.error) }, 'lock perhaps not given back: the backend is asked on')
}
