/** TCCs over banks that reserve: initiators in the coordinators, at the other end of a wire, and bare clients of the API. */
import type { Call, OperatorAction } from 'lockstep/ports'
import { EffectLog } from '../effect-log.ts'
import { forgetOldRows } from '../forgetting.ts'
import { type InitiatingProcess, remoteInitiator } from '../initiating-process.ts'
import { Installation, type ServicePlan, type Settings } from '../installation.ts'
import { SharedDatabase } from '../shared-database.ts'
import { AccountWatch } from './account-watch.ts'
import { moversOf, prepareAccounts } from './accounts.ts'
import type { TccTransfer } from './transfer.ts'

export interface TccScenario extends Settings {
  readonly banks: number
  readonly shops: number
  readonly operations: number
  readonly amountMax: number
  /** How many of the bare clients commit although they do not know that every try is done. */
  readonly careless: number
  /** How often somebody lays a hand on a transaction, and what that may be. */
  readonly operates: { readonly rate: number; readonly actions: readonly OperatorAction[] }
  /** Processes of each bank, and how long a dead one stays away at most. */
  readonly bankProcesses: number
  readonly awayMaxMs: number
  /** When barrier rows are deleted; null: never. */
  readonly forgetsAfterMs: number | null
}

const storeId = '51000001'
const undecidedMaxMs = 15_000
const judgedEveryMs = 1_000

export class TccWorld {
  readonly scenario: TccScenario
  readonly installation: Installation
  /** All that anybody wants carried out. */
  readonly transfers: TccTransfer[] = []
  readonly banks: SharedDatabase[] = []
  readonly effects: EffectLog
  /** By position; null while it is down. */
  readonly shops: (InitiatingProcess | null)[] = []
  readonly #watch: AccountWatch
  /** Since when all coordinators are up, after healing. */
  #wholeSinceMs = Number.POSITIVE_INFINITY
  #judgedAtMs = 0

  constructor(seed: number, scenario: TccScenario, log: (line: string) => void) {
    this.scenario = scenario
    this.installation = new Installation(seed, scenario, log)
    const { watcher } = this.installation
    const watch = new AccountWatch(watcher, storeId)
    this.#watch = watch
    this.effects = new EffectLog({
      judge: (effect) => watch.effect(effect),
      violate: (message) => watcher.violate(message),
    })
    watcher.isReversed = (call) => this.#isReversed(call)
  }

  async open(): Promise<void> {
    const { installation, scenario } = this
    for (let number = 0; number < scenario.banks; number++) {
      const database = this.#database(`bank-${number}`)
      await database.prepare(prepareAccounts)
      this.banks.push(database)
    }
    const banks = this.banks.map((database) => this.#bankPlan(database))
    const shops = Array.from({ length: scenario.shops }, (_, number) => this.#shopPlan(number))
    installation.openServices([...banks, ...shops])
    installation.openCoordinators()
    forgetOldRows(installation, this.banks, scenario.forgetsAfterMs)
  }

  #database(name: string): SharedDatabase {
    const { scheduler, streams } = this.installation
    return new SharedDatabase({
      name,
      scheduler,
      random: streams.fork(`database of ${name}`),
      faults: () => this.installation.faults.database,
      onCommit: (database) => {
        this.effects.committed(database)
        this.#watch.read(database)
      },
    })
  }

  #bankPlan(database: SharedDatabase): ServicePlan {
    const isIll = () => !this.installation.healed
    const { bankProcesses, awayMaxMs } = this.scenario
    return {
      name: database.name,
      barrier: true,
      processes: bankProcesses,
      awayMaxMs,
      open: (node) => {
        const client = database.connect(node)
        return { participants: moversOf(database.name, client, isIll), died: () => client.died() }
      },
    }
  }

  #shopPlan(number: number): ServicePlan {
    return {
      name: `shop-${number}`,
      barrier: false,
      isClient: true,
      open: (node) => {
        this.shops[number] = remoteInitiator(this.installation, node, null)
        return {
          participants: [],
          died: () => {
            this.shops[number] = null
          },
        }
      },
    }
  }

  /** Silence is a rollback: once all is well, nothing stays undecided for long after its deadline. */
  check(): void {
    const { scheduler, watcher, healed, coordinators } = this.installation
    const atMs = scheduler.now()
    if (!healed || atMs - this.#judgedAtMs < judgedEveryMs) return
    this.#judgedAtMs = atMs
    const isWhole = coordinators.every((one) => one !== null)
    this.#wholeSinceMs = isWhole ? Math.min(atMs, this.#wholeSinceMs) : Number.POSITIVE_INFINITY
    if (atMs - this.#wholeSinceMs < 2 * undecidedMaxMs || !isWhole) return
    const now = this.installation.now()
    for (const [id, { status, deadlineAt, heldSince }] of watcher.seen) {
      const lateMs = now - (deadlineAt ?? now)
      if (status === 'prepared' && heldSince === null && lateMs > undecidedMaxMs)
        watcher.violate(`deadline: ${id} is still undecided, ${lateMs} ms after its deadline`)
    }
  }

  bank(name: string): SharedDatabase | undefined {
    return this.banks.find((database) => database.name === name)
  }

  #isReversed({ target, store, transaction, branch, operation }: Call): boolean {
    const excluding = ({ try: 'cancel', confirm: 'cancel', cancel: 'confirm' } as const)[operation as string]
    const database = this.bank(target.split('.')[0] ?? '')
    if (excluding === undefined || database === undefined) return false
    return database.writerOf({ store, transaction, branch, operation: excluding }) === excluding
  }
}
