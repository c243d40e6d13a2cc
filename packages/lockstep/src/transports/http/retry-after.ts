import { retryAfterMsMax } from '../../protocol/index.ts'

/** `Retry-After` in milliseconds (seconds or an HTTP date), at most an hour; undefined when absent or senseless. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), retryAfterMsMax)
}
