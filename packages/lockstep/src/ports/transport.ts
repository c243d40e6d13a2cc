import type { Json } from './json.ts'
import type { Operation, Outcome } from './outcome.ts'

/** One attempt of one operation, as it travels. */
export interface Call {
  /** An absolute URL, `<service>.<participant>`, or the bare name of a service for its check-back. */
  readonly target: string
  readonly operation: Operation
  readonly store: string
  readonly transaction: string
  readonly branch: string
  readonly attempt: number
  /** When the transaction began, milliseconds by the store's clock. */
  readonly begunAt: number
  readonly timeoutMs: number
  readonly input: Json
  readonly traceparent: string | null
}

/**
 * How operations travel. `call` never rejects: whatever goes wrong is an outcome, and a lost answer is `unknown`.
 * It settles within `timeoutMs` plus a little, whether or not the other side answers.
 */
export interface Transport {
  call(call: Call): Promise<Outcome>
  /** Whether this instance knows a way to the target at all (law 11). Not whether it is up. */
  canCall(target: string): boolean
  /** Calls to targets of one endpoint share a concurrency limit and a circuit breaker. */
  endpointOf(target: string): string
  /** Frees sockets. Calls in flight end as `unknown`. */
  close(): Promise<void>
}
