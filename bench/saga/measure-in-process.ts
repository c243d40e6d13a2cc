/** Part 2a: a saga of two steps with the coordinator inside the service. */
import { join } from 'node:path'
import { cpuMs } from '../measuring/process-use.ts'
import { rounded, type Spread, spread } from '../measuring/spread.ts'
import { type Child, startChild } from '../setting/child.ts'
import type { StoreKind, Stores } from '../setting/stores.ts'
import type { InProcessQuestion, InProcessResult, Participants } from './in-process.ts'

export interface InProcessFigures {
  readonly store: StoreKind
  readonly participants: Participants
  readonly inFlight: number
  readonly perSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  /** Of the whole process: load, coordinator, participants and the store's thread. */
  readonly cpuMsPerSaga: Spread
  readonly commitsPerSaga: number
  readonly rowWritesPerSaga: number
}

export interface SagaOptions {
  readonly inFlight: readonly number[]
  readonly runs: number
  readonly seconds: number
  /** Flags for Node, for the processes that hold a coordinator. */
  readonly flags: readonly string[]
  /** A smoke run: variants alone only, and no count of commits over HTTP, which needs its time. */
  readonly quick: boolean
}

type Measured = Child<InProcessQuestion, InProcessResult | null>

export async function measureInProcess(stores: Stores, options: SagaOptions): Promise<InProcessFigures[]> {
  const figures: InProcessFigures[] = []
  for (const store of stores.kinds) {
    for (const participants of ['declared', 'none', 'sqlite'] as const) {
      const child: Measured = startChild(new URL('./in-process.ts', import.meta.url), options.flags)
      const bank = join(stores.directory, `bank-${store}-${participants}.db`)
      await child.ask({ kind: 'open', store: await stores.create(store), participants, bank })
      await child.ask({ kind: 'load', inFlight: 16, seconds: options.seconds / 2, countMax: 20_000 })
      for (const inFlight of levels(participants, options)) {
        figures.push({ store, participants, inFlight, ...(await measureLevel(child, inFlight, options)) })
      }
      await child.stop()
    }
  }
  return figures
}

/** Alone always, since that is where commits are counted; the variants only at the ends of the range. */
function levels(participants: Participants, { inFlight, quick }: SagaOptions): readonly number[] {
  const all = [...new Set([1, ...inFlight])]
  if (participants === 'declared') return all
  return quick ? [1] : [...new Set([1, all.at(-1) ?? 1])]
}

async function measureLevel(child: Measured, inFlight: number, { runs, seconds }: SagaOptions) {
  const results: (InProcessResult & { cpuMsPerSaga: number })[] = []
  for (let run = 0; run < runs; run++) {
    const before = cpuMs([child.pid])
    const result = await child.ask({ kind: 'load', inFlight, seconds, countMax: 100_000 })
    if (result === null) throw new Error('A load has no result.')
    results.push({ ...result, cpuMsPerSaga: (cpuMs([child.pid]) - before) / result.ended })
  }
  const ended = results.reduce((sum, result) => sum + result.ended, 0)
  const perSaga = (name: 'commits' | 'rowWrites') =>
    rounded(results.reduce((sum, result) => sum + result[name], 0) / ended)
  const of = (name: 'perSecond' | 'p50Ms' | 'p99Ms' | 'cpuMsPerSaga') => spread(results.map((result) => result[name]))
  return {
    perSecond: of('perSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    cpuMsPerSaga: of('cpuMsPerSaga'),
    commitsPerSaga: perSaga('commits'),
    rowWritesPerSaga: perSaga('rowWrites'),
  }
}
