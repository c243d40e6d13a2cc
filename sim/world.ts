/**
 * One simulated installation: a store, coordinators that crash and come back, banks that crash and come back, and the network
 * between them.
 */
import {
  faultyNetwork,
  faultyStore,
  type RandomStream,
  RandomStreams,
  Scheduler,
  type SharedStore,
  SimulatedNode,
  type SimulatedService,
  serviceClock,
  sha256,
} from '@lockstep/testkit'
import { type Coordinator, createCoordinator } from 'lockstep'
import { memoryStore } from 'lockstep/memory'
import { memoryBarrier } from 'lockstep/memory-database'
import { type Call, type OperatorAction, type ParticipantSurroundings, silentLogger } from 'lockstep/ports'
import { type Bank, openBank } from './bank.ts'
import { drawFaults, type Faults, noFaults } from './faults.ts'
import { holdGraceMs } from './hold-grace.ts'
import { Watcher } from './watcher.ts'

export interface Scenario {
  readonly coordinators: number
  readonly banks: number
  readonly operations: number
  /** Whether the bank of this position goes through the barrier. */
  readonly usesBarrier: (bank: number) => boolean
  readonly amountMax: number
  /** How often an initiator cancels, and how often it sets a deadline. */
  readonly cancels: number
  readonly deadlines: number
  /** Services each coordinator reaches; all, unless the workload says otherwise. */
  readonly reach: (coordinator: number, services: readonly string[]) => readonly string[]
  readonly retention: { readonly finished: number; readonly ids: number }
  readonly adjust: (faults: Faults) => Faults
  /** Transactions at work in one coordinator at most. */
  readonly intake: number
  /** How often somebody lays a hand on a transfer, and what that may be. */
  readonly operates: { readonly rate: number; readonly actions: readonly OperatorAction[] }
}

export interface RunningCoordinator {
  readonly node: SimulatedNode
  readonly coordinator: Coordinator
}

const restartMaxMs = 8_000
const stopEveryMaxMs = 10_000
const driftMaxPpm = 1_000

export class World {
  readonly scenario: Scenario
  readonly scheduler: Scheduler
  readonly streams: RandomStreams
  readonly watcher: Watcher
  readonly store: SharedStore['rows']
  readonly drawn: Faults
  faults: Faults
  banks: Bank[] = []
  /** By position; null while it is down. */
  readonly coordinators: (RunningCoordinator | null)[] = []
  readonly log: (line: string) => void
  readonly #shared: SharedStore
  readonly #services = new Map<string, SimulatedService>()
  readonly #bankNodes: (SimulatedNode | null)[] = []
  healed = false

  constructor(seed: number, scenario: Scenario, log: (line: string) => void) {
    this.scenario = scenario
    this.log = log
    this.streams = new RandomStreams(seed, (stream, label, value) => log(`draw ${stream} ${label} ${value}`))
    this.scheduler = new Scheduler({
      random: this.streams.fork('schedule'),
      stepsMax: 400_000,
      onEvent: (at, label) => log(`${Math.round(at)} ${label}`),
    })
    this.drawn = scenario.adjust(drawFaults(this.streams.fork('rates')))
    this.faults = this.drawn
    const clock = serviceClock(this.scheduler)
    this.watcher = new Watcher({
      now: () => clock.now(),
      isReversed: (call) => this.#isReversed(call),
      holdGraceMs: holdGraceMs(this.drawn),
    })
    this.store = memoryStore({ clock, storeId: '51000001' })
    this.#shared = {
      rows: this.store,
      scheduler: this.scheduler,
      random: this.streams.fork('store'),
      faults: () => this.faults.store,
      watch: this.watcher,
      lockedUntil: null,
    }
  }

  async open(): Promise<void> {
    const accounts = Array.from({ length: 5 }, (_, number) => `account-${number}`)
    const random = this.streams.fork('database')
    for (let number = 0; number < this.scenario.banks; number++) {
      const pause = (label: string) => this.#pauseAt(number, label, random)
      this.banks.push(
        await openBank({ name: `bank-${number}`, barrier: this.scenario.usesBarrier(number), accounts, pause }),
      )
    }
    for (let number = 0; number < this.scenario.banks; number++) this.#startBank(number)
    for (let number = 0; number < this.scenario.coordinators; number++) this.#startCoordinator(number)
    this.#stopSometimes()
  }

  /** No more faults: what was paused wakes, what was down comes back. */
  heal(): void {
    this.faults = noFaults
    this.healed = true
  }

  /** A message between a client and a coordinator, or null when that one is down. */
  running(number: number): RunningCoordinator | null {
    return this.coordinators[number] ?? null
  }

  #pauseAt(number: number, label: string, random: RandomStream): Promise<void> {
    const node = this.#bankNodes[number]
    const delayMs = random.integer('database step', 0, 3)
    return new Promise((resolve) => {
      if (node !== null && node !== undefined) node.deliver(delayMs, `database ${label}`, resolve)
    })
  }

  #startBank(number: number): void {
    const bank = this.banks[number]
    if (bank === undefined) return
    const node = this.#node(
      `bank-${number}`,
      () => this.faults.participant,
      () => {
        bank.database.crash()
        this.#bankNodes[number] = null
        this.#later(`bank-${number} restarts`, () => this.#startBank(number))
      },
    )
    this.#bankNodes[number] = node
    this.#services.set(bank.name, {
      node: () => this.#bankNodes[number] ?? null,
      participants: bank.participants,
      surroundings: (there) => this.#surroundings(there),
    })
  }

  #surroundings(node: SimulatedNode): ParticipantSurroundings {
    const { clock } = node.environment
    const retentionMs = 30 * 24 * 3_600_000
    return { clock, sha256, databases: [memoryBarrier()], logger: silentLogger, barrierRetentionMs: retentionMs }
  }

  #startCoordinator(number: number): void {
    const node = this.#node(
      `coordinator-${number}`,
      () => this.faults.coordinator,
      () => {
        this.coordinators[number] = null
        this.#later(`coordinator-${number} restarts`, () => this.#startCoordinator(number))
      },
    )
    const names = this.banks.map((bank) => bank.name)
    const reaches = this.scenario.reach(number, names)
    const network = {
      scheduler: this.scheduler,
      random: this.streams.fork('network'),
      faults: () => this.faults.network,
    }
    const coordinator = createCoordinator({
      store: faultyStore(this.#shared, node),
      transport: faultyNetwork({ ...network, services: this.#services, watch: this.watcher }, node, reaches),
      services: Object.fromEntries(
        reaches.map((name) => [name, { url: `http://${name}.test`, barrier: this.#usesBarrier(name) }]),
      ),
      environment: node.environment,
      intake: this.scenario.intake,
      retention: this.scenario.retention,
    })
    void this.#startUntilUp(node, coordinator, number)
  }

  async #startUntilUp(node: SimulatedNode, coordinator: Coordinator, number: number): Promise<void> {
    for (;;) {
      try {
        await coordinator.start()
        this.coordinators[number] = { node, coordinator }
        return
      } catch {
        await new Promise<void>((resolve) => node.deliver(500, 'start again', resolve))
      }
    }
  }

  #stopSometimes(): void {
    const random = this.streams.fork('stops')
    this.scheduler.after(random.integer('until the next', 1_000, stopEveryMaxMs), 'a stop?', () => {
      if (this.healed) return
      const number = random.integer('which', 0, this.scenario.coordinators - 1)
      const there = this.coordinators[number] ?? null
      if (random.chance('stop', this.faults.stop) && there !== null) void this.#stopInOrder(number, there)
      this.#stopSometimes()
    })
  }

  /** It answers that it stops until it has; and it may still crash on the way. */
  async #stopInOrder(number: number, { node, coordinator }: RunningCoordinator): Promise<void> {
    this.log(`${Math.round(this.scheduler.now())} ${node.name} is stopped`)
    await coordinator.stop()
    if (!node.alive) return
    node.exit()
    this.coordinators[number] = null
    this.#later(`coordinator-${number} restarts`, () => this.#startCoordinator(number))
  }

  #usesBarrier(name: string): boolean {
    return this.banks.find((bank) => bank.name === name)?.barrier ?? false
  }

  #node(name: string, faults: () => Faults['coordinator'], onCrash: () => void): SimulatedNode {
    const random = this.streams.fork('crash')
    const clockRandom = this.streams.fork('clocks')
    return new SimulatedNode({
      name,
      scheduler: this.scheduler,
      random,
      ownRandom: this.streams.fork(`random of ${name}`),
      faults,
      skewMs: random.integer('skew', -30_000, 30_000),
      driftPpm: clockRandom.integer('drift', -driftMaxPpm, driftMaxPpm),
      clockRandom,
      sha256,
      onCrash: (node) => {
        this.log(`${Math.round(this.scheduler.now())} ${node.name} crashes`)
        onCrash()
      },
    })
  }

  #later(label: string, run: () => void): void {
    const delayMs = this.healed ? 100 : this.streams.fork('crash').integer('restart', 100, restartMaxMs)
    this.scheduler.after(delayMs, label, run)
  }

  #isReversed(call: Call): boolean {
    const bank = this.banks.find((one) => call.target.startsWith(`${one.name}.`))
    if (bank === undefined) return false
    if (!bank.barrier) return bank.database.read('ledger').get(`${call.transaction}/${call.branch}`) === 'reversed'
    const { store, transaction, branch } = call
    const row = bank.database.read('lockstep_barrier').get([store, transaction, branch, 'compensate'].join('/'))
    return (row as { by?: string } | undefined)?.by === 'compensate'
  }
}
