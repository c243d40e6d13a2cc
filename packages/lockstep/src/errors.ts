/**
 * Every error Lockstep raises on purpose: one class, one table.
 *
 * A caller's first question is "did it happen?", so each error carries `outcome`; the second is "may I send it
 * again?", so it carries `retriable`; the third is "what now?", so it carries `next`.
 */

/** Whether the thing that was asked for took effect. */
export type ErrorOutcome = 'not-applied' | 'applied' | 'unknown'

interface ErrorRow {
  /** HTTP status when the error is answered as problem+json. */
  readonly status: number
  readonly title: string
  readonly outcome: ErrorOutcome
  readonly retriable: boolean
  readonly next: string
}

/** One row per code. `docs/errors.md` lists the same codes; a test compares the two. */
export const errorTable = {
  LOCKSTEP_INVALID_REQUEST: {
    status: 400,
    title: 'The request is not valid',
    outcome: 'not-applied',
    retriable: false,
    next: 'Mend what `errors` lists and send it again.',
  },
  LOCKSTEP_UNAUTHENTICATED: {
    status: 401,
    title: 'No valid key was given',
    outcome: 'not-applied',
    retriable: false,
    next: 'Send a valid key in the Authorization header.',
  },
  LOCKSTEP_FORBIDDEN: {
    status: 403,
    title: 'This caller may not do that',
    outcome: 'not-applied',
    retriable: false,
    next: 'Use a key whose scopes allow it.',
  },
  LOCKSTEP_NOT_FOUND: {
    status: 404,
    title: 'There is no such transaction or route',
    outcome: 'not-applied',
    retriable: false,
    next: 'Check the id. A transaction that was never begun has no decision to make.',
  },
  LOCKSTEP_METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'The route exists, but not with this method',
    outcome: 'not-applied',
    retriable: false,
    next: 'Use the method that the Allow header names.',
  },
  LOCKSTEP_DECIDED: {
    status: 409,
    title: 'The decision has already been taken',
    outcome: 'not-applied',
    retriable: false,
    next: 'Read the transaction: its status tells which decision won.',
  },
  LOCKSTEP_ALREADY_ROLLING_BACK: {
    status: 409,
    title: 'The transaction is rolling back or rolled back',
    outcome: 'not-applied',
    retriable: false,
    next: 'The first durable decision is final. Begin a new transaction under another id.',
  },
  LOCKSTEP_ALREADY_COMMITTING: {
    status: 409,
    title: 'The transaction is committing or committed',
    outcome: 'not-applied',
    retriable: false,
    next: 'The first durable decision is final. Undo it with a new transaction.',
  },
  LOCKSTEP_ACTION_NOT_ALLOWED: {
    status: 409,
    title: 'This action is not possible in the present state',
    outcome: 'not-applied',
    retriable: false,
    next: 'Read the transaction; docs/patterns lists which action is possible in which state.',
  },
  LOCKSTEP_ROLLED_BACK: {
    status: 409,
    title: 'The transaction was rolled back',
    outcome: 'not-applied',
    retriable: false,
    next: 'Nothing of it stands. Begin a new transaction under another id.',
  },
  LOCKSTEP_REFUSED: {
    status: 409,
    title: 'A participant has said no',
    outcome: 'not-applied',
    retriable: false,
    next: 'The reason is in `details`; it is a business answer, and no repeat changes it.',
  },
  LOCKSTEP_COMMITTED_DESPITE_ERROR: {
    status: 500,
    title: 'The local transaction is committed although its function threw',
    outcome: 'applied',
    retriable: false,
    next: 'The message will be delivered. What was thrown is in `cause`: do nothing after branch.transact that may throw.',
  },
  LOCKSTEP_COMMIT_UNCONFIRMED: {
    status: 503,
    title: 'Everything was done to commit, and the coordinator has not confirmed it',
    outcome: 'unknown',
    retriable: true,
    next: 'Call it again with the same id: it tells how it was decided. A message is decided by its check-back, a TCC by its deadline.',
  },
  LOCKSTEP_NO_ANSWER: {
    status: 504,
    title: 'A participant has not answered in time',
    outcome: 'unknown',
    retriable: true,
    next: 'Check that the service runs. Whatever it did is reversed with the transaction; repeat it under the same id to find out.',
  },
  LOCKSTEP_LOCK_TIMEOUT: {
    status: 409,
    title: 'Somebody else has held the lock for the whole wait',
    outcome: 'not-applied',
    retriable: true,
    next: 'Wait longer, or hold it shorter; `lockstep locks show` says who holds it.',
  },
  LOCKSTEP_LOCK_UNAVAILABLE: {
    status: 503,
    title: 'The lock backend does not answer, or too few of its nodes do',
    outcome: 'not-applied',
    retriable: true,
    next: 'Check the backend; `details` has the cause of each node.',
  },
  LOCKSTEP_LOCK_LOST: {
    status: 409,
    title: 'The lock was held, and may not be any more',
    outcome: 'unknown',
    retriable: false,
    next: 'Stop at once. What was written since must be refused by its fencing token.',
  },
  LOCKSTEP_STALE_TOKEN: {
    status: 409,
    title: 'The resource has seen a newer fencing token',
    outcome: 'not-applied',
    retriable: false,
    next: 'Stop and roll back: the lock is somebody else’s. Acquire it again, and read again before you write.',
  },
  LOCKSTEP_LOCK_NOT_OWNER: {
    status: 409,
    title: 'The lease is used outside of what it belongs to, or after its release',
    outcome: 'not-applied',
    retriable: false,
    next: 'Acquire it again, or pass ownership on with `lease.run`.',
  },
  LOCKSTEP_LOCK_UNSUPPORTED: {
    status: 501,
    title: 'This lock backend cannot do that',
    outcome: 'not-applied',
    retriable: false,
    next: 'Use a backend whose capabilities have it: docs/locks.md lists them.',
  },
  LOCKSTEP_EXPIRED: {
    status: 410,
    title: 'The transaction ended and its details are past retention',
    outcome: 'not-applied',
    retriable: false,
    next: 'The id and the end status in this answer are all that is kept.',
  },
  LOCKSTEP_PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'The body is larger than the limit',
    outcome: 'not-applied',
    retriable: false,
    next: 'Send less, or store the payload elsewhere and send a reference.',
  },
  LOCKSTEP_UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'The body is not plain JSON',
    outcome: 'not-applied',
    retriable: false,
    next: 'Send `content-type: application/json` without a content encoding.',
  },
  LOCKSTEP_ID_REUSED: {
    status: 422,
    title: 'The id already belongs to other content',
    outcome: 'not-applied',
    retriable: false,
    next: 'Use a new id for new content, or repeat exactly the content first sent under this id.',
  },
  LOCKSTEP_URL_NOT_ALLOWED: {
    status: 422,
    title: 'The URL is not one the coordinator may call',
    outcome: 'not-applied',
    retriable: false,
    next: 'Register the service, or use an http or https URL without credentials.',
  },
  LOCKSTEP_BUSY: {
    status: 429,
    title: 'The coordinator is at its intake bound',
    outcome: 'not-applied',
    retriable: true,
    next: 'Repeat the same request after Retry-After.',
  },
  LOCKSTEP_STORE_UNAVAILABLE: {
    status: 503,
    title: 'The store does not answer',
    outcome: 'unknown',
    retriable: true,
    next: 'Repeat the same request with the same id until it is answered.',
  },
  LOCKSTEP_STORE_FAILED: {
    status: 503,
    title: 'The store failed on disk and the coordinator has stopped',
    outcome: 'unknown',
    retriable: false,
    next: 'Mend the disk, then start the coordinator again; nothing acknowledged is lost.',
  },
  LOCKSTEP_STORE_LOCKED: {
    status: 503,
    title: 'Another process owns this store',
    outcome: 'not-applied',
    retriable: true,
    next: 'Stop the other process, or use PostgreSQL for several coordinators.',
  },
  LOCKSTEP_SCHEMA_MISMATCH: {
    status: 503,
    title: 'The store has another schema version than this program',
    outcome: 'not-applied',
    retriable: false,
    next: 'Run `lockstep migrate up --store …` with the newest program, or start the newer program.',
  },
  LOCKSTEP_STOPPING: {
    status: 503,
    title: 'The coordinator is stopping',
    outcome: 'not-applied',
    retriable: true,
    next: 'Repeat the same request on another instance, or after the restart.',
  },
  LOCKSTEP_UNREACHABLE: {
    status: 503,
    title: 'The coordinator cannot be reached',
    outcome: 'unknown',
    retriable: true,
    next: 'Check the URL and that the server runs, then repeat the same request with the same id.',
  },
  LOCKSTEP_CONFIGURATION: {
    status: 500,
    title: 'The configuration is not valid',
    outcome: 'not-applied',
    retriable: false,
    next: 'Mend the named setting.',
  },
  LOCKSTEP_ADAPTER_MISMATCH: {
    status: 500,
    title: 'The handle is not one that an adapter knows',
    outcome: 'not-applied',
    retriable: false,
    next: 'Pass a pg Pool, a connected pg Client or a node:sqlite DatabaseSync.',
  },
  LOCKSTEP_BARRIER_NOT_USED: {
    status: 500,
    title: 'A participant that declares the barrier answered without it',
    outcome: 'unknown',
    retriable: false,
    next: 'Do the work inside `branch.transact`, or declare the participant with `barrier: false`.',
  },
  LOCKSTEP_BARRIER_MISSING: {
    status: 500,
    title: 'The barrier table does not exist in the participant database',
    outcome: 'not-applied',
    retriable: true,
    next: 'Create it with `lockstep migrate barrier --dialect postgres|sqlite`.',
  },
  LOCKSTEP_BUG: {
    status: 500,
    title: 'An invariant of Lockstep is broken',
    outcome: 'unknown',
    retriable: false,
    next: 'Please report it with the message and the transaction id.',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorTable

export interface InputIssue {
  /** JSON Pointer of the offending value, empty for the whole body. */
  readonly path: string
  readonly message: string
}

export interface ErrorOptions {
  readonly message: string
  readonly outcome?: ErrorOutcome
  readonly retriable?: boolean
  readonly next?: string
  readonly issues?: readonly InputIssue[]
  /** Facts that help a person; never a payload or a secret. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

const brand = Symbol.for('lockstep.error')

/**
 * The one error class. Branch on `code` through `isLockstepError`, which also recognises an error made by
 * another copy of the package.
 *
 * @example
 * try { await coordinator.run(transfer, input, { id }) } catch (error) {
 *   if (isLockstepError(error, 'LOCKSTEP_BUSY')) await wait(error.retryAfterMs ?? 1000)
 * }
 */
export class LockstepError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly [brand] = true
  readonly code: Code
  readonly outcome: ErrorOutcome
  readonly retriable: boolean
  readonly next: string
  readonly issues: readonly InputIssue[] | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: Code, options: ErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    const row: ErrorRow = errorTable[code]
    this.name = 'LockstepError'
    this.code = code
    this.outcome = options.outcome ?? row.outcome
    this.retriable = options.retriable ?? row.retriable
    this.next = options.next ?? row.next
    this.issues = options.issues
    this.details = options.details
    this.retryAfterMs = options.retryAfterMs
  }
}

export function isLockstepError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is LockstepError<Code> {
  const candidate = error as { [brand]?: unknown; code?: unknown } | null
  if (typeof candidate !== 'object' || candidate === null || candidate[brand] !== true) return false
  return code === undefined || candidate.code === code
}

/** A disk that failed, a schema that is another one, a bug: asking the store again cannot help. */
export function isHopeless(error: unknown): error is LockstepError {
  return isLockstepError(error) && !error.retriable
}

/** Throws `LOCKSTEP_BUG` when something that must hold does not. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new LockstepError('LOCKSTEP_BUG', { message })
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
