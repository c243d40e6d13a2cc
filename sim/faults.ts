import type { NetworkFaults, NodeFaults, RandomStream, StoreFaults } from '@lockstep/testkit'
import type { DatabaseFaults } from './shared-database.ts'

/** All fault rates of one seed. Each kind is off in half of the seeds, so that rare combinations get their turn (swarm testing). */
export interface Faults {
  readonly network: NetworkFaults
  readonly store: StoreFaults
  readonly coordinator: NodeFaults
  readonly participant: NodeFaults
  /** Chance, every few seconds, that one coordinator is stopped in order and started again, as by a deployment. */
  readonly stop: number
  /** Of the databases of services that share them. */
  readonly database: DatabaseFaults
}

export const leaseMs = 4_000

export const noFaults: Faults = {
  network: { lostRequest: 0, lostReply: 0, duplicate: 0, delayMaxMs: 5, failedAfterEffect: 0 },
  store: { failBefore: 0, failAfter: 0, late: 0, lateMaxMs: 0, slowMaxMs: 2 },
  coordinator: { crash: 0, pause: 0, pauseMaxMs: 1, jump: 0 },
  participant: { crash: 0, pause: 0, pauseMaxMs: 1, jump: 0 },
  stop: 0,
  database: { failBefore: 0, failAfter: 0, late: 0, lateMaxMs: 1, lingerMaxMs: 0 },
}

export function drawFaults(random: RandomStream): Faults {
  const rate = (label: string, max: number): number => {
    const on = random.chance(`${label} on`, 0.5)
    const value = random.fraction(label) * max
    return on ? Math.round(value * 10_000) / 10_000 : 0
  }
  const span = (label: string, max: number): number => 1 + Math.floor(rate(label, max))
  const drawn = {
    network: {
      lostRequest: rate('lost request', 0.3),
      lostReply: rate('lost reply', 0.3),
      duplicate: rate('duplicate', 0.5),
      delayMaxMs: 5 + Math.floor(rate('delay', 5_000)),
      failedAfterEffect: rate('failed after effect', 0.15),
    },
    store: {
      failBefore: rate('store fails before', 0.1),
      failAfter: rate('store fails after', 0.1),
      late: rate('late commit', 0.1),
      lateMaxMs: span('late commit lands', 6_000),
      slowMaxMs: span('slow store', 200),
    },
    coordinator: {
      crash: rate('coordinator crash', 0.01),
      pause: rate('pause', 0.005),
      pauseMaxMs: span('pause length', 3 * leaseMs),
    },
    participant: {
      crash: rate('participant crash', 0.01),
      pause: rate('pause', 0.005),
      pauseMaxMs: span('pause length', 3 * leaseMs),
    },
  }
  // Drawn last, in the order in which they were thought of: a new kind of fault leaves the rates of the others as they were.
  const stop = rate('stop', 0.6)
  const jump = rate('clock jump', 0.01)
  const database = {
    failBefore: rate('database fails before', 0.1),
    failAfter: rate('database fails after', 0.1),
    late: rate('late local commit', 0.1),
    lateMaxMs: span('late local commit lands', 6_000),
    lingerMaxMs: span('dead sessions linger', 8_000),
  }
  return {
    ...drawn,
    coordinator: { ...drawn.coordinator, jump },
    participant: { ...drawn.participant, jump },
    stop,
    database,
  }
}
