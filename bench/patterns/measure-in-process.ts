/** One pattern with the coordinator inside the service. */
import { join } from 'node:path'
import { cpuMs } from '../measuring/process-use.ts'
import { rounded, type Spread, spread } from '../measuring/spread.ts'
import { type Child, startChild } from '../setting/child.ts'
import type { StoreKind, Stores } from '../setting/stores.ts'
import type { InProcessAnswer, InProcessQuestion, InProcessResult, Participants } from './in-process.ts'
import type { BenchPattern, CommitsAlone, PatternName } from './pattern.ts'

export interface InProcessFigures {
  readonly pattern: PatternName
  readonly store: StoreKind
  readonly participants: Participants
  readonly inFlight: number
  /** Until the end. */
  readonly perSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  /** Per transaction, of the whole process: load, coordinator, participants and the store's thread. */
  readonly cpuMs: Spread
  /** Per transaction. */
  readonly commits: number
  readonly rowWrites: number
}

/** Counted while nothing else runs: the most that one transaction took. */
export interface AloneFigures extends CommitsAlone {
  readonly pattern: PatternName
  readonly store: StoreKind
}

export interface LoadExtent {
  readonly inFlight: readonly number[]
  readonly runs: number
  readonly seconds: number
  /** Flags for Node, for the processes that hold a coordinator. */
  readonly flags: readonly string[]
  /** A smoke run: variants alone only. */
  readonly quick: boolean
}

type Measured = Child<InProcessQuestion, InProcessAnswer>

const aloneRuns = 20

export async function measureInProcess(stores: Stores, pattern: BenchPattern, extent: LoadExtent) {
  const inProcess: InProcessFigures[] = []
  const alone: AloneFigures[] = []
  for (const store of stores.kinds) {
    for (const participants of kindsFor(pattern)) {
      const child: Measured = startChild(new URL('./in-process.ts', import.meta.url), extent.flags)
      try {
        const local = join(stores.directory, `local-${pattern.name}-${store}-${participants}.db`)
        const { name } = pattern
        await child.ask({ kind: 'open', store: await stores.create(store), pattern: name, participants, local })
        await child.ask({ kind: 'load', inFlight: 16, seconds: extent.seconds / 2, countMax: 20_000 })
        if (participants === 'declared') {
          const taken = (await child.ask({ kind: 'count', runs: aloneRuns })) as CommitsAlone
          alone.push({ pattern: name, store, ...taken })
        }
        for (const inFlight of levels(pattern, participants, extent)) {
          const figures = await measureLevel(child, inFlight, extent)
          inProcess.push({ pattern: name, store, participants, inFlight, ...figures })
        }
      } finally {
        await child.stop()
      }
    }
  }
  return { inProcess, alone }
}

/** How the result of one step may travel with the next is a matter of sagas alone. */
function kindsFor({ name }: BenchPattern): readonly Participants[] {
  return name === 'saga' ? ['declared', 'none', 'sqlite'] : ['declared']
}

/** Alone always, since that is where commits are counted; the variants and the other patterns only at two points. */
function levels({ name }: BenchPattern, participants: Participants, { inFlight, quick }: LoadExtent): number[] {
  const all = [...new Set([1, ...inFlight])]
  if (name === 'saga' && participants === 'declared') return all
  const crowd = all.includes(64) ? 64 : (all.at(-1) ?? 1)
  return quick ? [1] : [...new Set([1, crowd])]
}

async function measureLevel(child: Measured, inFlight: number, { runs, seconds }: LoadExtent) {
  const results: (InProcessResult & { cpuMs: number })[] = []
  for (let run = 0; run < runs; run++) {
    const before = cpuMs([child.pid])
    const result = (await child.ask({ kind: 'load', inFlight, seconds, countMax: 100_000 })) as InProcessResult
    results.push({ ...result, cpuMs: (cpuMs([child.pid]) - before) / result.ended })
  }
  const ended = results.reduce((sum, result) => sum + result.ended, 0)
  const each = (name: 'commits' | 'rowWrites') =>
    rounded(results.reduce((sum, result) => sum + result[name], 0) / ended)
  const of = (name: 'perSecond' | 'p50Ms' | 'p99Ms' | 'cpuMs') => spread(results.map((result) => result[name]))
  return {
    perSecond: of('perSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    cpuMs: of('cpuMs'),
    commits: each('commits'),
    rowWrites: each('rowWrites'),
  }
}
