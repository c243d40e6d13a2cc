import type { Spread } from '../measuring/spread.ts'
import type { RegisterFigures } from './fencing-register.ts'

export type LockService = 'redis' | 'masters' | 'zookeeper' | 'etcd' | 'postgres'

/** Nobody else wants the name. */
export interface CyclesFigures {
  readonly service: LockService
  readonly contestant: string
  readonly inFlight: number
  readonly perSecond: Spread
  /** Of the raw client, or of the peer, in the same round; null for those that others are held against. */
  readonly against: { readonly contestant: string; readonly ratio: Spread } | null
  /** Of the process that locks, in microseconds per cycle. */
  readonly cpuMicros: Spread
  /** By the server's own account, where it has one: time in the requests, and its whole CPU, in microseconds per cycle. */
  readonly server: { readonly requestMicros: Spread; readonly cpuMicros: Spread } | null
}

export interface ContestFigures {
  readonly service: LockService
  readonly contestant: string
  /** `burst`: each waiter of one process once. `hot`: four processes, again and again without a thought. */
  readonly kind: 'burst' | 'hot'
  readonly waiters: number
  readonly perSecond: Spread
  readonly handOffP50Ms: Spread
  readonly handOffP99Ms: Spread
  /** Null where the server does not count them. */
  readonly requestsPerGrant: Spread | null
  readonly retakenPercent: Spread
  readonly neverServed: Spread
  readonly maxToMedianWait: Spread
  readonly longestGapMs: Spread
  /** Of all runs together. */
  readonly register: RegisterFigures
}

/** Cycles of a process that holds many leases besides, and what those cost by themselves. */
export interface HeldFigures {
  readonly leases: number
  readonly restCpuPercent: Spread
  readonly restScriptsPerSecond: Spread
  readonly cyclesPerSecond: Spread
  readonly withoutLeasesPerSecond: Spread
  readonly ratio: Spread
}

export interface LocksFigures {
  readonly cycles: readonly CyclesFigures[]
  readonly contests: readonly ContestFigures[]
  readonly held: HeldFigures | null
  readonly services: Readonly<Record<string, string>>
  /** What was not measured, and why. */
  readonly leftOut: readonly string[]
}
