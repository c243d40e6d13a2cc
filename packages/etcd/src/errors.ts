/**
 * Every error of this client. `outcome` answers the caller's first question, did it happen: `not-sent` has left no trace, `refused` was
 * answered with a no, by a server or before anything was sent, and changed nothing, `unknown` may have happened, or may happen yet.
 */
export type EtcdOutcome = 'not-sent' | 'unknown' | 'refused'

export interface EtcdErrorFields {
  /** What it was about: `/v3/kv/txn at http://127.0.0.1:2379`. */
  readonly subject: string
  readonly why: string
  /** The status of gRPC that the server answered with, or would have; null for what only the client knows. */
  readonly status?: number | null
  readonly cause?: unknown
}

/** The statuses of gRPC that decide anything here. */
export const grpcStatus = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const

const brand = Symbol.for('lockstep.etcd.error')

export class EtcdError extends Error {
  readonly outcome: EtcdOutcome
  readonly status: number | null

  constructor(outcome: EtcdOutcome, { subject, why, status = null, cause }: EtcdErrorFields) {
    super(`etcd: ${subject}: ${why} (${outcome})`, cause === undefined ? undefined : { cause })
    this.name = 'EtcdError'
    this.outcome = outcome
    this.status = status
    Object.defineProperty(this, brand, { value: true })
  }
}

/** True also for an error of another copy of this package. */
export function isEtcdError(error: unknown, outcome?: EtcdOutcome): error is EtcdError {
  if (typeof error !== 'object' || error === null || !(brand in error) || !('outcome' in error)) return false
  return outcome === undefined || error.outcome === outcome
}

/** Before these the server may have handed the proposal to Raft, which goes on without it. */
const doubtful: ReadonlySet<number> = new Set([
  grpcStatus.cancelled,
  grpcStatus.unknown,
  grpcStatus.deadlineExceeded,
  grpcStatus.aborted,
  grpcStatus.internal,
  grpcStatus.unavailable,
  grpcStatus.dataLoss,
])

/** The error that a server's answer carries. */
export function answeredError(subject: string, status: number | null, why: string): EtcdError {
  return new EtcdError(status === null || doubtful.has(status) ? 'unknown' : 'refused', { subject, why, status })
}
