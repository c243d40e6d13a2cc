import { type ErrorCode, type ErrorOutcome, errorTable, type InputIssue } from '../errors.ts'
import { statuses, type TransactionBody, type TransactionListBody } from '../protocol/index.ts'
import type { Exchange } from './exchange.ts'
import type { Trouble } from './trouble.ts'

type Answered = Extract<Exchange, { kind: 'answered' }>
type Unknown = { readonly [key: string]: unknown }

/** An answer whose JSON is read and not yet believed; undefined where it is none. */
export interface Answer {
  readonly status: number
  readonly json: unknown
  header(name: string): string | undefined
}

export function readAnswer({ status, headers, body }: Answered): Answer {
  const header = (name: string): string | undefined => {
    const value = headers[name]
    return Array.isArray(value) ? value[0] : value
  }
  return { status, header, json: jsonOf(body, header) }
}

function jsonOf(body: string, header: (name: string) => string | undefined): unknown {
  const isJson = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(header('content-type') ?? '')
  if (!isJson || (header('content-encoding') ?? 'identity') !== 'identity') return undefined
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** The transaction that was asked for; undefined for anything else, also for another transaction. */
export function transactionOf({ json }: Answer, id: string): TransactionBody | undefined {
  if (!isObject(json) || json['id'] !== id || !isStatus(json['status'])) return undefined
  const isWhole = typeof json['store'] === 'string' && typeof json['version'] === 'number'
  return isWhole && Array.isArray(json['branches']) ? (json as unknown as TransactionBody) : undefined
}

export function listOf({ status, json }: Answer): TransactionListBody | undefined {
  if (status !== 200 || !isObject(json) || !Array.isArray(json['items'])) return undefined
  const { items, next } = json
  const areTransactions = items.every((item) => isObject(item) && typeof item['id'] === 'string')
  if (!areTransactions || (next !== null && typeof next !== 'string')) return undefined
  return json as unknown as TransactionListBody
}

/** Whoever stands between says so with these when it cannot reach the coordinator. */
const gatewayStatuses: readonly number[] = [429, 502, 503, 504]
/** These of ours are about the transaction, or about a request that no try could have got accepted. */
const settlingStatuses: readonly number[] = [400, 404, 409, 410, 413, 415, 422]

/** What an answer that is no result says. */
export function troubleOf(answer: Answer): Trouble {
  const { status, json } = answer
  const afterMs = retryAfterMs(answer)
  const later = afterMs === undefined ? {} : { retryAfterMs: afterMs }
  if (!isProblem(json, status)) return strange(answer, later)
  const { code, outcome, retriable, next, errors, detail } = json
  const options = { message: detail, outcome, retriable, next, details: detailsOf(json), ...later }
  const passing = retriable && (status === 429 || status === 503)
  const doubtful = outcome === 'unknown'
  const settles = settlingStatuses.includes(status)
  const said = errors === undefined ? options : { ...options, issues: errors }
  return { code, options: said, passing, left: true, doubtful, settles }
}

function strange({ status, json, header }: Answer, later: { readonly retryAfterMs?: number }): Trouble {
  const type = header('content-type')?.slice(0, 60) ?? 'no content-type'
  const code = isObject(json) && typeof json['code'] === 'string' ? ` and the code ${json['code'].slice(0, 60)}` : ''
  const isRedirect = status >= 300 && status < 400
  const what = isRedirect ? 'a redirect, which is not followed' : `${type}${code}`
  return {
    code: 'LOCKSTEP_UNREACHABLE',
    options: {
      message: `HTTP ${status} with ${what}, which is no answer of a Lockstep coordinator of this version`,
      outcome: 'unknown',
      ...later,
    },
    passing: gatewayStatuses.includes(status),
    left: true,
    doubtful: true,
    settles: false,
  }
}

interface Problem extends Unknown {
  readonly code: ErrorCode
  readonly detail: string
  readonly outcome: ErrorOutcome
  readonly retriable: boolean
  readonly next: string
  readonly errors?: readonly InputIssue[]
}

function isProblem(json: unknown, status: number): json is Problem {
  if (!isObject(json) || json['status'] !== status || status < 400) return false
  const { code, detail, outcome, retriable, next, errors = [] } = json
  const isKnown = typeof code === 'string' && Object.hasOwn(errorTable, code)
  const hasTexts = typeof detail === 'string' && typeof next === 'string' && typeof retriable === 'boolean'
  const hasOutcome = outcome === 'not-applied' || outcome === 'applied' || outcome === 'unknown'
  return isKnown && hasTexts && hasOutcome && Array.isArray(errors) && errors.every(isIssue)
}

function isIssue(value: unknown): boolean {
  return isObject(value) && typeof value['path'] === 'string' && typeof value['message'] === 'string'
}

/** What the embedded coordinator says in `details` has names of its own in a problem. */
function detailsOf({ id, endStatus, traceId }: Unknown): Readonly<Record<string, unknown>> {
  return {
    ...(typeof id === 'string' ? { id } : {}),
    ...(isStatus(endStatus) ? { status: endStatus } : {}),
    ...(typeof traceId === 'string' ? { traceId } : {}),
  }
}

/** A coordinator says it in whole seconds. A date, as some gateways write it, is left to the back-off. */
function retryAfterMs({ header }: Answer): number | undefined {
  const text = header('retry-after')?.trim() ?? ''
  return /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : undefined
}

function isStatus(value: unknown): boolean {
  return (statuses as readonly unknown[]).includes(value)
}

function isObject(value: unknown): value is Unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
