/** The JSON gateway's spelling: bytes are base64, 64-bit integers are text, and what is zero, empty or false is left out. */
import type { KeyValue, Operation, RangeQuery, RangeResult, TxnRequest, TxnResult, WatchEvent } from './messages.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

/** The first key behind all that begin with `prefix`; for prefixes that end below 0x7f. */
export function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}

export function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Left out means zero. */
export function bigintOf(value: unknown): bigint {
  return typeof value === 'string' || typeof value === 'number' ? BigInt(value) : 0n
}

export function revisionOf(answer: JsonObject): bigint {
  return bigintOf(objectOf(answer['header'])['revision'])
}

export function encodeRange(query: RangeQuery): JsonObject {
  return {
    key: base64(query.key),
    ...(query.rangeEnd !== undefined && { range_end: base64(query.rangeEnd) }),
    ...(query.limit !== undefined && { limit: String(query.limit) }),
    ...(query.keysOnly === true && { keys_only: true }),
    ...(query.createdUpTo !== undefined && { max_create_revision: String(query.createdUpTo) }),
    ...(query.newestFirst !== undefined && {
      sort_order: query.newestFirst ? 'DESCEND' : 'ASCEND',
      sort_target: 'CREATE',
    }),
  }
}

export function decodeRange(answer: JsonObject): RangeResult {
  return { revision: revisionOf(answer), entries: listOf(answer['kvs']).map(decodeKeyValue) }
}

export function encodeTxn({ compare, success, failure = [] }: TxnRequest): JsonObject {
  return {
    compare: compare.map(({ key, rangeEnd, target, result, revision }) => ({
      key: base64(key),
      ...(rangeEnd !== undefined && { range_end: base64(rangeEnd) }),
      target: target === 'create' ? 'CREATE' : 'MOD',
      result: result === 'equal' ? 'EQUAL' : 'LESS',
      [target === 'create' ? 'create_revision' : 'mod_revision']: String(revision),
    })),
    success: success.map(encodeOperation),
    failure: failure.map(encodeOperation),
  }
}

export function decodeTxn(answer: JsonObject): TxnResult {
  const revision = revisionOf(answer)
  return {
    succeeded: answer['succeeded'] === true,
    revision,
    responses: listOf(answer['responses']).map((response) => {
      const range = objectOf(objectOf(response)['response_range'])
      const deleted = objectOf(objectOf(response)['response_delete_range'])
      return { entries: listOf(range['kvs']).map(decodeKeyValue), deleted: Number(bigintOf(deleted['deleted'])) }
    }),
  }
}

export function encodePut(put: { key: string; value: string; leaseId?: bigint | undefined }): JsonObject {
  return {
    key: base64(put.key),
    value: base64(put.value),
    ...(put.leaseId !== undefined && { lease: String(put.leaseId) }),
  }
}

export function encodeDelete(range: { key: string; rangeEnd?: string | undefined }): JsonObject {
  return { key: base64(range.key), ...(range.rangeEnd !== undefined && { range_end: base64(range.rangeEnd) }) }
}

export function decodeEvent(value: unknown): WatchEvent {
  const event = objectOf(value)
  return { kind: event['type'] === 'DELETE' ? 'delete' : 'put', entry: decodeKeyValue(event['kv']) }
}

function encodeOperation(operation: Operation): JsonObject {
  if (operation.kind === 'put') return { request_put: encodePut(operation) }
  if (operation.kind === 'delete') return { request_delete_range: encodeDelete(operation) }
  return { request_range: encodeRange(operation) }
}

function decodeKeyValue(value: unknown): KeyValue {
  const pair = objectOf(value)
  return {
    key: textOf(pair['key']),
    value: textOf(pair['value']),
    createRevision: bigintOf(pair['create_revision']),
    modRevision: bigintOf(pair['mod_revision']),
    version: bigintOf(pair['version']),
    leaseId: bigintOf(pair['lease']),
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : ''
}
