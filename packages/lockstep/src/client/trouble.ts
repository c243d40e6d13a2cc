import type { ErrorCode, ErrorOptions, ErrorOutcome } from '../errors.ts'

/** Why one try brought no result. */
export interface Trouble {
  readonly code: ErrorCode
  readonly options: ErrorOptions & { readonly outcome: ErrorOutcome }
  /** The same request is worth sending again. */
  readonly passing: boolean
  /** Not certain that the request never left. */
  readonly left: boolean
  /** What was asked for may have been done by this try. */
  readonly doubtful: boolean
  /** The answer tells how the transaction is, so what became of earlier tries needs no doubt. */
  readonly settles: boolean
}
