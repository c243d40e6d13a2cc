import type { Faults } from './faults.ts'

const slackMs = 1_000

/**
 * How far a coordinator's estimate of the store's clock may be behind: half of a round trip whose answer waited while its process slept.
 */
export function clockLagMs({ store, coordinator }: Faults): number {
  return store.slowMaxMs + (coordinator.pause === 0 ? 0 : coordinator.pauseMaxMs / 2) + slackMs
}
