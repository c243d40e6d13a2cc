import type { RedisReply } from '../../ports/index.ts'

/** Answers of both protocol versions in one shape: text, integers, null and arrays; a map is a flat array. */
export function toReply(value: unknown): RedisReply {
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value
  if (Array.isArray(value)) return value.map(toReply)
  if (value instanceof Map) return [...value].flat().map(toReply)
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'object') return Object.entries(value).flat().map(toReply)
  return value === undefined ? null : String(value)
}
