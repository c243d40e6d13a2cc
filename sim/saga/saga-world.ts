/** Sagas over banks of which some use the barrier and some do not. */
import type { RandomStream } from '@lockstep/testkit'
import type { Call, OperatorAction } from 'lockstep/ports'
import { Installation, type ServicePlan, type Settings } from '../installation.ts'
import { type Bank, openBank } from './bank.ts'

export interface SagaScenario extends Settings {
  readonly banks: number
  readonly operations: number
  /** Whether the bank of this position goes through the barrier. */
  readonly usesBarrier: (bank: number) => boolean
  readonly amountMax: number
  /** How often an initiator cancels, and how often it sets a deadline. */
  readonly cancels: number
  readonly deadlines: number
  /** How often somebody lays a hand on a transfer, and what that may be. */
  readonly operates: { readonly rate: number; readonly actions: readonly OperatorAction[] }
}

export class SagaWorld {
  readonly scenario: SagaScenario
  readonly installation: Installation
  readonly banks: Bank[] = []

  constructor(seed: number, scenario: SagaScenario, log: (line: string) => void) {
    this.scenario = scenario
    this.installation = new Installation(seed, scenario, log)
    this.installation.watcher.isReversed = (call) => this.#isReversed(call)
  }

  async open(): Promise<void> {
    const { installation, scenario } = this
    const accounts = Array.from({ length: 5 }, (_, number) => `account-${number}`)
    const random = installation.streams.fork('database')
    for (let number = 0; number < scenario.banks; number++) {
      const pause = (label: string) => this.#pauseAt(number, label, random)
      const barrier = scenario.usesBarrier(number)
      this.banks.push(await openBank({ name: `bank-${number}`, barrier, accounts, pause }))
    }
    installation.openServices(this.banks.map(planOf))
    installation.openCoordinators()
  }

  #pauseAt(number: number, label: string, random: RandomStream): Promise<void> {
    const there = this.installation.runningProcess(`bank-${number}`, 0)
    const delayMs = random.integer('database step', 0, 3)
    return new Promise((resolve) => there?.node.deliver(delayMs, `database ${label}`, resolve))
  }

  #isReversed(call: Call): boolean {
    const bank = this.banks.find((one) => call.target.startsWith(`${one.name}.`))
    if (bank === undefined || call.operation !== 'action') return false
    if (!bank.barrier) return bank.database.read('ledger').get(`${call.transaction}/${call.branch}`) === 'reversed'
    const { store, transaction, branch } = call
    const row = bank.database.read('lockstep_barrier').get([store, transaction, branch, 'compensate'].join('/'))
    return (row as { by?: string } | undefined)?.by === 'compensate'
  }
}

function planOf(bank: Bank): ServicePlan {
  const { name, barrier, participants, database } = bank
  return { name, barrier, open: () => ({ participants: [...participants.values()], died: () => database.crash() }) }
}
