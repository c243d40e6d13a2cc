/** Reliable messages: producers with a database of their own, over a wire or beside a coordinator, and receivers that say no or are away. */
import type { SimulatedNode } from '@lockstep/testkit'
import type { OperatorAction } from 'lockstep/ports'
import { EffectLog } from '../effect-log.ts'
import { forgetOldRows } from '../forgetting.ts'
import { embeddedInitiator, type InitiatingProcess, remoteInitiator } from '../initiating-process.ts'
import { Installation, type ServicePlan, type Settings } from '../installation.ts'
import { type DatabaseClient, SharedDatabase } from '../shared-database.ts'
import { MessageWatch } from './message-watch.ts'
import type { Order, Producer } from './order.ts'
import { behindSomething, checkBackOf, receiverOf, undoerOf } from './programs.ts'

export interface MessageScenario extends Settings {
  readonly receivers: number
  readonly operations: number
  /** How long a dead receiver, or all of a producer's processes, stay away at most. */
  readonly awayMaxMs: number
  /** How often a check over the wire is answered by something else. */
  readonly strange: number
  /** When barrier rows are deleted; null: never. */
  readonly forgetsAfterMs: number | null
  readonly operates: { readonly rate: number; readonly actions: readonly OperatorAction[] }
}

/** A process that can send messages, and its connections to its database. */
export interface ProducingProcess extends InitiatingProcess {
  readonly database: DatabaseClient
}

const processesEach = 2

export class MessageWorld {
  readonly scenario: MessageScenario
  readonly installation: Installation
  /** All that anybody wants sent. */
  readonly orders: Order[] = []
  /** Messages of which somebody was told that they will never be committed. */
  readonly toldRolledBack = new Set<string>()
  readonly databases = new Map<string, SharedDatabase>()
  readonly effects: EffectLog
  readonly watch: MessageWatch
  readonly #clients = new WeakMap<SimulatedNode, DatabaseClient>()
  readonly #remote = new Map<string, ProducingProcess[]>()

  constructor(seed: number, scenario: MessageScenario, log: (line: string) => void) {
    this.scenario = scenario
    this.installation = new Installation(seed, scenario, log)
    const { watcher } = this.installation
    const watch = new MessageWatch({
      watcher,
      orderOf: (id) => this.orders.find((order) => order.id === id),
      isPaid: (id) => this.effects.times(id, '_local', 'action') === 1,
    })
    this.watch = watch
    this.effects = new EffectLog({
      judge: (effect) => watch.effect(effect),
      violate: (message) => watcher.violate(message),
    })
  }

  async open(): Promise<void> {
    const { installation, scenario } = this
    const receivers = Array.from({ length: scenario.receivers }, (_, number) => this.#receiver(`points-${number}`))
    const remote = ['orders-0', 'orders-1'].map((name) => this.#producer(name))
    installation.openServices([...receivers, ...remote])
    installation.openCoordinators(this.#embedded('app'))
    forgetOldRows(installation, this.databases.values(), scenario.forgetsAfterMs)
  }

  /** Some process of the producer that is up; null when there is none. */
  process(producer: Producer, pick: (count: number) => number): ProducingProcess | null {
    if (producer === 'app') return this.#beside(pick(this.scenario.coordinators))
    const up = this.#remote.get(producer === 'unchecked' ? 'orders-0' : producer) ?? []
    return up[pick(Math.max(1, up.length))] ?? null
  }

  #beside(number: number): ProducingProcess | null {
    const beside = embeddedInitiator(this.installation, number)
    const database = beside === null ? undefined : this.#clients.get(beside.node)
    return beside === null || database === undefined ? null : { ...beside, database }
  }

  #database(name: string): SharedDatabase {
    const { scheduler, streams } = this.installation
    const database = new SharedDatabase({
      name,
      scheduler,
      random: streams.fork(`database of ${name}`),
      faults: () => this.installation.faults.database,
      onCommit: (committed) => this.effects.committed(committed),
    })
    this.databases.set(name, database)
    return database
  }

  #receiver(name: string): ServicePlan {
    const database = this.#database(name)
    const isIll = () => !this.installation.healed
    const { awayMaxMs } = this.scenario
    return {
      name,
      barrier: true,
      awayMaxMs,
      open: (node) => {
        const client = database.connect(node)
        return { participants: [receiverOf(name, client, isIll)], died: () => client.died() }
      },
    }
  }

  #producer(name: string): ServicePlan {
    const database = this.#database(name)
    const { installation, scenario } = this
    const random = installation.streams.fork(`in front of ${name}`)
    const rate = () => (installation.healed ? 0 : scenario.strange)
    this.#remote.set(name, [])
    return {
      name,
      barrier: true,
      processes: processesEach,
      awayMaxMs: scenario.awayMaxMs,
      open: (node) => {
        const client = database.connect(node)
        const now = () => installation.scheduler.now()
        const own = checkBackOf(name, { database, client, now })
        this.#isUp(name, { ...remoteInitiator(installation, node, own), database: client })
        return {
          participants: [undoerOf(name, client)],
          checkBack: behindSomething(own, random, rate),
          died: () => {
            this.#isDown(name, node)
            client.died()
          },
        }
      },
    }
  }

  #isUp(name: string, process: ProducingProcess): void {
    this.#remote.get(name)?.push(process)
  }

  #isDown(name: string, node: SimulatedNode): void {
    const up = this.#remote.get(name) ?? []
    this.#remote.set(
      name,
      up.filter((one) => one.node !== node),
    )
  }

  /** The same program in the process of every coordinator. */
  #embedded(name: string): ServicePlan {
    const database = this.#database(name)
    return {
      name,
      barrier: true,
      open: (node) => {
        const client = database.connect(node)
        this.#clients.set(node, client)
        const now = () => this.installation.scheduler.now()
        return {
          participants: [undoerOf(name, client)],
          checkBack: checkBackOf(name, { database, client, now }),
          died: () => client.died(),
        }
      },
    }
  }
}
