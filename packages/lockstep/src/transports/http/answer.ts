import { isLockstepError } from '../../errors.ts'
import type { Json, Operation, Outcome } from '../../ports/index.ts'
import { parseJson } from '../../protocol/index.ts'
import { retryAfterMs } from './retry-after.ts'

/** A whole answer of a participant; a body over the limit never gets here. */
export interface HttpAnswer {
  readonly status: number
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  readonly retryAfter: string | undefined
  /** Null when the bytes are no UTF-8: replacing them would change what was said. */
  readonly body: string | null
}

export interface Asked {
  readonly operation: Operation
  /** True when the target is a URL and not a participant. */
  readonly plainUrl: boolean
  readonly nowMs: number
}

/**
 * What an answer means (protocol.md section 5). The status decides; the body only fills in the output, the reason, or
 * the words of an error. Whatever is not listed is `unknown`, because a wrong guess would lose or repeat money.
 */
export function outcomeOfAnswer(answer: HttpAnswer, asked: Asked): Outcome {
  switch (answer.status) {
    case 200:
    case 201:
    case 204:
      return doneOrUnknown(answer, asked)
    case 409:
      return refusedOrUnknown(answer)
    case 202:
      if (asked.operation === 'deliver' && asked.plainUrl) return { kind: 'done', output: null }
      return pending(answer, asked)
    case 425:
      return pending(answer, asked)
    default:
      return unknown(answer, asked)
  }
}

function doneOrUnknown(answer: HttpAnswer, asked: Asked): Outcome {
  const read = answer.body === '' ? { value: null } : readJson(answer)
  if ('why' in read) return { kind: 'unknown', error: `HTTP ${answer.status} with a body that ${read.why}.` }
  const output = read.value
  if (asked.operation === 'check' && !isDecision(output)) {
    return {
      kind: 'unknown',
      error: `HTTP ${answer.status} to a check without {"decision":"commit"} or {"decision":"rollback"}.`,
    }
  }
  return { kind: 'done', output }
}

/** A 200 from a wrong URL must not commit a message, so nothing but exactly one decision decides. */
function isDecision(output: Json): boolean {
  if (typeof output !== 'object' || output === null || Array.isArray(output)) return false
  const { decision, ...rest } = output as { readonly [key: string]: Json }
  return (decision === 'commit' || decision === 'rollback') && Object.keys(rest).length === 0
}

const reasonCharactersMax = 2_000

/**
 * A plain text is a fine reason, and so is JSON that holds more than we keep. A body that claims to be JSON and is broken makes the
 * whole answer doubtful.
 */
function refusedOrUnknown(answer: HttpAnswer): Outcome {
  const { body } = answer
  if (body === '') return { kind: 'refused', reason: null }
  const read = readJson(answer)
  if ('value' in read) return { kind: 'refused', reason: read.value }
  if (body !== null && isReadable(answer) && read.isText)
    return { kind: 'refused', reason: body.slice(0, reasonCharactersMax) }
  return { kind: 'unknown', error: `HTTP 409 with a body that ${read.why}.` }
}

function pending(answer: HttpAnswer, asked: Asked): Outcome {
  const afterMs = retryAfterMs(answer.retryAfter, asked.nowMs)
  return { kind: 'pending', ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }) }
}

function unknown(answer: HttpAnswer, asked: Asked): Outcome {
  const problem = problemOf(answer)
  const afterMs = retryAfterMs(answer.retryAfter, asked.nowMs)
  const detail = typeof problem?.['detail'] === 'string' ? `: ${problem['detail'].slice(0, 500)}` : ''
  const code = problem?.['code']
  return {
    kind: 'unknown',
    error: `HTTP ${answer.status}${detail}`,
    ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }),
    ...(answer.status === 424 && (code === 'try-missing' || code === 'older-than-barrier') ? { code } : {}),
  }
}

function problemOf(answer: HttpAnswer): { readonly [key: string]: Json } | undefined {
  const read = readJson(answer)
  if (!('value' in read) || typeof read.value !== 'object' || read.value === null) return undefined
  return Array.isArray(read.value) ? undefined : (read.value as { readonly [key: string]: Json })
}

/** `isText`: it can be shown as it stands, though it is no JSON that we can carry. */
type ReadJson = { readonly value: Json } | { readonly why: string; readonly isText: boolean }

function readJson(answer: HttpAnswer): ReadJson {
  const { body, contentType } = answer
  if (body === null) return { why: 'is not valid UTF-8', isText: false }
  if (!isReadable(answer)) return { why: `is encoded as ${answer.contentEncoding?.slice(0, 40)}`, isText: false }
  if (!isJson(contentType))
    return { why: `is not JSON (content-type ${contentType?.slice(0, 60) ?? 'missing'})`, isText: true }
  try {
    return { value: parseJson(body) }
  } catch (error) {
    if (!isLockstepError(error, 'LOCKSTEP_INVALID_REQUEST')) throw error
    return isWellFormedJson(body)
      ? { why: `is JSON that cannot be carried: ${error.message.replace(/\.$/, '')}`, isText: true }
      : { why: 'is broken JSON', isText: false }
  }
}

function isWellFormedJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function isReadable(answer: HttpAnswer): boolean {
  return answer.contentEncoding === undefined || answer.contentEncoding === 'identity'
}

export function isJson(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true
  return contentType !== undefined && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)
}
