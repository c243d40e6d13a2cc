import type { Answer } from './answer.ts'

/** One request of the API, and how its answer is read. */
export interface RemoteCall<T> {
  /** For messages: `begin order-42`. */
  readonly what: string
  /** The transaction; null for a list. */
  readonly id: string | null
  /**
   * What sending it twice does: `none` reads only; `once` changes nothing the second time; `each-time` writes another audit row, so it
   * is sent again only when it certainly never left.
   */
  readonly effect: 'none' | 'once' | 'each-time'
  readonly method: 'GET' | 'POST'
  /** How long the coordinator may take to answer because it was asked to wait. */
  readonly waitMs: number
  /** Path below the base, body and own headers, for what is left of `waitMs`. */
  request(waitMs: number): { readonly path: string; readonly body?: string; readonly headers?: readonly string[] }
  /** The result, or undefined when this answer is none that this call knows. */
  read(answer: Answer): T | undefined
}
