/** Part 1: what the coordinator's journal makes of a store's raw speed. */
import { silentLogger } from 'lockstep/ports'
import { Journal } from '../../packages/lockstep/dist/coordinator/journal.js'
import { nodeEnvironment } from '../../packages/lockstep/dist/environment/node.js'
import { rounded, type Spread, spread } from '../measuring/spread.ts'
import { openStore, type StoreKind, type Stores, sqlitePath } from '../setting/stores.ts'
import { plainPostgres, rawPostgres } from './raw-postgres.ts'
import { type PlainStore, plainSqlite, type RawStore, rawSqlite } from './raw-sqlite.ts'
import { endOf, type Insert, sampleBytes, sampleInserts } from './sample-entries.ts'

const batchRows = 256
const writers = 256
const warmUpBatches = 16

export interface JournalFigures {
  readonly store: StoreKind
  readonly write: 'begin' | 'end'
  readonly rowBytes: number
  /** Rows per second. */
  readonly raw: Spread
  readonly plain: Spread
  readonly journal: Spread
  /** Of the medians: the journal against the same table written raw, and against a table of a key and a text. */
  readonly ratio: number
  readonly ratioToPlain: number
}

export interface JournalOptions {
  readonly runs: number
  readonly batches: number
}

/** Rows per second of begins and of ends. */
interface Speed {
  readonly begin: number
  readonly end: number
}

/** The ways take turns, so that a slow moment of the machine strikes all of them. */
export async function measureJournal(stores: Stores, options: JournalOptions): Promise<JournalFigures[]> {
  const figures: JournalFigures[] = []
  for (const kind of stores.kinds) {
    const raw: Speed[] = []
    const plain: Speed[] = []
    const journal: Speed[] = []
    // What is measured has run before, as it has in a service that is up.
    await journalSpeed(stores, kind, sampleInserts(warmUpBatches * batchRows))
    for (let run = 0; run < options.runs; run++) {
      const inserts = sampleInserts(options.batches * batchRows)
      raw.push(await rawSpeed(await openRaw(stores, kind), inserts))
      journal.push(await journalSpeed(stores, kind, inserts))
      plain.push(await rawSpeed(await openPlain(stores, kind), inserts))
    }
    figures.push(figuresOf(kind, 'begin', { raw, plain, journal }), figuresOf(kind, 'end', { raw, plain, journal }))
  }
  return figures
}

type Speeds = Readonly<Record<'raw' | 'plain' | 'journal', readonly Speed[]>>

function figuresOf(store: StoreKind, write: 'begin' | 'end', speeds: Speeds): JournalFigures {
  const of = (way: keyof Speeds) => spread(speeds[way].map((speed) => speed[write]))
  const [raw, plain, journal] = [of('raw'), of('plain'), of('journal')]
  const ratio = rounded(journal.median / raw.median)
  const rowBytes = write === 'begin' ? sampleBytes.insert : sampleBytes.end
  return { store, write, rowBytes, raw, plain, journal, ratio, ratioToPlain: rounded(journal.median / plain.median) }
}

async function openRaw(stores: Stores, kind: StoreKind): Promise<RawStore> {
  const url = await stores.create(kind)
  return kind === 'sqlite' ? rawSqlite(sqlitePath(url)) : rawPostgres(url)
}

async function openPlain(stores: Stores, kind: StoreKind): Promise<PlainStore> {
  const url = await stores.create(kind)
  return kind === 'sqlite' ? plainSqlite(sqlitePath(url)) : plainPostgres(url)
}

async function rawSpeed(store: PlainStore, inserts: readonly Insert[]): Promise<Speed> {
  const ends = inserts.map(endOf)
  try {
    const begin = await rowsPerSecond(inserts.length, () => inBatches(inserts, (batch) => store.insert(batch)))
    const end = await rowsPerSecond(ends.length, () => inBatches(ends, (batch) => store.end(batch)))
    return { begin, end }
  } finally {
    await store.close()
  }
}

async function inBatches<T>(
  entries: readonly T[],
  write: (batch: readonly T[]) => Promise<void> | void,
): Promise<void> {
  for (let from = 0; from < entries.length; from += batchRows) await write(entries.slice(from, from + batchRows))
}

/** 256 writers, each waiting for its own row before it writes the next one. */
async function journalSpeed(stores: Stores, kind: StoreKind, inserts: readonly Insert[]): Promise<Speed> {
  const store = openStore(await stores.create(kind))
  await store.open()
  const { clock, timers } = nodeEnvironment
  const onFailed = (error: Error): void => console.error(error.message)
  const journal = new Journal({ store, instance: 'bench', clock, timers, logger: silentLogger, onFailed })
  const ends = inserts.map(endOf)
  try {
    const begin = await rowsPerSecond(inserts.length, () => byWriters(inserts, (entry) => journal.write(entry)))
    const end = await rowsPerSecond(ends.length, () => byWriters(ends, (entry) => journal.write(entry)))
    return { begin, end }
  } finally {
    await journal.flush()
    await store.close()
  }
}

async function byWriters<T>(entries: readonly T[], write: (entry: T) => Promise<{ kind: string }>): Promise<void> {
  const queue = entries[Symbol.iterator]()
  const writer = async (): Promise<void> => {
    for (const entry of queue) {
      const { kind } = await write(entry)
      if (kind !== 'applied') throw new Error(`The journal answered ${kind}.`)
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
}

async function rowsPerSecond(rows: number, work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (rows / (performance.now() - startedMs)) * 1_000
}
