import { type Faults, leaseMs } from './faults.ts'

const heartbeatEveryMs = 1_000
const slackMs = 100

/**
 * How long after a durable hold its owner may still let calls leave. It learns of the hold with the next heartbeat; one answer may
 * come too early, while the claim's own is still on its way. Where heartbeats get lost or the owner sleeps, the lease is the bound: it
 * is renewed by nothing but an answer that tells of the hold.
 */
export function holdGraceMs({ store, coordinator }: Faults): number {
  const oneWayMs = 1 + store.slowMaxMs
  const heartbeatsArrive = store.failBefore === 0 && store.failAfter === 0 && coordinator.pause === 0
  return (heartbeatsArrive ? heartbeatEveryMs : leaseMs) + 6 * oneWayMs + slackMs
}
