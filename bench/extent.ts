import type { LocksExtent } from './locks/measure-locks.ts'
import type { Options } from './options.ts'

/** How much of each part is measured. Every loop is bounded in count and in time. */
export interface Extent {
  readonly journal: { readonly runs: number; readonly batches: number }
  /** Of each pattern. */
  readonly load: {
    readonly inFlight: readonly number[]
    readonly runs: number
    readonly seconds: number
    readonly quick: boolean
  }
  readonly undecided: { readonly messages: number; readonly downSeconds: number }
  readonly claims: { readonly sizes: readonly number[]; readonly runs: number }
  readonly idle: { readonly sagas: number; readonly parked: number; readonly idleSeconds: number }
  readonly locks: LocksExtent
}

const extents: { readonly [name in 'full' | 'quick']: Extent } = {
  full: {
    journal: { runs: 5, batches: 60 },
    load: { inFlight: [1, 16, 64, 256], runs: 3, seconds: 3, quick: false },
    undecided: { messages: 100_000, downSeconds: 60 },
    claims: { sizes: [10_000, 200_000], runs: 11 },
    idle: { sagas: 10_000, parked: 50_000, idleSeconds: 10 },
    locks: {
      peers: true,
      cycles: { inFlight: [1, 64], rounds: 5, seconds: 0.7 },
      held: { leases: 10_000, restSeconds: 10, rounds: 5, seconds: 0.7 },
      bursts: { kind: 'burst', waiters: [64, 256], rounds: 3, seconds: 3 },
      hot: [
        { kind: 'hot', waiters: [64], rounds: 2, seconds: 5 },
        { kind: 'hot', waiters: [256], rounds: 1, seconds: 5 },
      ],
      elsewhere: {
        cycles: { inFlight: [1, 64], rounds: 3, seconds: 0.7 },
        burst: { kind: 'burst', waiters: [64], rounds: 3, seconds: 5 },
        hot: { kind: 'hot', waiters: [64], rounds: 2, seconds: 5 },
      },
    },
  },
  quick: {
    journal: { runs: 1, batches: 16 },
    load: { inFlight: [16], runs: 1, seconds: 0.4, quick: true },
    undecided: { messages: 3_000, downSeconds: 6 },
    claims: { sizes: [5_000, 20_000], runs: 3 },
    idle: { sagas: 500, parked: 5_000, idleSeconds: 1 },
    locks: {
      peers: false,
      cycles: { inFlight: [1, 64], rounds: 2, seconds: 0.4 },
      held: { leases: 1_000, restSeconds: 4, rounds: 2, seconds: 0.4 },
      bursts: { kind: 'burst', waiters: [64], rounds: 1, seconds: 3 },
      hot: [{ kind: 'hot', waiters: [64], rounds: 1, seconds: 1.5 }],
      elsewhere: {
        cycles: { inFlight: [64], rounds: 1, seconds: 0.4 },
        burst: { kind: 'burst', waiters: [64], rounds: 1, seconds: 3 },
        hot: { kind: 'hot', waiters: [64], rounds: 1, seconds: 1.5 },
      },
    },
  },
}

export function extentOf({ quick, inFlight, runs, seconds, messages, downSeconds }: Options): Extent {
  const extent = extents[quick ? 'quick' : 'full']
  const { load, undecided } = extent
  return {
    ...extent,
    load: {
      ...load,
      inFlight: inFlight ?? load.inFlight,
      runs: runs ?? load.runs,
      seconds: seconds ?? load.seconds,
    },
    undecided: {
      messages: messages ?? undecided.messages,
      downSeconds: downSeconds ?? undecided.downSeconds,
    },
  }
}
