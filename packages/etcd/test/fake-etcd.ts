import type { Etcd } from '../src/index.ts'

/** A client of which only what a test gives can be called. */
export function fakeEtcd(parts: Partial<Etcd>): Etcd {
  const refuse = (): never => {
    throw new Error('The test did not expect this call.')
  }
  return {
    leaseGrant: refuse,
    leaseKeepAlive: refuse,
    leaseRevoke: async () => {},
    leaseTimeToLive: refuse,
    leases: refuse,
    range: refuse,
    put: refuse,
    delete: refuse,
    txn: refuse,
    watch: refuse,
    close: () => {},
    ...parts,
  }
}
