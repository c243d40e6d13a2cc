/**
 * Initiators and operators. An initiator repeats what got no answer under the same id, as it must; it believes an answer that says
 * "not applied", and remembers every end it was shown.
 */
import type { RandomStream } from '@lockstep/testkit'
import { type ActionRequest, isLockstepError, type Json, type TransactionBody } from 'lockstep'
import { attemptsOf } from '../attempt-check.ts'
import type { RunningCoordinator } from '../installation.ts'
import { drawActions, drawCure } from '../operators.ts'
import type { Users } from '../scene.ts'
import type { TransferInput } from './bank.ts'
import type { SagaWorld } from './saga-world.ts'

export interface Transfer {
  readonly id: string
  readonly body: { readonly id: string; readonly pattern: string; readonly [key: string]: Json }
  /** `delta` is what the step's action does to all the money there is. */
  readonly steps: readonly { readonly name: string; readonly bank: number; readonly delta: number }[]
  /** An answer has shown that it exists. */
  known: boolean
  /** The initiator was told that nothing happened, and gave up. */
  toldNever: boolean
  /** A final status that was shown to somebody. */
  shown: string | null
}

type Answer =
  | { readonly ok: TransactionBody & { readonly replayed?: boolean } }
  | { readonly error: unknown }
  | { readonly silence: true }

const answerWithinMs = 15_000

export class Clients implements Users {
  readonly #world: SagaWorld
  readonly #random: RandomStream
  /** Of its own, so that operators do not shift what initiators draw. */
  readonly #operators: RandomStream
  readonly transfers: Transfer[] = []
  busy = 0
  /** Sagas found held as `limit-spent`, and how many attempts that may have left each had. */
  readonly heldForLimit: { readonly id: string; readonly at: number }[] = []

  constructor(world: SagaWorld) {
    const { streams } = world.installation
    this.#world = world
    this.#random = streams.fork('clients')
    this.#operators = streams.fork('operators')
  }

  get transactions(): number {
    return this.transfers.length
  }

  /** Starts `count` initiators that share the operations of the scenario. */
  start(count: number): void {
    for (let client = 0; client < count; client++) {
      this.busy += 1
      this.#after(this.#random.integer('start', 0, 2_000), () => void this.#work(client))
    }
  }

  async #work(client: number): Promise<void> {
    const perClient = Math.ceil(this.#world.scenario.operations / 4)
    for (let number = 0; number < perClient; number++) {
      const transfer = this.#draw(`t${client}-${number}`)
      this.transfers.push(transfer)
      await this.#begin(transfer)
      if (this.#random.chance('cancel', this.#world.scenario.cancels)) await this.#cancel(transfer)
      if (this.#random.chance('hold', 0.05)) await this.#act(transfer, { action: 'hold', reason: 'simulated' })
      if (this.#operators.chance('operates', this.#world.scenario.operates.rate)) await this.#operate(transfer)
      if (this.#random.chance('repeat an old one', 0.1)) await this.#begin(this.#random.pick('old', this.transfers))
      await this.#sleep(this.#random.integer('think', 0, 3_000))
    }
    this.busy -= 1
  }

  #draw(id: string): Transfer {
    const { banks, amountMax, deadlines, usesBarrier } = this.#world.scenario
    const count = this.#random.integer('steps', 2, 3)
    const amount = this.#random.integer('amount', 1, amountMax)
    const parts = count === 3 ? [amount, amount - 1, 1] : [amount, amount]
    const steps = parts.map((part, position) => ({
      name: `s${position}`,
      bank: this.#random.integer('bank', 0, banks - 1),
      delta: position === 0 ? -part : part,
    }))
    const building = new Set<number>()
    const bodies = steps.map(({ name, bank, delta }, position) => {
      const refers = position > 0 && this.#random.chance('refers', 0.3)
      if (!usesBarrier(bank) || refers) building.add(position)
      if (!usesBarrier(bank)) building.add(position + 1)
      const input = this.#input(Math.abs(delta))
      return {
        name,
        participant: `bank-${bank}.${position === 0 ? 'debit' : 'credit'}`,
        input: (refers ? { ...input, receipt: { $output: 's0', path: '/receipt' } } : { ...input }) as Json,
        timeout: this.#random.pick('timeout', [1_000, 10_000]),
        ...(this.#random.chance('limit', 0.2) ? { retry: { limit: 4 } } : {}),
      }
    })
    const deadline = this.#random.chance('deadline', deadlines)
      ? { deadline: this.#random.integer('deadline', 500, 30_000) }
      : {}
    this.#world.installation.watcher.buildsOnDurable.set(id, building)
    const body = { id, pattern: 'saga', steps: bodies, ...deadline }
    return { id, body, steps, known: false, toldNever: false, shown: null }
  }

  #input(amount: number): TransferInput {
    const account = `account-${this.#random.integer('account', 0, 4)}`
    return { account, amount, refuse: this.#random.chance('refuse', 0.1) }
  }

  async #begin(transfer: Transfer): Promise<void> {
    if (transfer.toldNever) return
    const wait = this.#random.pick('wait', [0, 0, 5_000])
    for (let tries = 0; tries < 40; tries++) {
      const knew = transfer.known
      const answer = await this.#ask((coordinator) =>
        coordinator
          .begin({ ...transfer.body, wait })
          .then((begun) => ({ ...begun.transaction, replayed: begun.replayed })),
      )
      if ('ok' in answer) {
        if (knew && answer.ok.replayed === false) this.#violate(`law 2: ${transfer.id} was begun again`)
        return this.#noteShown(transfer, answer.ok)
      }
      if ('error' in answer && this.#isFinalRefusal(transfer, answer.error)) return
      await this.#sleep(this.#random.integer('repeat', 100, 2_000))
    }
  }

  /** True when the initiator need not ask again. */
  #isFinalRefusal(transfer: Transfer, error: unknown): boolean {
    if (!isLockstepError(error) || error.retriable) return false
    if (error.code === 'LOCKSTEP_EXPIRED' || error.code === 'LOCKSTEP_DECIDED') return true
    if (error.code === 'LOCKSTEP_INVALID_REQUEST' && error.outcome === 'not-applied') {
      transfer.toldNever = true
      return true
    }
    this.#violate(`an initiator was answered ${error.code}: ${error.message}`)
    return true
  }

  async #cancel(transfer: Transfer): Promise<void> {
    const answer = await this.#ask((coordinator) => coordinator.rollback(transfer.id))
    if ('ok' in answer) {
      this.#noteShown(transfer, answer.ok)
      if (!['rolling-back', 'rolled-back'].includes(answer.ok.status))
        this.#violate(`a rollback of ${transfer.id} was answered ${answer.ok.status}`)
    } else if ('error' in answer && isLockstepError(answer.error, 'LOCKSTEP_ALREADY_COMMITTING')) {
      this.#world.installation.watcher.expectStatus(transfer.id, 'committed')
    }
  }

  async #act(transfer: Transfer, request: ActionRequest): Promise<void> {
    const answer = await this.#ask((coordinator) => coordinator.act(transfer.id, request))
    if ('ok' in answer) this.#noteShown(transfer, answer.ok)
  }

  async #operate(transfer: Transfer): Promise<void> {
    for (const request of drawActions(this.#operators, this.#world.scenario.operates.actions, namesOf(transfer))) {
      await this.#sleep(this.#operators.integer('looks', 0, 2_000))
      await this.#act(transfer, request)
    }
  }

  /** After healing: a person looks through what is held and cures it. */
  async cureHeld(): Promise<void> {
    for (const row of (await this.#world.installation.store.list({ held: true, limit: 500 })).items) {
      if (row.held?.reason === 'limit-spent') await this.#countAttempts(row.id, row.held.detail ?? '')
      const transfer = this.transfers.find((one) => one.id === row.id)
      if (transfer === undefined || row.held === null) continue
      await this.#act(
        transfer,
        drawCure(this.#operators, this.#world.scenario.operates.actions, namesOf(transfer), row.held),
      )
    }
  }

  async #countAttempts(id: string, detail: string): Promise<void> {
    const [row] = await this.#world.installation.store.read([id])
    if (row === undefined) return
    const all = await attemptsOf(this.#world.installation.store, id, row.state)
    const left = all.filter(({ branch, outcome, error }) => {
      return (
        detail.startsWith(`${branch}:`) &&
        outcome === 'unknown' &&
        error !== 'takeover' &&
        error !== 'connection refused'
      )
    })
    this.heldForLimit.push({ id, at: left.length })
  }

  /** One call to a coordinator over a network that loses requests and replies. */
  #ask(
    run: (coordinator: RunningCoordinator['coordinator']) => Promise<TransactionBody & { replayed?: boolean }>,
  ): Promise<Answer> {
    const { lostRequest, lostReply, delayMaxMs } = this.#world.installation.faults.network
    const number = this.#random.integer('coordinator', 0, this.#world.scenario.coordinators - 1)
    const lost = this.#random.chance('lost request', lostRequest)
    const replyLost = this.#random.chance('lost reply', lostReply)
    const thereMs = this.#random.integer('there', 0, delayMaxMs)
    const backMs = this.#random.integer('back', 0, delayMaxMs)
    return new Promise((resolve) => {
      this.#after(answerWithinMs, () => resolve({ silence: true }))
      if (lost) return
      this.#after(thereMs, () => {
        const there = this.#world.installation.running(number)
        if (there === null) return
        const reply = (answer: Answer) => {
          if (there.node.alive && !replyLost) this.#after(backMs, () => resolve(answer))
        }
        run(there.coordinator).then(
          (ok) => {
            this.#world.installation.watcher.shown(ok.id, ok.status)
            reply({ ok })
          },
          (error) => reply({ error }),
        )
      })
    })
  }

  #noteShown(transfer: Transfer, body: TransactionBody): void {
    transfer.known = true
    if (body.status !== 'committed' && body.status !== 'rolled-back') return
    if (transfer.shown !== null && transfer.shown !== body.status)
      this.#violate(`${transfer.id} was shown ${transfer.shown}, then ${body.status}`)
    transfer.shown = body.status
  }

  #violate(message: string): void {
    this.#world.installation.watcher.violate(message)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve))
  }

  #after(ms: number, run: () => void): void {
    this.#world.installation.scheduler.after(ms, 'client', run)
  }
}

function namesOf({ steps }: Transfer): string[] {
  return steps.map(({ name }) => name)
}
