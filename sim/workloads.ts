import type { Faults } from './faults.ts'
import { runJournal } from './journal-workload.ts'
import { runWorld } from './run-world.ts'
import type { Workload } from './workload.ts'
import type { Scenario } from './world.ts'

function inWorld(name: string, aim: string, scenario: (seed: number) => Scenario): Workload {
  return { name, aim, run: (seed, note) => runWorld(seed, scenario(seed), note) }
}

const day = 24 * 3_600_000
const everywhere: Scenario['reach'] = (_, services) => services
const kept = { finished: 7 * day, ids: 31 * day }
const evenOnes: Scenario['usesBarrier'] = (bank) => bank % 2 === 0
const usual = {
  operations: 24,
  reach: everywhere,
  retention: kept,
  usesBarrier: evenOnes,
  amountMax: 400,
  cancels: 0.1,
  deadlines: 0.2,
  intake: 200,
  operates: { rate: 0.1, actions: ['retry'] },
} as const
const asDrawn: Scenario['adjust'] = (faults) => faults

/** Duplicates and late arrivals whatever the seed has drawn. */
const duplicating: Scenario['adjust'] = (faults) => ({
  ...faults,
  network: {
    ...faults.network,
    duplicate: Math.max(0.3, faults.network.duplicate),
    lostReply: Math.max(0.1, faults.network.lostReply),
  },
})

/** Coordinators that die again and again while steps run ahead of the journal. */
const crashing: Scenario['adjust'] = (faults) => ({
  ...faults,
  network: { ...faults.network, delayMaxMs: Math.min(1_500, Math.max(200, faults.network.delayMaxMs)) },
  store: { ...faults.store, slowMaxMs: Math.min(30, faults.store.slowMaxMs) },
  coordinator: { ...faults.coordinator, crash: Math.max(0.008, faults.coordinator.crash) },
})

/** Pauses beyond the lease and a store whose answers get lost, whatever the seed has drawn. */
const wavering = (faults: Faults): Faults => ({
  ...faults,
  store: {
    ...faults.store,
    failAfter: Math.max(0.03, faults.store.failAfter),
    late: Math.max(0.05, faults.store.late),
    lateMaxMs: 6_000,
  },
  coordinator: { ...faults.coordinator, pause: Math.max(0.002, faults.coordinator.pause), pauseMaxMs: 12_000 },
})

export const workloads: readonly Workload[] = [
  inWorld('bank', 'W1: money is conserved, each saga is all or nothing, every one ends', (seed) => ({
    ...usual,
    coordinators: 1 + (seed % 3),
    banks: 2 + (seed % 3),
    amountMax: 900,
    adjust: asDrawn,
  })),
  inWorld('effects', 'W2: each operation takes effect at most once, whatever comes twice or late', () => ({
    ...usual,
    coordinators: 2,
    banks: 2,
    adjust: duplicating,
  })),
  inWorld('ownership', 'W8: one effective owner per epoch, no zombie writes, no live lease is robbed', (seed) => ({
    ...usual,
    coordinators: 2 + (seed % 2),
    banks: 3,
    // The last coordinator cannot reach the last bank (law 11).
    reach: (coordinator, services) => (coordinator === 1 + (seed % 2) ? services.slice(0, -1) : services),
    retention: { finished: 20_000, ids: 31 * day },
    adjust: wavering,
  })),
  inWorld('takeover', 'law 4: whatever any owner may have sent is reversed, after takeover upon takeover', () => ({
    ...usual,
    coordinators: 3,
    banks: 2,
    usesBarrier: () => true,
    amountMax: 900,
    cancels: 0.5,
    deadlines: 0.5,
    adjust: crashing,
  })),
  inWorld(
    'operator',
    'whatever an operator skips or forces: nothing twice, no status flips, everything ends',
    (seed) => ({
      ...usual,
      coordinators: 1 + (seed % 3),
      banks: 2,
      intake: 8,
      operates: { rate: 0.6, actions: ['retry', 'skip', 'force-commit', 'force-rollback'] },
      adjust: asDrawn,
    }),
  ),
  {
    name: 'journal',
    aim: 'laws 6 and 7: who is told "applied" was applied, whatever is merged and repeated',
    run: runJournal,
  },
]

export function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name)
  if (found === undefined)
    throw new Error(`no workload ${name}; there are ${workloads.map((one) => one.name).join(', ')}`)
  return found
}
