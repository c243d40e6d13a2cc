import { redisLocks, redlock } from 'lockstep/locks'
import type { OperatorAction, RedisConnector } from 'lockstep/ports'
import type { Faults } from './faults.ts'
import type { Settings } from './installation.ts'
import { runJournal } from './journal-workload.ts'
import { type LockScenario, runLocks } from './locks/lock-workload.ts'
import { messageScene } from './message/message-scene.ts'
import type { MessageScenario } from './message/message-world.ts'
import { sagaScene } from './saga/saga-scene.ts'
import type { SagaScenario } from './saga/saga-world.ts'
import { runScene } from './scene.ts'
import { tccScene } from './tcc/tcc-scene.ts'
import type { TccScenario } from './tcc/tcc-world.ts'
import type { Workload } from './workload.ts'

function sagas(name: string, aim: string, scenario: (seed: number) => SagaScenario): Workload {
  return { name, aim, run: (seed, note) => runScene(sagaScene(seed, scenario(seed), note)) }
}

function tccs(name: string, aim: string, scenario: (seed: number) => TccScenario): Workload {
  return { name, aim, run: (seed, note) => runScene(tccScene(seed, scenario(seed), note)) }
}

function messages(name: string, aim: string, scenario: (seed: number) => MessageScenario): Workload {
  return { name, aim, run: (seed, note) => runScene(messageScene(seed, scenario(seed), note)) }
}

function locks(name: string, aim: string, scenario: (seed: number) => LockScenario): Workload {
  return { name, aim, run: (seed, note) => runLocks(seed, scenario(seed), note) }
}

const day = 24 * 3_600_000
const everywhere: Settings['reach'] = (_, services) => services
const kept = { finished: 7 * day, ids: 31 * day }
const barrierRetentionMs = 30 * day
const evenOnes: SagaScenario['usesBarrier'] = (bank) => bank % 2 === 0
const usual = {
  operations: 24,
  reach: everywhere,
  retention: kept,
  barrierRetentionMs,
  usesBarrier: evenOnes,
  amountMax: 400,
  cancels: 0.1,
  deadlines: 0.2,
  intake: 200,
  operates: { rate: 0.1, actions: ['retry'] },
} as const
const asDrawn: Settings['adjust'] = (faults) => faults

/** Duplicates and late arrivals whatever the seed has drawn. */
const duplicating: Settings['adjust'] = (faults) => ({
  ...faults,
  network: {
    ...faults.network,
    duplicate: Math.max(0.3, faults.network.duplicate),
    lostReply: Math.max(0.1, faults.network.lostReply),
  },
})

/** Coordinators that die again and again while steps run ahead of the journal. */
const crashing: Settings['adjust'] = (faults) => ({
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

const everything: readonly OperatorAction[] = ['retry', 'skip', 'force-commit', 'force-rollback']

/** Each kind of trouble gets its share of the seeds. */
const troubles: readonly Settings['adjust'][] = [asDrawn, duplicating, wavering, crashing]
const inTurn = (seed: number): Settings['adjust'] => troubles[seed % troubles.length] ?? asDrawn

/** What only some of the seeds have: a coordinator that cannot call everybody, a short retention, a small intake. */
const quirksOf = (seed: number) => ({
  reach: seed % 5 === 1 ? allButTheLastForOne : everywhere,
  retention: seed % 7 === 0 ? { finished: 20_000, ids: 31 * day } : kept,
  intake: seed % 11 === 0 ? 8 : 200,
})
const allButTheLastForOne: Settings['reach'] = (coordinator, services) =>
  coordinator === 1 ? services.slice(0, -1) : services

const usualSettings = {
  reach: everywhere,
  retention: kept,
  barrierRetentionMs,
  intake: 200,
  forgetsAfterMs: null,
} as const

const usualTcc = {
  ...usualSettings,
  shops: 2,
  operations: 24,
  amountMax: 400,
  careless: 0,
  bankProcesses: 2,
  awayMaxMs: 8_000,
  operates: { rate: 0.1, actions: ['retry'] },
} as const

const usualMessage = {
  ...usualSettings,
  receivers: 2,
  operations: 24,
  awayMaxMs: 8_000,
  operates: { rate: 0.1, actions: ['retry'] },
} as const

/** Somebody is away for longer than anybody remembers. Nobody's clock is set anew: an hour is longer than all of it. */
const shortMemory = {
  barrierRetentionMs: 90_000,
  forgetsAfterMs: 150_000,
  awayMaxMs: 300_000,
  coordinatorAwayMaxMs: 200_000,
  adjust: (faults: Faults): Faults => ({
    ...faults,
    coordinator: { ...faults.coordinator, crash: Math.max(0.001, faults.coordinator.crash), jump: 0 },
    participant: { ...faults.participant, crash: Math.max(0.002, faults.participant.crash), jump: 0 },
  }),
} as const

export const workloads: readonly Workload[] = [
  sagas('bank', 'W1: money is conserved, each saga is all or nothing, every one ends', (seed) => ({
    ...usual,
    coordinators: 1 + (seed % 3),
    banks: 2 + (seed % 3),
    amountMax: 900,
    adjust: asDrawn,
  })),
  sagas('effects', 'W2: each operation takes effect at most once, whatever comes twice or late', () => ({
    ...usual,
    coordinators: 2,
    banks: 2,
    adjust: duplicating,
  })),
  sagas('ownership', 'W8: one effective owner per epoch, no zombie writes, no live lease is robbed', (seed) => ({
    ...usual,
    coordinators: 2 + (seed % 2),
    banks: 3,
    // The last coordinator cannot reach the last bank (law 11).
    reach: (coordinator, services) => (coordinator === 1 + (seed % 2) ? services.slice(0, -1) : services),
    retention: { finished: 20_000, ids: 31 * day },
    adjust: wavering,
  })),
  sagas('takeover', 'law 4: whatever any owner may have sent is reversed, after takeover upon takeover', () => ({
    ...usual,
    coordinators: 3,
    banks: 2,
    usesBarrier: () => true,
    amountMax: 900,
    cancels: 0.5,
    deadlines: 0.5,
    adjust: crashing,
  })),
  sagas(
    'operator',
    'whatever an operator skips or forces: nothing twice, no status flips, everything ends',
    (seed) => ({
      ...usual,
      coordinators: 1 + (seed % 3),
      banks: 2,
      intake: 8,
      operates: { rate: 0.6, actions: everything },
      adjust: asDrawn,
    }),
  ),
  tccs('tcc-bank', 'W1, W3: reserved, then taken or given back, by any order of try, confirm and cancel', (seed) => ({
    ...usualTcc,
    coordinators: 1 + (seed % 3),
    banks: 2 + (seed % 2),
    careless: seed % 4 === 0 ? 0.3 : 0,
    operates: { rate: 0.1, actions: seed % 5 === 0 ? everything : ['retry'] },
    adjust: inTurn(seed),
    ...quirksOf(seed),
  })),
  tccs('tcc-memory', 'law 10: what is older than the memory of the barrier is held, and nobody guesses', (seed) => ({
    ...usualTcc,
    ...shortMemory,
    coordinators: 1 + (seed % 2),
    banks: 2,
    bankProcesses: 1,
  })),
  messages('message', 'W5: committed is delivered, rolled back never is, undecided is asked again', (seed) => ({
    ...usualMessage,
    coordinators: 1 + (seed % 3),
    awayMaxMs: seed % 3 === 0 ? 600_000 : 8_000,
    strange: seed % 2 === 0 ? 0.3 : 0,
    operates: { rate: 0.1, actions: seed % 5 === 0 ? everything : ['retry'] },
    adjust: inTurn(seed),
    ...quirksOf(seed),
  })),
  messages('message-memory', 'law 10: a message that nobody can answer for any more is held', (seed) => ({
    ...usualMessage,
    ...shortMemory,
    coordinators: 1 + (seed % 2),
    strange: 0,
  })),
  locks('redis-locks', 'W9: one holder, hand-over to whoever is next, nobody stranded, on one master', (seed) => ({
    servers: 1,
    processes: seed % 8 === 1 ? 2 : 6,
    persistence: 'always',
    locks: ([master]) => redisLocks(master as RedisConnector),
  })),
  locks('redlock', 'W9: no second holder of a majority, tokens grow, a fenced value loses no update', (seed) => ({
    servers: seed % 2 === 0 ? 3 : 5,
    processes: 2 + (seed % 3),
    persistence: seed % 5 === 0 ? (seed % 2 === 0 ? 'none' : 'everysec') : 'always',
    locks: (connectors) => redlock(connectors, { nodeTimeout: 400 }),
  })),
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
