/** A store, coordinators over it, and participants whose answers a test chooses; everything under one virtual clock. */
import { logAlerts } from '../../src/alerts/index.ts'
import { type CoordinatorOptions, createCoordinator, type EmbeddedCoordinator } from '../../src/compose.ts'
import { LockstepError } from '../../src/errors.ts'
import type {
  Alert,
  Call,
  Entry,
  Json,
  Logger,
  Outcome,
  StoredTransaction,
  TransactionStore,
  Transport,
} from '../../src/ports/index.ts'
import type { BeginBody, BranchBegin } from '../../src/protocol/index.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { VirtualTime } from './virtual-time.ts'

export const never = new Promise<never>(() => {})
export const done = (output: Json = null): Outcome => ({ kind: 'done', output })
export const refused = (reason: Json = { code: 'no' }): Outcome => ({ kind: 'refused', reason })
export const unknown = (more: Partial<Extract<Outcome, { kind: 'unknown' }>> = {}): Outcome => ({
  kind: 'unknown',
  error: 'no answer',
  ...more,
})
export const unavailable = () => new LockstepError('LOCKSTEP_STORE_UNAVAILABLE', { message: 'no connection' })
export const failed = () => new LockstepError('LOCKSTEP_STORE_FAILED', { message: 'fsync failed' })

type Answer = Outcome | Promise<Outcome>

/** Answers calls as told; everything is `done` unless told otherwise. Notes each call with the durable status at that moment. */
export class Participants {
  readonly calls: (Call & { readonly durable: StoredTransaction | undefined; readonly at: number })[] = []
  readonly #answers = new Map<string, (call: Call) => Answer>()
  /** Targets that this process knows no way to. */
  readonly missing = new Set<string>()

  /** `on('bank.debit', …)` for every operation, or `on('bank.debit/compensate', …)`. */
  on(target: string, answer: (call: Call) => Answer): void {
    this.#answers.set(target, answer)
  }

  answerTo(call: Call): Answer {
    const answer = this.#answers.get(`${call.target}/${call.operation}`) ?? this.#answers.get(call.target)
    return answer === undefined ? done() : answer(call)
  }

  named(name = ''): string[] {
    return this.calls
      .filter((call) => call.target.includes(name))
      .map(({ branch, operation, attempt }) => `${branch}.${operation}#${attempt}`)
  }
}

/** The store as one instance sees it, with the troubles a test asks for, and a log of what it was asked. */
export interface WatchedStore extends TransactionStore {
  /** Called before a batch reaches the rows; what it throws is the answer. */
  before: (
    batch: readonly Entry[],
    writer: { readonly number: number; readonly repeat: boolean },
  ) => Promise<void> | void
  /** Called after; the batch is then durable whatever it throws. */
  after: (batch: readonly Entry[]) => Promise<void> | void
  readonly batches: (readonly Entry[])[]
  readonly writers: { readonly number: number; readonly repeat: boolean }[]
  claiming: () => Promise<void> | void
  claims: number
}

export function watched(rows: TransactionStore): WatchedStore {
  const store: WatchedStore = {
    ...rows,
    before: () => {},
    after: () => {},
    claiming: () => {},
    batches: [],
    writers: [],
    claims: 0,
    async commit(batch, writer) {
      store.batches.push(batch)
      store.writers.push({ number: writer.number, repeat: writer.repeat })
      await store.before(batch, writer)
      const results = await rows.commit(batch, writer)
      await store.after(batch)
      return results
    },
    async claim(request) {
      await store.claiming()
      const claimed = await rows.claim(request)
      if (claimed.length > 0) store.claims += 1
      return claimed
    },
  }
  return store
}

export interface Instance {
  readonly coordinator: EmbeddedCoordinator
  readonly store: WatchedStore
  readonly failures: unknown[]
  readonly warnings: string[]
  readonly alerts: Alert[]
  kill(): void
  timers(): number
}

/** What a test may set of a coordinator; `skewMs` is how far its wall clock is ahead of the store's. */
type Settings = Partial<CoordinatorOptions> & { readonly services?: never; readonly skewMs?: number }

export class World {
  readonly time = new VirtualTime()
  readonly participants = new Participants()
  readonly rows: TransactionStore

  constructor(rows?: TransactionStore) {
    this.rows = rows ?? memoryStore({ clock: this.time.storeClock() })
  }

  /** A running coordinator of its own process. `bank` has a barrier, `shop` has none. */
  async start(options: Settings = {}, services = ['bank', 'shop']): Promise<Instance> {
    const instance = this.make(options, services)
    await instance.coordinator.start()
    return instance
  }

  make({ skewMs, ...options }: Settings, services = ['bank', 'shop']): Instance {
    const process = this.time.process(skewMs)
    const store = watched(this.rows)
    const failures: unknown[] = []
    const warnings: string[] = []
    const alerts: Alert[] = []
    const logger: Logger = {
      debug() {},
      info() {},
      warn: (_, message) => warnings.push(message),
      error: (_, message) => warnings.push(message),
    }
    let alive = true
    const transport: Transport = {
      canCall: (target) => !this.participants.missing.has(target),
      endpointOf: (target) => target,
      close: async () => {},
      call: async (call) => {
        if (!alive) return await never
        const [durable] = await this.rows.read([call.transaction])
        this.participants.calls.push({ ...call, durable, at: this.time.nowMs })
        const outcome = await Promise.race([this.participants.answerTo(call), this.#timeout(call.timeoutMs)])
        return alive ? outcome : await never
      },
    }
    const coordinator = createCoordinator({
      store,
      services: Object.fromEntries(
        services.map((name) => [name, { url: `http://${name}.test`, barrier: name === 'bank' }]),
      ),
      environment: process.environment,
      transport,
      onFailed: (error) => failures.push(error),
      logger,
      alerts: {
        raise(alert) {
          if (!alive) return
          alerts.push(alert)
          logAlerts(logger).raise(alert)
        },
      },
      ...options,
    })
    return {
      coordinator,
      store,
      failures,
      warnings,
      alerts,
      timers: () => process.timers(),
      kill: () => {
        alive = false
        process.kill()
      },
    }
  }

  #timeout(ms: number): Promise<Outcome> {
    return new Promise((resolve) => {
      this.time.process().environment.timers.after(ms, () => resolve(unknown({ code: 'timeout' })))
    })
  }

  async row(id: string): Promise<StoredTransaction> {
    const [row] = await this.rows.read([id])
    if (row === undefined) throw new Error(`no transaction ${id}`)
    return row
  }

  /** Until it ended or is held, whoever drives it. */
  async settled(id: string, withinMs = 120_000): Promise<StoredTransaction> {
    await this.time.until(async () => {
      const row = await this.row(id)
      return row.endedAt !== null || row.held !== null
    }, withinMs)
    return await this.row(id)
  }
}

/** `body('t1', 'bank.debit', 'shop.take')`: steps named by the part after the dot. */
export function body(id: string, ...targets: (string | Readonly<Record<string, Json>>)[]): BeginBody {
  const steps = targets.map((target) =>
    typeof target === 'string' ? stepOf(target) : { ...stepOf(String(target['participant'])), ...target },
  )
  return { id, pattern: 'saga', input: { amount: 5 }, steps }
}

/** A TCC that has an hour to be decided. */
export function tcc(id: string, more: Readonly<Record<string, Json>> = {}): BeginBody {
  return { id, pattern: 'tcc', deadline: '1h', ...more }
}

/** `branch('bank.debit')`: named by the part after the dot. */
export function branch(target: string, more: Readonly<Record<string, Json>> = {}): BranchBegin {
  return { name: nameIn(target), participant: target, input: { amount: 5 }, ...more }
}

/** `message('m', 'bank.award')`: the service `bank` is asked what became of it; deliveries are named by the part after the dot. */
export function message(id: string, ...to: (string | Readonly<Record<string, Json>>)[]): BeginBody {
  const deliveries = to.map((target) =>
    typeof target === 'string' ? deliveryTo(target) : { ...deliveryTo(String(target['to'])), ...target },
  )
  return { id, pattern: 'message', input: { order: 7 }, checkBack: 'bank', deliveries }
}

/** Nobody can be asked what became of it. */
export function unchecked(id: string, ...to: Parameters<typeof message>[1][]): BeginBody {
  const { checkBack: _, ...rest } = message(id, ...to)
  return rest as BeginBody
}

function deliveryTo(target: string): Record<string, Json> {
  return { name: nameIn(target), to: target, payload: { to: target } }
}

function stepOf(target: string): Record<string, Json> {
  return { name: nameIn(target), participant: target }
}

function nameIn(target: string): string {
  return target.slice(target.indexOf('.') + 1)
}

/** The error that a promise ends in. */
export async function errorOf(promise: Promise<unknown>): Promise<LockstepError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof LockstepError) return error
  throw new Error(`expected a LockstepError, got ${String(error)}`)
}
