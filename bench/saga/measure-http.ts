/** Part 2b: the same saga with every party in a process of its own: driver, `lockstep serve`, business. */
import { cpuMs } from '../measuring/process-use.ts'
import { rounded, type Spread, spread } from '../measuring/spread.ts'
import { type Child, startChild } from '../setting/child.ts'
import { type CoordinatorProcess, startCoordinator } from '../setting/coordinator-process.ts'
import type { StoreKind, Stores } from '../setting/stores.ts'
import { type CommitCounter, commitCounter } from './commit-count.ts'
import type { DriverQuestion } from './http-driver.ts'
import type { LoadResult } from './load.ts'
import type { SagaOptions } from './measure-in-process.ts'

export interface HttpFigures {
  readonly store: StoreKind
  readonly inFlight: number
  readonly perSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  /** The same HTTP without Lockstep and without a store, in turns with it. */
  readonly barePerSecond: Spread
  readonly ratioToBare: number
  readonly cpuMsPerSaga: {
    readonly coordinator: Spread
    readonly driver: Spread
    readonly business: Spread
    readonly postgres: Spread | null
  }
  readonly rowWritesPerSaga: number
  /** By PostgreSQL's count, without heartbeats and claims; null on SQLite. */
  readonly commitsPerSaga: number | null
}

type Driver = Child<DriverQuestion, LoadResult>

interface Parties {
  readonly stores: Stores
  readonly driver: Driver
  readonly business: Child<object, number>
  readonly businessUrl: string
  readonly bareUrl: string
}

export async function measureHttp(stores: Stores, options: SagaOptions): Promise<HttpFigures[]> {
  const business = startChild<object, number>(new URL('./business.ts', import.meta.url))
  const bare = startChild<object, number>(new URL('./bare-relay.ts', import.meta.url))
  const driver: Driver = startChild(new URL('./http-driver.ts', import.meta.url))
  try {
    const businessUrl = `http://127.0.0.1:${await business.ask({})}`
    const parties = { stores, driver, business, businessUrl, bareUrl: `http://127.0.0.1:${await bare.ask({})}` }
    const figures: HttpFigures[] = []
    for (const kind of stores.kinds) figures.push(...(await measureStore(parties, kind, options)))
    return figures
  } finally {
    await Promise.all([driver.stop(), bare.stop(), business.stop()])
  }
}

async function measureStore(parties: Parties, kind: StoreKind, options: SagaOptions): Promise<HttpFigures[]> {
  const { stores, driver, businessUrl } = parties
  const store = await stores.create(kind)
  const services = { bank: { url: businessUrl, barrier: true } }
  const coordinator = await startCoordinator({ directory: stores.directory, store, services, flags: options.flags })
  try {
    const to = askOf(coordinator.url, businessUrl)
    for (const url of [coordinator.url, parties.bareUrl]) {
      await driver.ask({ ...to, url, inFlight: 16, seconds: options.seconds / 2, countMax: 20_000 })
    }
    const nudge = () => driver.ask({ ...to, inFlight: 1, seconds: 1, countMax: nudges })
    const counter =
      kind === 'postgres' && stores.postgres !== null ? await commitCounter(stores.postgres, store, nudge) : null
    const figures: HttpFigures[] = []
    for (const inFlight of options.inFlight) {
      figures.push(await measureLevel({ parties, coordinator, counter, kind }, inFlight, options))
    }
    return figures
  } finally {
    await coordinator.stop()
  }
}

/** Sagas that only make the server tell its counts. */
const nudges = 4

interface Level {
  readonly parties: Parties
  readonly coordinator: CoordinatorProcess
  readonly counter: CommitCounter | null
  readonly kind: StoreKind
}

async function measureLevel(level: Level, inFlight: number, options: SagaOptions): Promise<HttpFigures> {
  const { parties, coordinator, counter, kind } = level
  const ask = { ...askOf(coordinator.url, parties.businessUrl), inFlight, seconds: options.seconds, countMax: 100_000 }
  const nudge = () => parties.driver.ask({ ...ask, inFlight: 1, countMax: nudges })
  const before = (await counter?.read(nudge)) ?? 0
  const startedMs = performance.now()
  const bare: number[] = []
  const runs: Run[] = []
  for (let run = 0; run < options.runs; run++) {
    bare.push((await parties.driver.ask({ ...ask, url: parties.bareUrl, seconds: options.seconds / 2 })).perSecond)
    runs.push(await measureRun(level, ask))
  }
  const commits =
    counter === null ? null : (await counter.read(nudge)) - before - counter.atRest(performance.now() - startedMs)
  return figuresOf({ kind, inFlight, bare, runs, commits })
}

interface Run extends LoadResult {
  readonly coordinatorMs: number
  readonly driverMs: number
  readonly businessMs: number
  readonly postgresMs: number | null
}

async function measureRun({ parties, coordinator, kind }: Level, ask: DriverQuestion): Promise<Run> {
  const { driver, business, stores } = parties
  const server = kind === 'postgres' ? (stores.postgres?.pids() ?? []) : []
  const used = () => [[coordinator.pid], [driver.pid], [business.pid], server].map(cpuMs)
  const before = used()
  const result = await driver.ask(ask)
  const [coordinatorMs = 0, driverMs = 0, businessMs = 0, postgresMs = 0] = used().map(
    (ms, at) => (ms - (before[at] ?? 0)) / result.ended,
  )
  return { ...result, coordinatorMs, driverMs, businessMs, postgresMs: kind === 'postgres' ? postgresMs : null }
}

interface Measured {
  readonly kind: StoreKind
  readonly inFlight: number
  readonly bare: readonly number[]
  readonly runs: readonly Run[]
  readonly commits: number | null
}

function figuresOf({ kind, inFlight, bare, runs, commits }: Measured): HttpFigures {
  const of = (name: keyof Run) => spread(runs.map((run) => run[name] ?? 0))
  const ended = runs.reduce((sum, run) => sum + run.ended, 0)
  const rowWrites = runs.reduce((sum, run) => sum + run.rowWrites, 0)
  const [perSecond, barePerSecond] = [of('perSecond'), spread(bare)]
  return {
    store: kind,
    inFlight,
    perSecond,
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    barePerSecond,
    ratioToBare: rounded(perSecond.median / barePerSecond.median),
    cpuMsPerSaga: {
      coordinator: of('coordinatorMs'),
      driver: of('driverMs'),
      business: of('businessMs'),
      postgres: kind === 'postgres' ? of('postgresMs') : null,
    },
    rowWritesPerSaga: rounded(rowWrites / ended),
    commitsPerSaga: commits === null ? null : rounded(commits / (ended + nudges)),
  }
}

function askOf(url: string, businessUrl: string): { readonly url: string; readonly steps: string } {
  const steps = ['debit', 'credit'].map((name, at) => ({
    name,
    action: `${businessUrl}/${name}`,
    compensate: `${businessUrl}/${name}/undo`,
    input: { account: `account-${at}`, amount: 25 },
  }))
  return { url, steps: JSON.stringify(steps) }
}
