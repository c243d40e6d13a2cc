import type { Json } from './json.ts'

/**
 * What one attempt of a branch operation ended in. Nothing else exists, and nothing is inferred from body text.
 *
 * - `done`: it took effect (now or earlier).
 * - `refused`: a business no; nothing happened and nothing will.
 * - `pending`: ask again; no failure is counted.
 * - `unknown`: maybe it happened; it is sent again with back-off.
 */
export type Outcome =
  | { readonly kind: 'done'; readonly output: Json }
  | { readonly kind: 'refused'; readonly reason: Json }
  | { readonly kind: 'pending'; readonly retryAfterMs?: number }
  | {
      readonly kind: 'unknown'
      readonly error: string
      readonly retryAfterMs?: number
      /** A stable word for answers that need their own handling. */
      readonly code?: UnknownCode
      /** True only when it is certain that the call never left: such an attempt does not spend `retry.limit`. */
      readonly unreached?: boolean
    }

export type UnknownCode = 'try-missing' | 'older-than-barrier' | 'takeover' | 'timeout'

export type Operation =
  | 'action'
  | 'compensate'
  | 'try'
  | 'confirm'
  | 'cancel'
  | 'commit'
  | 'rollback'
  | 'deliver'
  | 'check'
