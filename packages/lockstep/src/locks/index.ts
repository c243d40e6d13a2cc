/** Locks, and the backends that need nothing but a handle of the user's. `createLocks` puts them together. */

export { type CampaignOptions, Election, type Leader, type ObserveOptions } from './election.ts'
export { type LockEvent, logLockEvent, type ObserveLocks } from './events.ts'
export type { Lease, LeaseState, LockLostError, Released } from './lease.ts'
export { Locks, type ReadWriteLock } from './locks.ts'
export { memoryLocks } from './memory/memory-locks.ts'
export type { MultiLease } from './multi-lease.ts'
export type { NamedLock } from './named-lock.ts'
export type { AcquireOptions } from './options.ts'
export { type PostgresAdvisoryOptions, postgresAdvisoryLocks } from './postgres/advisory-locks.ts'
export { type PostgresLeaseOptions, postgresLeaseLocks } from './postgres/lease-locks.ts'
export { type RedisLocksOptions, redisLocks } from './redis/redis-locks.ts'
export { type RedlockOptions, redlock } from './redlock/redlock.ts'
