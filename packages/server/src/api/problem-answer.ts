import { randomBytes } from 'node:crypto'
import { type ErrorCode, isLockstepError, LockstepError, type Logger } from 'lockstep'
import { problemBody, problemContentType, traceIdOf } from 'lockstep/protocol'

const waitSecondsDefault = 1

export interface FailedRequest {
  readonly method: string
  /** Without the query, which may hold labels. */
  readonly path: string
  readonly traceparent: string | undefined
}

/**
 * Every error as problem+json. What is not ours is a bug: the caller gets its trace id and the log gets the rest, because
 * a foreign message may quote a payload or a path of this machine.
 */
export function problemAnswer(thrown: unknown, request: FailedRequest, logger: Logger): Response {
  const error = isLockstepError(thrown) ? thrown : unexpected(thrown)
  const body = problemBody(error, traceOf(request.traceparent))
  if (body.status >= 500) log(error, { ...request, traceId: body.traceId }, logger)
  const headers = { 'content-type': problemContentType, ...retryAfter(error, body.status), ...allow(error) }
  return new Response(JSON.stringify({ ...body, ...errorsOf(error), ...endOf(error) }), {
    status: body.status,
    headers,
  })
}

export function invalid(path: string, message: string): LockstepError {
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: path === '' ? message : `${path} ${message}`,
    issues: [{ path, message }],
  })
}

/** A caller without a trace gets one, so that its error can be found in the log. */
export function traceOf(traceparent: string | undefined): string {
  if (traceparent !== undefined && traceIdOf(traceparent) !== null) return traceparent
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`
}

function unexpected(cause: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_BUG', {
    message: 'The request failed in an unexpected way; the log says how.',
    cause,
  })
}

function log(error: LockstepError, request: FailedRequest & { readonly traceId: string | undefined }, logger: Logger) {
  const { method, path, traceId } = request
  const fields = { method, path, traceId, code: error.code, error: error.message }
  if (error.code !== 'LOCKSTEP_BUG') return logger.warn(fields, 'a request could not be served')
  const { cause } = error
  const stack = cause instanceof Error ? cause.stack : error.stack
  logger.error({ ...fields, stack }, 'a request met a bug')
}

function retryAfter(error: LockstepError, status: number): Record<string, string> {
  if (status !== 429 && status !== 503) return {}
  const seconds = error.retryAfterMs === undefined ? waitSecondsDefault : Math.ceil(error.retryAfterMs / 1_000)
  return { 'retry-after': String(seconds) }
}

function allow({ code, details }: LockstepError): Record<string, string> {
  return code === 'LOCKSTEP_METHOD_NOT_ALLOWED' && typeof details?.['allow'] === 'string'
    ? { allow: details['allow'] }
    : {}
}

/** Whoever mends an input gets a list, even where only one thing is wrong and no place is known. */
function errorsOf(error: LockstepError) {
  if (error.issues !== undefined || !inputCodes.includes(error.code)) return {}
  return { errors: [{ path: '', message: error.message }] }
}

const inputCodes: readonly ErrorCode[] = ['LOCKSTEP_INVALID_REQUEST', 'LOCKSTEP_URL_NOT_ALLOWED']

/** All that is kept past retention. `status` of a problem is the HTTP status, so the end has a name of its own. */
function endOf({ code, details }: LockstepError) {
  return code === 'LOCKSTEP_EXPIRED' ? { id: details?.['id'], endStatus: details?.['status'] } : {}
}
