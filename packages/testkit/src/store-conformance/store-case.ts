import type { TransactionStore } from 'lockstep/ports'

/** A fresh, empty, opened store, and how to reach the same data through a second store object. */
export interface OpenedStore {
  readonly store: TransactionStore
  /** Another instance on the same data; null where one process owns the store. */
  another(): Promise<TransactionStore | null>
  dispose(): Promise<void>
}

export interface StoreHarness {
  readonly name: string
  create(): Promise<OpenedStore>
}

/** One promise of the port, as its name says. */
export interface StoreCase {
  readonly name: string
  /** `shared` cases need a store that several instances use at once. */
  readonly requires?: 'shared'
  run(opened: OpenedStore): Promise<void>
}
