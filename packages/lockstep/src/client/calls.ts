import { LockstepError } from '../errors.ts'
import type { Decision, ListFilter } from '../ports/index.ts'
import {
  type ActionRequest,
  type BeginAnswer,
  type BeginBody,
  type BranchBegin,
  bodyBytesMax,
  Checker,
  canonicalJson,
  checkTransactionId,
  isObject,
  type JsonObject,
  parseDurationMs,
  type TransactionBody,
  type TransactionListBody,
  traceIdOf,
  transactionIdCharactersMax,
  waitMaxMs,
} from '../protocol/index.ts'
import { type Answer, listOf, transactionOf } from './answer.ts'
import type { RemoteCall } from './remote-call.ts'

/** The requests of the API, each with what its answers mean (protocol.md sections 2 to 4). */

export function beginCall(body: BeginBody, traceparent: string | undefined): RemoteCall<BeginAnswer> {
  const text = textOf(body, refuseNoJson)
  // An id that is none stands in no path here, and the coordinator says all that is wrong in one go.
  const { id } = body
  const askedMs = waitOf(body)
  const headers = isTrace(traceparent) ? ['traceparent', traceparent] : []
  return {
    what: `begin ${String(id).slice(0, transactionIdCharactersMax)}`,
    id,
    effect: 'once',
    method: 'POST',
    waitMs: askedMs,
    // How long to wait belongs to no content: a repeat may ask for less and is still the same begin.
    request: (waitMs) => {
      const said = waitMs === askedMs ? text : JSON.stringify({ ...body, wait: waitMs })
      return { path: '/v1/transactions', body: said, headers }
    },
    read(answer) {
      const transaction = finalOrNot(answer, id)
      return transaction && { transaction, replayed: answer.header('idempotent-replayed') === 'true' }
    },
  }
}

export function registerCall(id: string, branch: BranchBegin): RemoteCall<BeginAnswer> {
  const path = `${pathOf(id)}/branches`
  const body = textOf(branch)
  return {
    what: `register the branch ${String(branch.name).slice(0, 64)} of ${id}`,
    id,
    effect: 'once',
    method: 'POST',
    waitMs: 0,
    request: () => ({ path, body }),
    read(answer) {
      const { status } = answer
      const transaction = status === 200 || status === 201 ? transactionOf(answer, id) : undefined
      return transaction && { transaction, replayed: status === 200 }
    },
  }
}

export function decideCall(id: string, decision: Decision, waitMs: number | undefined): RemoteCall<TransactionBody> {
  const path = `${pathOf(id)}/${decision}`
  return {
    what: `${decision === 'commit' ? 'commit' : 'roll back'} ${id}`,
    id,
    effect: 'once',
    method: 'POST',
    waitMs: boundedWait(waitMs),
    request: (leftMs) => ({ path: path + waitQuery(leftMs) }),
    read: (answer) => finalOrNot(answer, id),
  }
}

export function getCall(id: string, waitMs: number | undefined): RemoteCall<TransactionBody | null> {
  const path = pathOf(id)
  return {
    what: `get ${id}`,
    id,
    effect: 'none',
    method: 'GET',
    waitMs: boundedWait(waitMs),
    request: (leftMs) => ({ path: path + waitQuery(leftMs) }),
    read: (answer) => (isNotFound(answer) ? null : finalOrNot(answer, id)),
  }
}

export function listCall(filter: Partial<ListFilter>): RemoteCall<TransactionListBody> {
  const path = `/v1/transactions${listQuery(filter)}`
  return {
    what: 'list transactions',
    id: null,
    effect: 'none',
    method: 'GET',
    waitMs: 0,
    request: () => ({ path }),
    read: listOf,
  }
}

export function actCall(id: string, { action, branch, reason }: ActionRequest): RemoteCall<TransactionBody> {
  const path = `${pathOf(id)}/actions`
  const body = textOf({ action, branch, reason })
  return {
    what: `${action} ${id}`,
    id,
    effect: 'each-time',
    method: 'POST',
    waitMs: 0,
    request: () => ({ path, body }),
    read: (answer) => finalOrNot(answer, id),
  }
}

function finalOrNot(answer: Answer, id: string): TransactionBody | undefined {
  return answer.status === 200 || answer.status === 202 ? transactionOf(answer, id) : undefined
}

function isNotFound({ status, json }: Answer): boolean {
  return status === 404 && isObject(json) && json['code'] === 'LOCKSTEP_NOT_FOUND'
}

/** Checked before it becomes a path: `..` would ask for something else. */
function pathOf(id: string): string {
  return `/v1/transactions/${checkTransactionId(id)}`
}

function waitQuery(waitMs: number): string {
  return waitMs > 0 ? `?wait=${waitMs}` : ''
}

function boundedWait(waitMs = 0): number {
  return Math.min(waitMaxMs, Math.max(0, Math.floor(waitMs) || 0))
}

/** What the coordinator will refuse is sent as it is, so that it says why. */
function waitOf({ wait = 0 }: BeginBody): number {
  try {
    return boundedWait(parseDurationMs(wait))
  } catch {
    return 0
  }
}

/** The filter as a query, with its question mark; empty when nothing is asked for. */
function listQuery({ labels = {}, ...columns }: Partial<ListFilter>): string {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(columns)) if (value !== undefined) query.set(key, String(value))
  for (const [key, value] of Object.entries(labels)) query.set(`label.${key}`, value)
  return query.size === 0 ? '' : `?${query}`
}

/** A trace that nobody can read is left out; it must never keep a transaction from beginning. */
function isTrace(traceparent: string | undefined): traceparent is string {
  return traceparent !== undefined && /^[\x21-\x7e]{1,256}$/.test(traceparent) && traceIdOf(traceparent) !== null
}

/** In the words of the embedded coordinator, which looks at a begin as a whole. */
function refuseNoJson(body: JsonObject): void {
  const checker = new Checker()
  checker.attempt('', () => canonicalJson(body))
  checker.done()
}

/**
 * The body as JSON. What would arrive as something else (a NaN, a date, half of a surrogate pair) is refused here, as the embedded
 * coordinator refuses it. So is what is too large: the server hangs up on it, which would look like no answer.
 */
function textOf(body: unknown, refuse: (body: JsonObject) => void = canonicalJson): string {
  if (!isObject(body)) {
    const message = 'The body must be a JSON object.'
    throw new LockstepError('LOCKSTEP_INVALID_REQUEST', { message, issues: [{ path: '', message }] })
  }
  refuse(body)
  const text = JSON.stringify(body)
  if (Buffer.byteLength(text) <= bodyBytesMax) return text
  throw new LockstepError('LOCKSTEP_PAYLOAD_TOO_LARGE', { message: `The body is over ${bodyBytesMax} bytes.` })
}
