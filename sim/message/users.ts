/** People who want messages sent: by whichever process, again when nothing is heard, and sometimes twice at once. */
import type { RandomStream } from '@lockstep/testkit'
import type { ActionRequest, Coordination } from 'lockstep'
import { noFaults } from '../faults.ts'
import { drawActions } from '../operators.ts'
import { remoteCoordination } from '../remote-coordination.ts'
import type { Users } from '../scene.ts'
import type { MessageWorld } from './message-world.ts'
import { drawOrder, type Order } from './order.ts'
import { type Known, runBare, runSend } from './runs.ts'

const repeatsMax = 4
const reason = 'simulated'

export class MessageUsers implements Users {
  readonly #world: MessageWorld
  readonly #draws: RandomStream
  readonly #operatorDraws: RandomStream
  #operator: Coordination | null = null
  busy = 0

  constructor(world: MessageWorld) {
    const { streams } = world.installation
    this.#world = world
    this.#draws = streams.fork('users')
    this.#operatorDraws = streams.fork('operators')
  }

  get transactions(): number {
    return this.#world.orders.length
  }

  /** The operator's own machine never fails. */
  open(): void {
    const { installation } = this.#world
    const node = installation.node(
      'operator',
      () => noFaults.participant,
      () => {},
    )
    this.#operator = remoteCoordination(installation, node)
  }

  start(count: number): void {
    for (let user = 0; user < count; user++) {
      this.busy += 1
      this.#after(this.#draws.integer('start', 0, 2_000), () => void this.#work(user))
    }
  }

  async #work(user: number): Promise<void> {
    const { scenario } = this.#world
    for (let number = 0; number < Math.ceil(scenario.operations / 4); number++) {
      const order = drawOrder(this.#draws, `m${user}-${number}`, scenario)
      this.#world.orders.push(order)
      if (this.#draws.chance('at once', 0.25)) this.#besides(order)
      if (this.#operatorDraws.chance('operates', scenario.operates.rate)) void this.#operate(order)
      await this.#send(order)
      if (this.#draws.chance('an old one', 0.15)) this.#besides(this.#draws.pick('old', this.#world.orders))
      await this.#sleep(this.#draws.integer('think', 0, 3_000))
    }
    this.busy -= 1
  }

  async #send(order: Order): Promise<void> {
    for (let number = 0; number < repeatsMax; number++) {
      if ((await this.#once(order)) === 'decided') return
      if (this.#draws.chance('gives up', 0.4)) return
      await this.#sleep(this.#draws.integer('repeat', 100, 5_000))
    }
  }

  #besides(order: Order): void {
    this.busy += 1
    void this.#sleep(this.#draws.integer('a little later', 0, 1_000))
      .then(() => this.#once(order))
      .then(() => {
        this.busy -= 1
      })
  }

  #once(order: Order): Promise<Known> {
    const random = this.#draws
    const by = this.#world.process(order.producer, (count) => random.integer('process', 0, count - 1))
    const isBare = random.chance('bare', 0.2)
    const patienceMs = random.integer('patience', 2_000, 30_000)
    if (by === null) return Promise.resolve('open')
    const sending = { world: this.#world, by, random }
    const ran = isBare || order.producer === 'unchecked' ? runBare(order, sending) : runSend(order, sending)
    return Promise.race([ran, this.#sleep(patienceMs).then(() => 'open' as const)])
  }

  async #operate(order: Order): Promise<void> {
    const names = order.deliveries.map(({ name }) => name)
    const { actions } = this.#world.scenario.operates
    for (const request of drawActions(this.#operatorDraws, actions, names)) {
      await this.#sleep(this.#operatorDraws.integer('looks', 0, 8_000))
      if (request.action === 'force-commit') order.forced = true
      if (request.action === 'skip') order.givenUp = true
      await this.#act(order.id, request)
    }
  }

  async #act(id: string, request: ActionRequest): Promise<void> {
    if (request.action === 'retry') this.#world.installation.watcher.hurried.add(id)
    await this.#operator?.act(id, request).catch(() => {})
  }

  async cureHeld(): Promise<void> {
    const { store, watcher } = this.#world.installation
    for (const { id, held, status } of (await store.list({ held: true, limit: 500 })).items) {
      const order = this.#world.orders.find((one) => one.id === id)
      if (held === null) continue
      const isLost = held.reason === 'older-than-barrier' && status === 'prepared' && order !== undefined
      await this.#act(id, isLost ? this.#decisionOf(order) : this.#cureOf(order, held.reason))
    }
    // Nobody else can decide these.
    for (const { id, producer } of this.#world.orders) {
      const isOpen = producer === 'unchecked' && watcher.seen.get(id)?.status === 'prepared'
      if (isOpen) await this.#operator?.decide(id, 'rollback').catch(() => {})
    }
  }

  /** The barrier has forgotten, and nobody can be asked: a person looks into the books. */
  #decisionOf(order: Order): ActionRequest {
    return { action: this.#world.watch.isPaid(order) ? 'force-commit' : 'force-rollback', reason }
  }

  #cureOf(order: Order | undefined, why: string): ActionRequest {
    const draws = this.#operatorDraws
    const branch = order === undefined ? 'undo' : draws.pick('branch', order.deliveries).name
    const isHopeless = why === 'older-than-barrier' || (why === 'delivery-refused' && order?.payload.refuse === true)
    if (isHopeless) return { action: 'skip', branch, reason }
    return { action: draws.pick('cure', ['resume', 'retry'] as const), reason }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve))
  }

  #after(ms: number, run: () => void): void {
    this.#world.installation.scheduler.after(ms, 'user', run)
  }
}
