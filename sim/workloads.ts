import type { Faults } from './faults.ts'
import type { Scenario } from './world.ts'

export interface Workload {
  readonly name: string
  /** What it is out to break. */
  readonly aim: string
  readonly scenario: (seed: number) => Scenario
}

const day = 24 * 3_600_000
const everywhere: Scenario['reach'] = (_, services) => services
const kept = { finished: 7 * day, ids: 31 * day }
const asDrawn: Scenario['adjust'] = (faults) => faults

/** Duplicates and late arrivals whatever the seed has drawn. */
const duplicating: Scenario['adjust'] = (faults) => ({
  ...faults,
  network: { ...faults.network, duplicate: Math.max(0.3, faults.network.duplicate), lostReply: Math.max(0.1, faults.network.lostReply) },
})

/** Pauses beyond the lease and a store whose answers get lost, whatever the seed has drawn. */
const wavering = (faults: Faults): Faults => ({
  ...faults,
  store: { ...faults.store, failAfter: Math.max(0.03, faults.store.failAfter), late: Math.max(0.05, faults.store.late), lateMaxMs: 6_000 },
  coordinator: { ...faults.coordinator, pause: Math.max(0.002, faults.coordinator.pause), pauseMaxMs: 12_000 },
})

export const workloads: readonly Workload[] = [
  {
    name: 'bank',
    aim: 'W1: money is conserved, each saga is all or nothing, every one ends',
    scenario: (seed) => ({
      coordinators: 1 + (seed % 3),
      banks: 2 + (seed % 3),
      operations: 24,
      reach: everywhere,
      retention: kept,
      adjust: asDrawn,
    }),
  },
  {
    name: 'effects',
    aim: 'W2: each operation of each branch takes effect at most once, whatever comes twice or late',
    scenario: () => ({ coordinators: 2, banks: 2, operations: 24, reach: everywhere, retention: kept, adjust: duplicating }),
  },
  {
    name: 'ownership',
    aim: 'W8: one effective owner per epoch, no zombie writes, nobody is robbed of a live lease, instances claim what they can call',
    scenario: (seed) => ({
      coordinators: 2 + (seed % 2),
      banks: 3,
      operations: 24,
      // The last coordinator cannot reach the last bank.
      reach: (coordinator, services) => (coordinator === 1 + (seed % 2) ? services.slice(0, -1) : services),
      retention: { finished: 20_000, ids: 31 * day },
      adjust: wavering,
    }),
  },
]

export function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name)
  if (found === undefined) throw new Error(`no workload ${name}; there are ${workloads.map((one) => one.name).join(', ')}`)
  return found
}
