import type { ErrorCode } from '../../errors.ts'
import { LockstepError } from '../../errors.ts'
import type { Outcome } from '../../ports/index.ts'
import { bodyBytesMax, problemBody, problemContentType, traceIdOf } from '../../protocol/index.ts'

export interface RawAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

const jsonHeaders = { 'content-type': 'application/json' }
const noHeaders = {}
const askAgainSeconds = 1

/** The outcome as a coordinator in any language reads it back. */
export function answerOf(outcome: Outcome, traceparent: string | null): RawAnswer {
  switch (outcome.kind) {
    case 'done':
      if (outcome.output === null) return { status: 204, headers: noHeaders, body: '' }
      return { status: 200, headers: jsonHeaders, body: JSON.stringify(outcome.output) }
    case 'refused':
      return { status: 409, headers: jsonHeaders, body: JSON.stringify(outcome.reason) }
    case 'pending':
      return { status: 425, headers: { 'retry-after': seconds(outcome.retryAfterMs) }, body: '' }
    case 'unknown':
      return unknownAnswer(outcome, traceparent)
  }
}

function unknownAnswer(outcome: Extract<Outcome, { kind: 'unknown' }>, traceparent: string | null): RawAnswer {
  const known = outcome.code === 'try-missing' || outcome.code === 'older-than-barrier'
  const code = known ? outcome.code : 'operation-failed'
  const traceId = traceIdOf(traceparent)
  const body = {
    type: `urn:lockstep:error:${code}`,
    title: known ? 'The barrier cannot answer this call' : 'The operation failed and may have taken effect',
    status: known ? 424 : 500,
    detail: outcome.error.slice(0, 1_000),
    code,
    outcome: 'unknown',
    retriable: !known,
    next: known
      ? 'The coordinator decides what follows.'
      : 'Send the same call again; the barrier keeps it from happening twice.',
    ...(traceId === null ? {} : { traceId }),
  }
  const retryAfter = outcome.retryAfterMs === undefined ? {} : { 'retry-after': seconds(outcome.retryAfterMs) }
  return {
    status: body.status,
    headers: { 'content-type': problemContentType, ...retryAfter },
    body: JSON.stringify(body),
  }
}

export function problemAnswer(error: LockstepError, traceparent: string): RawAnswer {
  const body = problemBody(error, traceparent)
  const allow = error.code === 'LOCKSTEP_METHOD_NOT_ALLOWED' ? { allow: 'POST' } : {}
  return { status: body.status, headers: { 'content-type': problemContentType, ...allow }, body: JSON.stringify(body) }
}

export function requestProblem(code: ErrorCode, message: string, next?: string): LockstepError {
  return new LockstepError(code, { message, ...(next === undefined ? {} : { next }) })
}

export function tooLarge(): RawAnswer {
  return problemAnswer(requestProblem('LOCKSTEP_PAYLOAD_TOO_LARGE', `The body is over ${bodyBytesMax} bytes.`), '')
}

export function brokenOff(): RawAnswer {
  return problemAnswer(requestProblem('LOCKSTEP_INVALID_REQUEST', 'The body broke off before its end.'), '')
}

/** Whole seconds, rounded up: the header knows no less, and earlier than asked would be too early. */
function seconds(ms: number | undefined): string {
  return String(ms === undefined ? askAgainSeconds : Math.ceil(ms / 1000))
}
