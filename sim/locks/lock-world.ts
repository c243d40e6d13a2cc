import { RandomStreams, Scheduler, SimulatedNode, sha256 } from '@lockstep/testkit'
import { createLocks } from 'lockstep'
import type { OpenLockBackend, RedisConnector } from 'lockstep/ports'
import { drawFaults, type Faults, noFaults } from '../faults.ts'
import { FencedRegister } from './fenced-register.ts'
import { LockWatch } from './lock-watch.ts'
import { workOnce } from './lock-worker.ts'
import { simulatedConnector } from './simulated-connector.ts'
import { type Persistence, SimulatedRedis } from './simulated-redis.ts'

export interface LockScenario {
  readonly servers: number
  readonly processes: number
  readonly persistence: Persistence
  readonly locks: (connectors: readonly RedisConnector[]) => OpenLockBackend
}

interface Process {
  readonly node: SimulatedNode
  /** Pieces of work that have not ended. */
  open: number
  readonly work: () => void
}

/** Longer ones make no other schedules, only fewer. */
const networkDelayMaxMs = 180
/** Servers and processes measure the same second with up to this much of difference. */
const driftMax = 0.004

/** The servers, the processes that lock on them, and what they change under the locks. */
export class LockWorld {
  readonly scheduler: Scheduler
  readonly streams: RandomStreams
  readonly servers: readonly SimulatedRedis[]
  readonly watch: LockWatch
  /** What nothing of the code expects. */
  readonly failures: unknown[] = []
  crashes = 0
  readonly #scenario: LockScenario
  readonly #processes: Process[]
  readonly #fenced = registers()
  readonly #unfenced = registers()
  #faults: Faults

  constructor(seed: number, scenario: LockScenario, note: (line: string) => void) {
    this.#scenario = scenario
    this.streams = new RandomStreams(seed, (stream, label, value) => note(`draw ${stream} ${label} ${value}`))
    this.scheduler = new Scheduler({
      random: this.streams.fork('schedule'),
      stepsMax: 400_000,
      onEvent: (at, label) => note(`${at} ${label}`),
    })
    const drawn = drawFaults(this.streams.fork('rates'))
    const delayMaxMs = Math.min(drawn.network.delayMaxMs, networkDelayMaxMs)
    this.#faults = { ...drawn, network: { ...drawn.network, delayMaxMs } }
    this.servers = Array.from({ length: scenario.servers }, (_, at) => this.#server(at))
    this.watch = new LockWatch(() => this.scheduler.now())
    this.#processes = Array.from({ length: scenario.processes }, (_, at) => this.#start(`process-${at + 1}`))
  }

  /** Some process does a piece of work; one that is dead has been started anew. */
  work(): void {
    const at = this.streams.fork('choice').integer('process', 0, this.#processes.length - 1)
    if (!this.#processes[at]?.node.alive) this.#processes[at] = this.#start(`process-${at + 1}-after-${this.crashes}`)
    this.#processes[at]?.work()
  }

  calm(): void {
    this.#faults = { ...noFaults, network: { ...noFaults.network, delayMaxMs: 5 } }
  }

  /** What a dead process was doing is nobody's any more. */
  get openWork(): number {
    return this.#processes.reduce((sum, { node, open }) => sum + (node.alive ? open : 0), 0)
  }

  get isClean(): boolean {
    return this.servers.every((server) => server.isUp && server.locks().length === 0)
  }

  get violation(): string | null {
    const [failure] = this.failures
    if (failure !== undefined) return `unexpected: ${(failure as Error).stack ?? String(failure)}`
    const lost = [...this.#fenced].find(([, register]) => register.lostUpdates > 0)
    const updates = lost === undefined ? null : `W9: ${lost[1].lostUpdates} updates of the fenced ${lost[0]} were lost`
    return this.watch.violation ?? updates
  }

  #server(at: number): SimulatedRedis {
    const { scheduler, streams } = this
    const { persistence } = this.#scenario
    return new SimulatedRedis({ name: `redis-${at + 1}`, scheduler, random: streams.fork('redis'), persistence })
  }

  #start(name: string): Process {
    const { scheduler, streams, watch } = this
    const node = this.#node(name)
    const rate = 1 + (streams.fork('drift').fraction('drift') * 2 - 1) * driftMax
    const clock = { now: () => node.environment.clock.now(), monotonicMs: () => scheduler.now() * rate }
    const network = { scheduler, random: streams.fork('network'), faults: () => this.#faults.network }
    const connectors = this.servers.map((server) => simulatedConnector(server, node, network))
    const worker = {
      node,
      locks: createLocks(this.#scenario.locks(connectors), { environment: { ...node.environment, clock } }),
      scheduler,
      random: streams.fork(`${name} work`),
      watch,
      fenced: this.#fenced,
      unfenced: this.#unfenced,
      delayMaxMs: () => this.#faults.network.delayMaxMs,
    }
    const started: Process = {
      node,
      open: 0,
      work: () => {
        started.open += 1
        workOnce(worker)
          .catch((error: unknown) => this.failures.push(error))
          .finally(() => {
            started.open -= 1
          })
      },
    }
    return started
  }

  #node(name: string): SimulatedNode {
    const { scheduler, streams } = this
    return new SimulatedNode({
      name,
      scheduler,
      random: streams.fork(`${name} fate`),
      ownRandom: streams.fork(name),
      faults: () => this.#faults.coordinator,
      skewMs: streams.fork('skew').integer('skew', -5_000, 5_000),
      driftPpm: 0,
      clockRandom: streams.fork('clocks'),
      sha256,
      onCrash: () => {
        this.crashes += 1
      },
    })
  }
}

function registers(): ReadonlyMap<string, FencedRegister> {
  return new Map(['one', 'two'].map((name) => [name, new FencedRegister()]))
}
