/** Locks, and the backends that need nothing but a handle of the user's. `createLocks` puts them together. */
export type { Lease, LeaseState, Released } from './lease.ts'
export { Locks } from './locks.ts'
export { memoryLocks } from './memory/memory-locks.ts'
export type { AcquireOptions } from './options.ts'
