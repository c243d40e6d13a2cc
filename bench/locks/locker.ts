/** What a library must do to be measured: take a name, waiting for it, and give it back. */
export interface Locker {
  lock(name: string): Promise<Held>
}

export interface Held {
  /** Null for libraries that have none. */
  readonly token: bigint | null
  release(): Promise<unknown>
}

/** Where a locker finds its servers. */
export interface Ways {
  /** Ports of Redis, ZooKeeper or etcd on loopback. */
  readonly ports: readonly number[]
  /** Of PostgreSQL; empty elsewhere. */
  readonly database: string
}

export type OpenLocker = (ways: Ways) => Promise<Locker>

/** Long enough that nothing ends by itself while it is measured. */
export const ttlMs = 10_000
export const waitLimitMs = 120_000
