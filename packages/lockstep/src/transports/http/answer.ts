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
  readonly body: string
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
  const output = answer.body === '' ? null : jsonBody(answer)
  if (output === undefined)
    return { kind: 'unknown', error: `HTTP ${answer.status} with a body that is not JSON${declared(answer)}.` }
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

/** A plain text is a fine reason; a body that claims to be JSON and is not makes the whole answer doubtful. */
function refusedOrUnknown(answer: HttpAnswer): Outcome {
  if (answer.body === '') return { kind: 'refused', reason: null }
  const reason = isReadable(answer) && !isJson(answer.contentType) ? answer.body.slice(0, 2_000) : jsonBody(answer)
  if (reason === undefined)
    return { kind: 'unknown', error: `HTTP 409 with a body that cannot be read${declared(answer)}.` }
  return { kind: 'refused', reason }
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
  const body = answer.body === '' || !isJson(answer.contentType) ? undefined : jsonBody(answer)
  return typeof body === 'object' && body !== null && !Array.isArray(body)
    ? (body as { readonly [key: string]: Json })
    : undefined
}

function jsonBody(answer: HttpAnswer): Json | undefined {
  if (!isReadable(answer) || !isJson(answer.contentType)) return undefined
  try {
    return parseJson(answer.body)
  } catch (error) {
    if (isLockstepError(error, 'LOCKSTEP_INVALID_REQUEST')) return undefined
    throw error
  }
}

function isReadable(answer: HttpAnswer): boolean {
  return answer.contentEncoding === undefined || answer.contentEncoding === 'identity'
}

export function isJson(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true
  return contentType !== undefined && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)
}

function declared(answer: HttpAnswer): string {
  return ` (content-type ${answer.contentType?.slice(0, 60) ?? 'missing'}${isReadable(answer) ? '' : ', encoded'})`
}
