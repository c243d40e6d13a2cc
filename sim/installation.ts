/**
 * One simulated installation: a store, coordinators that crash and come back, services whose processes crash and come back, and the
 * network between them. What the services do, and what is asked of the coordinators, is the scene's.
 */
import {
  faultyNetwork,
  faultyStore,
  type RandomStream,
  RandomStreams,
  Scheduler,
  type ServedProcess,
  type SharedStore,
  SimulatedNode,
  type SimulatedService,
  serviceClock,
  sha256,
} from '@lockstep/testkit'
import { createCoordinator, type EmbeddedCoordinator } from 'lockstep'
import { memoryStore } from 'lockstep/memory'
import { memoryBarrier } from 'lockstep/memory-database'
import {
  type CheckBackDefinition,
  type ParticipantDefinition,
  type ParticipantSurroundings,
  silentLogger,
  type Transport,
} from 'lockstep/ports'
import { clockLagMs } from './clock-lag.ts'
import { drawFaults, type Faults, noFaults } from './faults.ts'
import { holdGraceMs } from './hold-grace.ts'
import { withOwnParticipants } from './own-participants.ts'
import { Watcher } from './watcher.ts'

export interface Settings {
  readonly coordinators: number
  /** Services each coordinator reaches; all, unless the workload says otherwise. */
  readonly reach: (coordinator: number, services: readonly string[]) => readonly string[]
  readonly retention: { readonly finished: number; readonly ids: number }
  readonly barrierRetentionMs: number
  readonly adjust: (faults: Faults) => Faults
  /** Transactions at work in one coordinator at most. */
  readonly intake: number
  /** How long a dead coordinator stays away at most; 8 s unless given. */
  readonly coordinatorAwayMaxMs?: number
}

/** A program that runs in one process, from its start to its death. */
export interface Program {
  readonly participants: readonly ParticipantDefinition[]
  readonly checkBack?: CheckBackDefinition
  /** The process has died. */
  died?(): void
}

export interface ServicePlan {
  readonly name: string
  /** Its operations go through the barrier. */
  readonly barrier: boolean
  /** Processes of it; one unless given. They share nothing but what `open` lets them share. */
  readonly processes?: number
  /** How long a dead process stays away at most; 8 s unless given. */
  readonly awayMaxMs?: number
  /** Nobody calls it: it only asks. */
  readonly isClient?: true
  readonly open: (node: SimulatedNode) => Program
}

export interface RunningCoordinator {
  readonly node: SimulatedNode
  readonly coordinator: EmbeddedCoordinator
  /** What its process runs besides. */
  readonly program: Program | null
}

interface RunningProcess extends ServedProcess {
  readonly died: () => void
}

const restartMaxMs = 8_000
const stopEveryMaxMs = 10_000
const driftMaxPpm = 1_000

export class Installation {
  readonly settings: Settings
  readonly scheduler: Scheduler
  readonly streams: RandomStreams
  readonly watcher: Watcher
  readonly store: SharedStore['rows']
  readonly drawn: Faults
  faults: Faults
  /** By position; null while it is down. */
  readonly coordinators: (RunningCoordinator | null)[] = []
  readonly log: (line: string) => void
  readonly #clock: { now(): number }
  readonly #shared: SharedStore
  readonly #plans: ServicePlan[] = []
  readonly #services = new Map<string, SimulatedService>()
  readonly #processes = new Map<string, (RunningProcess | null)[]>()
  #embedded: ServicePlan | null = null
  healed = false

  constructor(seed: number, settings: Settings, log: (line: string) => void) {
    this.settings = settings
    this.log = log
    this.streams = new RandomStreams(seed, (stream, label, value) => log(`draw ${stream} ${label} ${value}`))
    this.scheduler = new Scheduler({
      random: this.streams.fork('schedule'),
      stepsMax: 400_000,
      onEvent: (at, label) => log(`${Math.round(at)} ${label}`),
    })
    this.drawn = settings.adjust(drawFaults(this.streams.fork('rates')))
    this.faults = this.drawn
    const clock = serviceClock(this.scheduler)
    this.#clock = clock
    this.watcher = new Watcher({
      now: () => clock.now(),
      holdGraceMs: holdGraceMs(this.drawn),
      oldAfterMs: settings.barrierRetentionMs + clockLagMs(this.drawn),
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

  /** The store's clock. */
  now(): number {
    return this.#clock.now()
  }

  openServices(plans: readonly ServicePlan[]): void {
    for (const plan of plans) {
      this.#plans.push(plan)
      this.#processes.set(
        plan.name,
        Array.from({ length: plan.processes ?? 1 }, () => null),
      )
      const random = this.streams.fork(`which process of ${plan.name}`)
      this.#services.set(plan.name, { process: () => this.#pick(plan.name, random) })
      for (let number = 0; number < (plan.processes ?? 1); number++) this.#startProcess(plan, number)
    }
  }

  /** `embedded` is the program that every coordinator's process runs besides. */
  openCoordinators(embedded: ServicePlan | null = null): void {
    this.#embedded = embedded
    for (let number = 0; number < this.settings.coordinators; number++) this.#startCoordinator(number)
    this.#stopSometimes()
  }

  /** No more faults: what was paused wakes, what was down comes back. */
  heal(): void {
    this.faults = noFaults
    this.healed = true
  }

  /** Null while that one is down. */
  running(number: number): RunningCoordinator | null {
    return this.coordinators[number] ?? null
  }

  /** A process that is up now, or null. */
  runningProcess(service: string, number: number): ServedProcess | null {
    return this.#processes.get(service)?.[number] ?? null
  }

  #pick(service: string, random: RandomStream): ServedProcess | null {
    const all = this.#processes.get(service) ?? []
    if (all.length <= 1) return all[0] ?? null
    const up = all.filter((one) => one !== null)
    return up.length === 0 ? null : random.pick('process', up)
  }

  #startProcess(plan: ServicePlan, number: number): void {
    const { name, processes = 1, awayMaxMs = restartMaxMs } = plan
    const title = processes === 1 ? name : `${name}/${number}`
    const running = this.#processes.get(name) ?? []
    const node = this.node(
      title,
      () => this.faults.participant,
      () => {
        running[number]?.died()
        running[number] = null
        this.#later(`${title} restarts`, awayMaxMs, () => this.#startProcess(plan, number))
      },
    )
    const { participants, checkBack, died = () => {} } = plan.open(node)
    const all = checkBack === undefined ? participants : [...participants, checkBack]
    running[number] = {
      node,
      participants: new Map(all.map((one) => [one.name, one])),
      surroundings: this.surroundings(node),
      died,
    }
  }

  surroundings(node: SimulatedNode): ParticipantSurroundings {
    return {
      clock: node.environment.clock,
      sha256,
      databases: [memoryBarrier()],
      logger: silentLogger,
      barrierRetentionMs: this.settings.barrierRetentionMs,
    }
  }

  /** The way of one process to the services. */
  network(node: SimulatedNode, reaches: readonly string[]): Transport {
    const parts = {
      scheduler: this.scheduler,
      random: this.streams.fork('network'),
      faults: () => this.faults.network,
      services: this.#services,
      watch: this.watcher,
    }
    return faultyNetwork(parts, node, reaches)
  }

  get serviceNames(): string[] {
    return this.#plans.filter(({ isClient }) => isClient !== true).map(({ name }) => name)
  }

  /** Services that this coordinator can call. */
  reachOf(number: number): readonly string[] {
    return this.settings.reach(number, this.serviceNames)
  }

  #startCoordinator(number: number): void {
    const node = this.node(
      `coordinator-${number}`,
      () => this.faults.coordinator,
      () => {
        this.#ended(number, program)
        this.#coordinatorLater(number)
      },
    )
    const program = this.#embedded?.open(node) ?? null
    const reaches = this.reachOf(number)
    const network = this.network(node, reaches)
    const { intake, retention, barrierRetentionMs } = this.settings
    const coordinator = createCoordinator({
      store: faultyStore(this.#shared, node),
      transport: program === null ? network : this.#withOwn(network, node, program),
      services: Object.fromEntries(
        reaches.map((name) => [name, { url: `http://${name}.test`, barrier: this.#usesBarrier(name) }]),
      ),
      ...(program === null ? {} : { participants: program.participants, databases: [memoryBarrier()] }),
      ...(program?.checkBack === undefined ? {} : { checkBack: program.checkBack }),
      environment: node.environment,
      alerts: this.watcher,
      barrierRetention: barrierRetentionMs,
      intake,
      retention,
    })
    void this.#startUntilUp({ node, coordinator, program }, number)
  }

  #withOwn(network: Transport, node: SimulatedNode, { participants, checkBack }: Program): Transport {
    const own = checkBack === undefined ? participants : [...participants, checkBack]
    const { barrierRetentionMs } = this.settings
    return withOwnParticipants(network, own, { node, watch: this.watcher, barrierRetentionMs })
  }

  async #startUntilUp(started: RunningCoordinator, number: number): Promise<void> {
    for (;;) {
      try {
        await started.coordinator.start()
        this.coordinators[number] = started
        return
      } catch {
        await new Promise<void>((resolve) => started.node.deliver(500, 'start again', resolve))
      }
    }
  }

  #stopSometimes(): void {
    const random = this.streams.fork('stops')
    this.scheduler.after(random.integer('until the next', 1_000, stopEveryMaxMs), 'a stop?', () => {
      if (this.healed) return
      const number = random.integer('which', 0, this.settings.coordinators - 1)
      const there = this.coordinators[number] ?? null
      if (random.chance('stop', this.faults.stop) && there !== null) void this.#stopInOrder(number, there)
      this.#stopSometimes()
    })
  }

  /** It answers that it stops until it has; and it may still crash on the way. */
  async #stopInOrder(number: number, { node, coordinator, program }: RunningCoordinator): Promise<void> {
    this.log(`${Math.round(this.scheduler.now())} ${node.name} is stopped`)
    await coordinator.stop()
    if (!node.alive) return
    node.exit()
    this.#ended(number, program)
    this.#coordinatorLater(number)
  }

  #coordinatorLater(number: number): void {
    const awayMaxMs = this.settings.coordinatorAwayMaxMs ?? restartMaxMs
    this.#later(`coordinator-${number} restarts`, awayMaxMs, () => this.#startCoordinator(number))
  }

  #ended(number: number, program: Program | null): void {
    this.coordinators[number] = null
    program?.died?.()
  }

  #usesBarrier(name: string): boolean {
    return this.#plans.find((plan) => plan.name === name)?.barrier ?? false
  }

  node(name: string, faults: () => Faults['coordinator'], onCrash: () => void): SimulatedNode {
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

  #later(label: string, awayMaxMs: number, run: () => void): void {
    const delayMs = this.healed ? 100 : this.streams.fork('crash').integer('restart', 100, awayMaxMs)
    this.scheduler.after(delayMs, label, run)
  }
}
