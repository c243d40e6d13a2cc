import { retryAfterMsMax } from '../protocol/limits.ts'

/** Full jitter: uniform between nothing and a ceiling that doubles, from 200 ms to 60 s. */
export const firstBackOffMs = 200
export const maxBackOffMs = 60_000

export function backOffMs(failures: number, jitter: number, retryAfterMs = 0): number {
  const ceiling = Math.min(maxBackOffMs, firstBackOffMs * 2 ** Math.min(Math.max(failures - 1, 0), 20))
  return Math.max(Math.ceil(ceiling * jitter), boundedRetryAfterMs(retryAfterMs))
}

/** A `Retry-After` is a lower bound, and nobody may ask for more than an hour. */
export function boundedRetryAfterMs(retryAfterMs: number): number {
  return Math.min(Math.max(retryAfterMs, 0), retryAfterMsMax)
}
