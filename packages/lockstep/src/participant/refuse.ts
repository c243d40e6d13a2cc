import type { Json } from '../ports/index.ts'
import { Verdict } from '../ports/index.ts'
import type { Duration } from '../protocol/index.ts'
import { durationMs, retryAfterMsMax } from '../protocol/index.ts'

/**
 * Ends the operation with a business no. Inside `branch.transact` everything is rolled back.
 *
 * @example
 * if (balance < amount) refuse({ code: 'insufficient-funds' })
 */
export function refuse(reason: Json): never {
  throw new Verdict({ kind: 'refused', reason })
}

/** Ends the operation without an answer: the coordinator asks again, and counts no failure. */
export function askAgain(retryAfter?: Duration): never {
  if (retryAfter === undefined) throw new Verdict({ kind: 'pending' })
  throw new Verdict({ kind: 'pending', retryAfterMs: durationMs(retryAfter, 'retryAfter', { maxMs: retryAfterMsMax }) })
}
