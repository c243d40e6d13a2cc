/** One pattern with every party in a process of its own: initiators, `lockstep serve`, participants. */
import { join } from 'node:path'
import type { CommitCounter } from '../measuring/commit-counter.ts'
import { commitsOf } from '../measuring/commits-of.ts'
import { cpuMs } from '../measuring/process-use.ts'
import { rounded, type Spread, spread } from '../measuring/spread.ts'
import { type Child, startChild } from '../setting/child.ts'
import { type CoordinatorProcess, startCoordinator } from '../setting/coordinator-process.ts'
import type { StoreKind, Stores } from '../setting/stores.ts'
import type { RelayQuestion } from './bare-relay.ts'
import type { LoadResult } from './load.ts'
import type { Client, LoadQuestion } from './load-process.ts'
import type { LoadExtent } from './measure-in-process.ts'
import type { BenchPattern, PatternName } from './pattern.ts'
import { type RawTransactions, rawTransactions } from './raw-store.ts'
import { type RecordedEntries, recordEntries } from './recorded-entries.ts'

/** Answered once it is decided; a closed loop over that leaves the rest of the work behind. */
export interface DecidedFigures {
  /** With the time until everything that was left behind has ended too. */
  readonly perSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  /** Decided and not ended when the loop stopped. */
  readonly leftBehind: Spread
}

export interface HttpFigures {
  readonly pattern: PatternName
  readonly client: Client
  readonly store: StoreKind
  readonly inFlight: number
  /** Answered once it has ended. */
  readonly perSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  /** Null for a pattern that is decided by its end. */
  readonly decided: DecidedFigures | null
  /** The same HTTP without Lockstep and without a store, and the same rows without Lockstep and without HTTP; in turns with it. */
  readonly bareHttp: Spread
  readonly ratioToBareHttp: number
  readonly rawStore: Spread
  readonly ratioToRawStore: number
  /** Per transaction that is waited for to its end. */
  readonly cpuMs: {
    readonly coordinator: Spread
    readonly initiators: Spread
    readonly participants: Spread
    readonly postgres: Spread | null
  }
  /** Per transaction, as its last answer tells; null where the client does not show it. */
  readonly rowWrites: number | null
  /** Durable commits per transaction by the database's own count, without heartbeats and claims. */
  readonly commits: number
}

interface Parties {
  readonly stores: Stores
  readonly pattern: BenchPattern
  readonly initiators: Child<LoadQuestion, LoadResult>
  readonly participants: Child<object, number>
  readonly businessUrl: string
  readonly bareUrl: string
  readonly entries: RecordedEntries
}

export async function measureHttp(stores: Stores, pattern: BenchPattern, extent: LoadExtent): Promise<HttpFigures[]> {
  const participants = startChild<object, number>(new URL('./business.ts', import.meta.url))
  const bare = startChild<RelayQuestion, number>(new URL('./bare-relay.ts', import.meta.url))
  const initiators = startChild<LoadQuestion, LoadResult>(new URL('./load-process.ts', import.meta.url))
  try {
    const businessUrl = `http://127.0.0.1:${await participants.ask({})}`
    const bareUrl = `http://127.0.0.1:${await bare.ask({ businessUrl, relay: pattern.relay })}`
    const entries = await recordEntries(pattern)
    const parties = { stores, pattern, initiators, participants, businessUrl, bareUrl, entries }
    const figures: HttpFigures[] = []
    for (const kind of stores.kinds) figures.push(...(await measureStore(parties, kind, extent)))
    return figures
  } finally {
    await Promise.all([initiators.stop(), bare.stop(), participants.stop()])
  }
}

interface Measured {
  readonly parties: Parties
  readonly kind: StoreKind
  readonly coordinator: CoordinatorProcess
  readonly counter: CommitCounter
  readonly raw: RawTransactions
  /** Some transactions, one after the other, that only make the server tell its counts. */
  readonly nudge: () => Promise<LoadResult>
}

const nudges = 4

async function measureStore(parties: Parties, kind: StoreKind, extent: LoadExtent): Promise<HttpFigures[]> {
  const { stores, initiators, businessUrl } = parties
  const store = await stores.create(kind)
  const raw = await rawTransactions(stores, kind, parties.entries)
  const services = { bank: { url: businessUrl, barrier: true } }
  const coordinator = await startCoordinator({ directory: stores.directory, store, services, flags: extent.flags })
  try {
    const ask = { ...questionFor(parties, kind, coordinator.url), until: 'final', client: 'protocol' } as const
    for (const url of [coordinator.url, parties.bareUrl]) {
      await initiators.ask({ ...ask, url, inFlight: 16, seconds: extent.seconds / 2, countMax: 20_000 })
    }
    const nudge = () => initiators.ask({ ...ask, inFlight: 1, seconds: 1, countMax: nudges })
    const counter = await commitsOf(stores, { kind, url: store }, nudge)
    const measured = { parties, kind, coordinator, counter, raw, nudge }
    const figures: HttpFigures[] = []
    for (const inFlight of extent.inFlight) {
      figures.push(await measureLevel(measured, { client: 'protocol', inFlight }, extent))
    }
    for (const inFlight of libraryLevels(extent)) {
      figures.push(await measureLevel(measured, { client: 'library', inFlight }, extent))
    }
    return figures
  } finally {
    await coordinator.stop()
    await raw.close()
  }
}

function libraryLevels({ inFlight, quick }: LoadExtent): readonly number[] {
  return quick ? inFlight.slice(0, 1) : inFlight.filter((level) => level === 1 || level === 64)
}

function questionFor({ stores, pattern, businessUrl }: Parties, kind: StoreKind, url: string) {
  const local = join(stores.directory, `initiators-${pattern.name}-${kind}.db`)
  return { pattern: pattern.name, url, businessUrl, local }
}

interface Level {
  readonly client: Client
  readonly inFlight: number
}

async function measureLevel(measured: Measured, level: Level, extent: LoadExtent): Promise<HttpFigures> {
  const { parties, kind, coordinator, counter, raw, nudge } = measured
  const { runs, seconds } = extent
  const question = { ...questionFor(parties, kind, coordinator.url), ...level, countMax: 100_000 }
  const before = await counter.read(nudge)
  const startedMs = performance.now()
  const taken: Taken = { bareHttp: [], rawStore: [], final: [], decided: [] }
  for (let run = 0; run < runs; run++) {
    const bare = {
      ...question,
      client: 'protocol',
      url: parties.bareUrl,
      until: 'final',
      seconds: seconds / 2,
    } as const
    taken.bareHttp.push((await parties.initiators.ask(bare)).perSecond)
    taken.rawStore.push(await raw.measure(level.inFlight, seconds / 4))
    taken.final.push(await runToEnd(measured, { ...question, until: 'final', seconds }))
  }
  const commits = (await counter.read(nudge)) - before - counter.atRest(performance.now() - startedMs)
  const isDecidedFirst = parties.pattern.untils.includes('decided')
  for (let run = 0; isDecidedFirst && run < runs; run++) {
    taken.decided.push(await runToDecision(measured, { ...question, until: 'decided', seconds: seconds / 2 }))
  }
  // On a server the transactions that made it tell its counts are among them.
  const counted = endedIn(taken.final) + (kind === 'postgres' ? nudges : 0)
  return figuresOf({ ...level, kind, pattern: parties.pattern.name, commits: commits / counted }, taken)
}

interface Taken {
  readonly bareHttp: number[]
  readonly rawStore: number[]
  readonly final: FinalRun[]
  readonly decided: DecidedRun[]
}

interface FinalRun extends LoadResult {
  readonly coordinatorMs: number
  readonly initiatorsMs: number
  readonly participantsMs: number
  readonly postgresMs: number
}

async function runToEnd({ parties, coordinator, kind }: Measured, question: LoadQuestion): Promise<FinalRun> {
  const { initiators, participants, stores } = parties
  const server = kind === 'postgres' ? (stores.postgres?.pids() ?? []) : []
  const used = () => [[coordinator.pid], [initiators.pid], [participants.pid], server].map(cpuMs)
  const before = used()
  const result = await initiators.ask(question)
  const [coordinatorMs = 0, initiatorsMs = 0, participantsMs = 0, postgresMs = 0] = used().map(
    (ms, at) => (ms - (before[at] ?? 0)) / result.ended,
  )
  return { ...result, coordinatorMs, initiatorsMs, participantsMs, postgresMs }
}

interface DecidedRun extends LoadResult {
  readonly leftBehind: number
}

async function runToDecision({ parties, coordinator }: Measured, question: LoadQuestion): Promise<DecidedRun> {
  const startedMs = performance.now()
  const result = await parties.initiators.ask(question)
  const leftBehind = await coordinator.activeTransactions()
  for (let active = leftBehind; active > 0; active = await coordinator.activeTransactions()) {
    if (performance.now() - startedMs > 60_000) throw new Error(`${active} transactions do not end.`)
  }
  return { ...result, leftBehind, perSecond: (result.ended / (performance.now() - startedMs)) * 1_000 }
}

interface Named extends Level {
  readonly kind: StoreKind
  readonly pattern: PatternName
  readonly commits: number
}

function figuresOf({ kind, pattern, client, inFlight, commits }: Named, taken: Taken): HttpFigures {
  const of = (name: keyof FinalRun) => spread(taken.final.map((run) => run[name]))
  const perSecond = of('perSecond')
  const [bareHttp, rawStore] = [spread(taken.bareHttp), spread(taken.rawStore)]
  const rowWrites = taken.final.reduce((sum, run) => sum + run.rowWrites, 0) / endedIn(taken.final)
  return {
    pattern,
    client,
    store: kind,
    inFlight,
    perSecond,
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    decided: taken.decided.length === 0 ? null : decidedOf(taken.decided),
    bareHttp,
    ratioToBareHttp: rounded(perSecond.median / bareHttp.median),
    rawStore,
    ratioToRawStore: rounded(perSecond.median / rawStore.median),
    cpuMs: {
      coordinator: of('coordinatorMs'),
      initiators: of('initiatorsMs'),
      participants: of('participantsMs'),
      postgres: kind === 'postgres' ? of('postgresMs') : null,
    },
    rowWrites: client === 'protocol' ? rounded(rowWrites) : null,
    commits: rounded(commits),
  }
}

function decidedOf(runs: readonly DecidedRun[]): DecidedFigures {
  const of = (name: keyof DecidedRun) => spread(runs.map((run) => run[name]))
  return { perSecond: of('perSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), leftBehind: of('leftBehind') }
}

function endedIn(runs: readonly LoadResult[]): number {
  return runs.reduce((sum, run) => sum + run.ended, 0)
}
