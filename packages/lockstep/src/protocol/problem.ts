import type { ErrorOutcome, InputIssue, LockstepError } from '../errors.ts'
import { errorTable } from '../errors.ts'

export const problemContentType = 'application/problem+json'

/** `application/problem+json` (RFC 9457) as every Lockstep endpoint answers it. */
export interface ProblemBody {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** A `LOCKSTEP_…` code, or `try-missing` and `older-than-barrier` from a participant. */
  readonly code: string
  readonly outcome: ErrorOutcome
  readonly retriable: boolean
  readonly next: string
  readonly traceId?: string
  readonly errors?: readonly InputIssue[]
}

export function problemBody(error: LockstepError, traceparent?: string | null): ProblemBody {
  const row = errorTable[error.code]
  const traceId = traceIdOf(traceparent ?? null)
  return {
    type: `urn:lockstep:error:${error.code}`,
    title: row.title,
    status: row.status,
    detail: error.message,
    code: error.code,
    outcome: error.outcome,
    retriable: error.retriable,
    next: error.next,
    ...(traceId === null ? {} : { traceId }),
    ...(error.issues === undefined ? {} : { errors: error.issues }),
  }
}

/** The trace id of a W3C `traceparent`, or null. */
export function traceIdOf(traceparent: string | null): string | null {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? '')?.[1] ?? null
}
