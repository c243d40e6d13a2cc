/** Part 3: a crowd of undecided messages: what it costs while their producer is down, and how fast it is through when that is back. */
import { setTimeout as pause } from 'node:timers/promises'
import { freePorts } from '@lockstep/testkit'
import type { CommitCounter } from '../measuring/commit-counter.ts'
import { commitsOf } from '../measuring/commits-of.ts'
import { cpuMs, residentMib } from '../measuring/process-use.ts'
import { median, rounded } from '../measuring/spread.ts'
import { type Child, startChild } from '../setting/child.ts'
import { type CoordinatorProcess, startCoordinator } from '../setting/coordinator-process.ts'
import type { StoreKind, Stores } from '../setting/stores.ts'
import { type CrowdReader, type CrowdSums, crowdReader, fillCrowd } from './crowd.ts'
import type { ProducerQuestion } from './producer.ts'

/** What the coordinator did in a stretch of time, per second. */
export interface Stretch {
  readonly seconds: number
  /** Checks that reached the network. */
  readonly checks: number
  /** Claims included. */
  readonly rowWrites: number
  readonly commits: number
  /** Of one core; PostgreSQL's own beside it. */
  readonly cpuPercent: number
  readonly postgresCpuPercent: number | null
  readonly residentMib: Resident
}

/** Sampled: the medians of the first and of the last quarter, and the highest. */
export interface Resident {
  readonly first: number
  readonly last: number
  readonly highest: number
}

export interface UndecidedFigures {
  readonly store: StoreKind
  readonly messages: number
  /** From the start of the coordinator on, until it has met the whole crowd and claims what comes back in time. */
  readonly first: Stretch
  /** From then on, still without the producer. */
  readonly down: Stretch
  readonly recovery: Stretch & {
    /** From the moment the producer is back. */
    readonly firstDecidedAfterSeconds: number
    readonly decidedAfterSeconds: number
    readonly decidedPerSecond: number
    readonly finalAfterSeconds: number
    /** Decided and delivered in the time that was given. */
    readonly complete: boolean
  }
}

export interface UndecidedExtent {
  readonly messages: number
  /** Without the producer, once the whole crowd has been met and nothing is overdue. */
  readonly downSeconds: number
}

export async function measureUndecided(stores: Stores, extent: UndecidedExtent): Promise<UndecidedFigures[]> {
  const figures: UndecidedFigures[] = []
  for (const kind of stores.kinds) figures.push(await measureStore(stores, kind, extent))
  return figures
}

interface Crowd {
  readonly stores: Stores
  readonly kind: StoreKind
  readonly reader: CrowdReader
  readonly counter: CommitCounter
  /** Null before it is started. */
  coordinator: CoordinatorProcess | null
}

async function measureStore(stores: Stores, kind: StoreKind, extent: UndecidedExtent): Promise<UndecidedFigures> {
  const { messages, downSeconds } = extent
  const receiver = startChild<object, number>(new URL('../patterns/business.ts', import.meta.url))
  const producer = startChild<ProducerQuestion, number>(new URL('./producer.ts', import.meta.url))
  const [port = 0] = await freePorts(1)
  const producerUrl = `http://127.0.0.1:${port}`
  const receiverUrl = `http://127.0.0.1:${await receiver.ask({})}`
  const url = await stores.create(kind)
  await fillCrowd(url, { messages, producerUrl, receiverUrl })
  const counter = await commitsOf(stores, { kind, url }, async () => {})
  const crowd: Crowd = { stores, kind, reader: crowdReader(kind, url), counter, coordinator: null }
  const services = { producer: { url: producerUrl, barrier: true }, receiver: { url: receiverUrl, barrier: true } }
  try {
    const first = await stretch(crowd, async () => {
      crowd.coordinator = await startCoordinator({ directory: stores.directory, store: url, services })
      await untilPunctual(crowd, limitSeconds(messages))
    })
    const down = await stretch(crowd, () => pause(downSeconds * 1_000))
    const recovery = await recover(crowd, producer, { port, messages })
    return { store: kind, messages, first, down, recovery }
  } finally {
    await crowd.coordinator?.stop()
    await Promise.all([producer.stop(), receiver.stop()])
  }
}

async function recover(
  crowd: Crowd,
  producer: Child<ProducerQuestion, number>,
  { port, messages }: { readonly port: number; readonly messages: number },
): Promise<UndecidedFigures['recovery']> {
  const startedMs = performance.now()
  const after = () => rounded((performance.now() - startedMs) / 1_000)
  let firstDecidedAfterSeconds = 0
  let decidedAfterSeconds = 0
  let left = await crowd.reader.counts()
  const whole = await stretch(crowd, async () => {
    await producer.ask({ kind: 'come-up', port })
    while (left.unfinished > 0 && after() < limitSeconds(messages)) {
      await pause(250)
      left = await crowd.reader.counts()
      if (firstDecidedAfterSeconds === 0 && left.undecided < messages) firstDecidedAfterSeconds = after()
      if (decidedAfterSeconds === 0 && left.undecided === 0) decidedAfterSeconds = after()
    }
  })
  const finalAfterSeconds = after()
  const decided = messages - left.undecided
  return {
    ...whole,
    firstDecidedAfterSeconds,
    decidedAfterSeconds,
    decidedPerSecond: rounded(decided / (decidedAfterSeconds || finalAfterSeconds)),
    finalAfterSeconds,
    complete: left.unfinished === 0,
  }
}

/** A run that takes longer is given up, and says so. */
function limitSeconds(messages: number): number {
  return 30 + messages / 300
}

async function untilPunctual({ reader }: Crowd, seconds: number): Promise<void> {
  const startedMs = performance.now()
  // What was filled in last is not overdue at once.
  do await pause(2_000)
  while ((await reader.overdue()) > 0 && performance.now() - startedMs < seconds * 1_000)
}

async function stretch(crowd: Crowd, work: () => Promise<unknown>): Promise<Stretch> {
  const { kind } = crowd
  const before = await reading(crowd)
  const samples: number[] = []
  const sampling = setInterval(() => {
    if (crowd.coordinator !== null) samples.push(residentMib(crowd.coordinator.pid))
  }, 250)
  await work().finally(() => clearInterval(sampling))
  const after = await reading(crowd)
  const ms = after.atMs - before.atMs
  const perSecond = (name: keyof Reading) => rounded(((after[name] - before[name]) / ms) * 1_000)
  // Milliseconds of a core per second, ten to a percent.
  const percent = (name: keyof Reading) => rounded(perSecond(name) / 10)
  return {
    seconds: rounded(ms / 1_000),
    checks: perSecond('checks'),
    rowWrites: perSecond('rowWrites'),
    commits: perSecond('commits'),
    cpuPercent: percent('coordinatorMs'),
    postgresCpuPercent: kind === 'postgres' ? percent('serverMs') : null,
    residentMib: residentOf(samples),
  }
}

function residentOf(samples: readonly number[]): Resident {
  const quarter = Math.ceil(samples.length / 4)
  const [first, last] = [samples.slice(0, quarter), samples.slice(-quarter)].map(median)
  return { first: first ?? 0, last: last ?? 0, highest: Math.max(0, ...samples) }
}

interface Reading extends CrowdSums {
  readonly commits: number
  readonly atMs: number
  readonly coordinatorMs: number
  readonly serverMs: number
}

/** The commits first: their count may be long in coming. */
async function reading({ stores, kind, coordinator, reader, counter }: Crowd): Promise<Reading> {
  const commits = await counter.read(async () => {})
  const atMs = performance.now()
  const serverMs = kind === 'postgres' ? cpuMs(stores.postgres?.pids() ?? []) : 0
  return { commits, atMs, coordinatorMs: cpuMs([coordinator?.pid ?? 0]), serverMs, ...(await reader.sums()) }
}
