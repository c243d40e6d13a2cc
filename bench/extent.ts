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
}

const extents: { readonly [name in 'full' | 'quick']: Extent } = {
  full: {
    journal: { runs: 5, batches: 60 },
    load: { inFlight: [1, 16, 64, 256], runs: 3, seconds: 3, quick: false },
    undecided: { messages: 100_000, downSeconds: 60 },
    claims: { sizes: [10_000, 200_000], runs: 11 },
    idle: { sagas: 10_000, parked: 50_000, idleSeconds: 10 },
  },
  quick: {
    journal: { runs: 1, batches: 16 },
    load: { inFlight: [16], runs: 1, seconds: 0.4, quick: true },
    undecided: { messages: 3_000, downSeconds: 6 },
    claims: { sizes: [5_000, 20_000], runs: 3 },
    idle: { sagas: 500, parked: 5_000, idleSeconds: 1 },
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
