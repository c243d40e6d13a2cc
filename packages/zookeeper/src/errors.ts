/**
 * Every error of this client: one class, one table. `outcome` answers the caller's first question: did it happen?
 */

export type ZooKeeperOutcome = 'not-applied' | 'unknown'

interface ErrorRow {
  /** The number on the wire; null for what only the client knows. */
  readonly number: number | null
  readonly outcome: ZooKeeperOutcome
  readonly text: string
}

export const errorTable = {
  CONNECTION_LOSS: { number: null, outcome: 'unknown', text: 'the connection was lost before the answer came' },
  TIMEOUT: { number: null, outcome: 'unknown', text: 'it was sent, and no answer came before its deadline' },
  NOT_SENT: { number: null, outcome: 'not-applied', text: 'it was not sent' },
  CLOSED: { number: null, outcome: 'not-applied', text: 'the session is closed' },
  BROKEN_FRAME: { number: null, outcome: 'unknown', text: 'the server sent what is no ZooKeeper answer' },
  SERVER_ERROR: { number: null, outcome: 'unknown', text: 'the server answered with an error that has no name here' },
  SYSTEM_ERROR: { number: -1, outcome: 'unknown', text: 'the server failed' },
  RUNTIME_INCONSISTENCY: { number: -2, outcome: 'unknown', text: 'the server found itself inconsistent' },
  DATA_INCONSISTENCY: { number: -3, outcome: 'unknown', text: 'the server found its data inconsistent' },
  MARSHALLING_ERROR: { number: -5, outcome: 'unknown', text: 'the server could not read or write a record' },
  UNIMPLEMENTED: { number: -6, outcome: 'not-applied', text: 'the server does not know this operation' },
  OPERATION_TIMEOUT: { number: -7, outcome: 'unknown', text: 'the operation took too long in the server' },
  BAD_ARGUMENTS: { number: -8, outcome: 'not-applied', text: 'the arguments are not valid' },
  UNKNOWN_SESSION: { number: -12, outcome: 'not-applied', text: 'the server does not know the session' },
  NO_NODE: { number: -101, outcome: 'not-applied', text: 'there is no such node' },
  NO_AUTH: { number: -102, outcome: 'not-applied', text: 'the ACL of the node does not allow it' },
  BAD_VERSION: { number: -103, outcome: 'not-applied', text: 'the node has another version' },
  NO_CHILDREN_FOR_EPHEMERALS: { number: -108, outcome: 'not-applied', text: 'an ephemeral node has no children' },
  NODE_EXISTS: { number: -110, outcome: 'not-applied', text: 'the node exists already' },
  NOT_EMPTY: { number: -111, outcome: 'not-applied', text: 'the node has children' },
  SESSION_EXPIRED: { number: -112, outcome: 'not-applied', text: 'the session has expired' },
  INVALID_ACL: { number: -114, outcome: 'not-applied', text: 'the ACL is not valid, or names nobody' },
  AUTH_FAILED: { number: -115, outcome: 'not-applied', text: 'the server refused the credentials' },
  SESSION_MOVED: { number: -118, outcome: 'not-applied', text: 'the session lives on another connection' },
  NOT_READ_ONLY: { number: -119, outcome: 'not-applied', text: 'the server is read-only' },
  EPHEMERAL_ON_LOCAL_SESSION: { number: -120, outcome: 'not-applied', text: 'a local session has no ephemeral nodes' },
  NO_WATCHER: { number: -121, outcome: 'not-applied', text: 'there is no such watch' },
  REQUEST_TIMEOUT: { number: -122, outcome: 'unknown', text: 'the request took too long in the server' },
  SASL_REQUIRED: { number: -124, outcome: 'not-applied', text: 'the server wants SASL, which this client has not' },
  QUOTA_EXCEEDED: { number: -125, outcome: 'not-applied', text: 'a quota of the tree is used up' },
  THROTTLED: { number: -127, outcome: 'not-applied', text: 'the server is too busy and has refused it' },
} as const satisfies Record<string, ErrorRow>

export type ZooKeeperErrorCode = keyof typeof errorTable

export interface ZooKeeperErrorFields {
  /** What it was about: `create /locks/a`. */
  readonly subject?: string | undefined
  /** Instead of the sentence of the table. */
  readonly why?: string | undefined
  /** Where it differs from the table's. */
  readonly outcome?: ZooKeeperOutcome | undefined
  /** In a `multi`: which operation was refused, counted from 0. */
  readonly index?: number | undefined
  readonly cause?: unknown
}

const brand = Symbol.for('lockstep.zookeeper.error')

export class ZooKeeperError extends Error {
  readonly code: ZooKeeperErrorCode
  readonly outcome: ZooKeeperOutcome
  readonly index: number | undefined

  constructor(code: ZooKeeperErrorCode, fields: ZooKeeperErrorFields = {}) {
    const row = errorTable[code]
    const subject = fields.subject === undefined ? '' : `${fields.subject}: `
    super(`ZooKeeper: ${subject}${fields.why ?? row.text} (${code})`, { cause: fields.cause })
    this.name = 'ZooKeeperError'
    this.code = code
    this.outcome = fields.outcome ?? row.outcome
    this.index = fields.index
    Object.defineProperty(this, brand, { value: true })
  }
}

/** True also for an error of another copy of this package. */
export function isZooKeeperError<Code extends ZooKeeperErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is ZooKeeperError & { readonly code: Code } {
  if (typeof error !== 'object' || error === null || !(brand in error) || !('code' in error)) return false
  return codes.length === 0 || (codes as readonly unknown[]).includes(error.code)
}

const codesByNumber: ReadonlyMap<number, ZooKeeperErrorCode> = new Map(
  Object.entries(errorTable).flatMap(([code, { number }]) =>
    number === null ? [] : [[number, code as ZooKeeperErrorCode] as const],
  ),
)

/** The error that a server's answer carries. A number from a newer server may have happened: nobody here knows. */
export function serverError(number: number, fields: ZooKeeperErrorFields = {}): ZooKeeperError {
  const code = codesByNumber.get(number)
  if (code !== undefined) return new ZooKeeperError(code, fields)
  return new ZooKeeperError('SERVER_ERROR', { why: `the server answered with error ${number}`, ...fields })
}
