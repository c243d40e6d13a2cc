/**
 * Until when nobody else is granted a lease of `ttlMs` milliseconds that was asked for at `sentMs`, a moment on the monotonic clock. It counts from
 * the sending of what was answered, because the backend's time began before the answer came. Taken off are one percent, since two clocks run
 * differently fast, and 2 ms, since backends count expiry in whole milliseconds.
 *
 * Source: the drift of the RedLock specification, used for every backend with a TTL.
 *
 * @example const validUntilMs = validUntil(sentMs, 10_000) // sentMs + 9,898
 */
export function validUntil(sentMs: number, ttlMs: number): number {
  return sentMs + ttlMs - (ttlMs * 0.01 + 2)
}
