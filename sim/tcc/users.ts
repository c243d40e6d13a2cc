/**
 * People who want transfers carried out. Each asks some process to do it, waits as long as they like, asks another one when nothing is
 * heard, or gives up; and an operator who lays hands on what is there.
 */
import type { RandomStream } from '@lockstep/testkit'
import type { ActionRequest, Coordination } from 'lockstep'
import { noFaults } from '../faults.ts'
import { embeddedInitiator, type InitiatingProcess } from '../initiating-process.ts'
import { drawActions } from '../operators.ts'
import { remoteCoordination } from '../remote-coordination.ts'
import type { Users } from '../scene.ts'
import { type Known, runBare, runTcc } from './runs.ts'
import type { TccWorld } from './tcc-world.ts'
import { drawTransfer, type TccTransfer } from './transfer.ts'

type Way = 'embedded' | 'remote' | 'bare'

const ways: readonly Way[] = ['embedded', 'remote', 'remote', 'bare']
const repeatsMax = 4
const reason = 'simulated'

export class TccUsers implements Users {
  readonly #world: TccWorld
  readonly #random: RandomStream
  readonly #operators: RandomStream
  #operator: Coordination | null = null
  busy = 0

  constructor(world: TccWorld) {
    const { streams } = world.installation
    this.#world = world
    this.#random = streams.fork('users')
    this.#operators = streams.fork('operators')
  }

  get transactions(): number {
    return this.#world.transfers.length
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
      this.#after(this.#random.integer('start', 0, 2_000), () => void this.#work(user))
    }
  }

  async #work(user: number): Promise<void> {
    const { scenario } = this.#world
    for (let number = 0; number < Math.ceil(scenario.operations / 4); number++) {
      const transfer = drawTransfer(this.#random, `t${user}-${number}`, scenario)
      this.#world.transfers.push(transfer)
      if (this.#random.chance('at once', 0.15)) this.#besides(transfer)
      if (this.#operators.chance('operates', scenario.operates.rate)) void this.#operate(transfer)
      await this.#carryOut(transfer)
      if (this.#random.chance('an old one', 0.1)) this.#besides(this.#random.pick('old', this.#world.transfers))
      await this.#sleep(this.#random.integer('think', 0, 3_000))
    }
    this.busy -= 1
  }

  /** Again and again, by whichever process, until it is known how it was decided, or the user gives up. */
  async #carryOut(transfer: TccTransfer): Promise<void> {
    for (let number = 0; number < repeatsMax; number++) {
      if ((await this.#once(transfer)) === 'decided') return
      if (this.#random.chance('gives up', 0.3)) return
      await this.#sleep(this.#random.integer('repeat', 100, 5_000))
    }
  }

  #besides(transfer: TccTransfer): void {
    this.busy += 1
    void this.#once(transfer).then(() => {
      this.busy -= 1
    })
  }

  #once(transfer: TccTransfer): Promise<Known> {
    const way = this.#random.pick('way', ways)
    const by = this.#process(way)
    const patienceMs = this.#random.integer('patience', 2_000, 60_000)
    if (by === null) return Promise.resolve('open')
    const running = { by, random: this.#random, watcher: this.#world.installation.watcher }
    // A careless commit is for the bare API: `tcc` itself must never come to it.
    const ran = way === 'bare' ? runBare(transfer, running) : runTcc(transfer, running)
    return Promise.race([ran, this.#sleep(patienceMs).then(() => 'open' as const)])
  }

  #process(way: Way): InitiatingProcess | null {
    const { installation, shops, scenario } = this.#world
    if (way !== 'embedded') return shops[this.#random.integer('shop', 0, scenario.shops - 1)] ?? null
    return embeddedInitiator(installation, this.#random.integer('coordinator', 0, scenario.coordinators - 1))
  }

  async #operate(transfer: TccTransfer): Promise<void> {
    const names = transfer.moves.map(({ name }) => name)
    for (const request of drawActions(this.#operators, this.#world.scenario.operates.actions, names)) {
      await this.#sleep(this.#operators.integer('looks', 0, 8_000))
      await this.#act(transfer, request)
    }
  }

  async #act(transfer: TccTransfer, request: ActionRequest): Promise<void> {
    if (request.action === 'force-commit' || request.action === 'skip') transfer.forced = true
    await this.#operator?.act(transfer.id, request).catch(() => {})
  }

  async cureHeld(): Promise<void> {
    for (const { id, held, status } of (await this.#world.installation.store.list({ held: true, limit: 500 })).items) {
      const transfer = this.#world.transfers.find((one) => one.id === id)
      if (transfer === undefined || held === null) continue
      await this.#operator?.act(id, this.#cureOf(transfer, held.reason, status)).catch(() => {})
    }
  }

  #cureOf(transfer: TccTransfer, why: string, status: string): ActionRequest {
    const names = [...transfer.moves, ...(transfer.late === null ? [] : [transfer.late])].map(({ name }) => name)
    const branch = this.#operators.pick('branch', names)
    if (why === 'older-than-barrier' && status === 'prepared') return { action: 'force-rollback', reason }
    if (why === 'try-missing' || why === 'older-than-barrier') return { action: 'skip', branch, reason }
    return { action: this.#operators.pick('cure', ['resume', 'retry'] as const), reason }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve))
  }

  #after(ms: number, run: () => void): void {
    this.#world.installation.scheduler.after(ms, 'user', run)
  }
}
