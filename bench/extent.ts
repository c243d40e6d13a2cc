/** How much of each part is measured. Every loop is bounded in count and in time. */
export const extents = {
  full: {
    journal: { runs: 5, batches: 60 },
    saga: { inFlight: [1, 16, 64], runs: 3, seconds: 3, quick: false },
    claims: { sizes: [10_000, 200_000], runs: 11 },
    idle: { sagas: 10_000, parked: 50_000, idleSeconds: 10 },
  },
  quick: {
    journal: { runs: 1, batches: 16 },
    saga: { inFlight: [16], runs: 1, seconds: 0.4, quick: true },
    claims: { sizes: [5_000, 20_000], runs: 3 },
    idle: { sagas: 500, parked: 5_000, idleSeconds: 1 },
  },
} as const
