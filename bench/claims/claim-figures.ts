import type { StoreKind } from '../setting/stores.ts'

export interface ClaimFigures {
  readonly store: StoreKind
  /** Transactions in the store, of which always 100 are due. */
  readonly stored: number
  /** Rows of the table that the claim looked at, by EXPLAIN; null where the store does not count. */
  readonly rowsRead: number | null
  readonly pagesRead: number | null
  readonly claimMs: number
  /** A claim that finds nothing, as an idle coordinator makes one a second. */
  readonly idleClaimMs: number | null
  /** By its plan: every search of the table goes through an index of what is due. */
  readonly byIndex: boolean
}
