/**
 * `npm run bench`: what Lockstep costs, on the built packages, beside the raw limit of the same machine in the same run.
 * Timings never fail a run; counts do (commits per saga, rows per claim), since they do not depend on how busy a machine is.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { measureClaims } from './claims/measure-claims.ts'
import { extentOf } from './extent.ts'
import { measureIdle } from './idle/measure-idle.ts'
import { measureJournal } from './journal/measure-journal.ts'
import { measureLocks } from './locks/measure-locks.ts'
import { describeMachine } from './measuring/machine.ts'
import { type Options, type Part, readOptions, usage } from './options.ts'
import { measurePatterns } from './patterns/measure-patterns.ts'
import type { PatternName } from './patterns/pattern.ts'
import { type BenchRecord, type Figures, peers, settings, together } from './report/record.ts'
import { tablesOf, verdictOf } from './report/table.ts'
import { judge } from './report/targets.ts'
import { openStores, type Stores } from './setting/stores.ts'
import { measureUndecided } from './undecided/measure-undecided.ts'

const date = new Date().toISOString().slice(0, 10)
const options = optionsOrExit(join(import.meta.dirname, 'results', `${date}-${availableParallelism()}-cores.json`))
const stores = await openStores(options.stores)
try {
  const record = await measure(stores, options)
  show(record, options)
  const isWrong = record.targets.some(({ kind, met }) => kind === 'count' && !met)
  process.exitCode = isWrong ? 1 : 0
} finally {
  await stores.close()
}

function optionsOrExit(defaultOut: string): Options {
  try {
    return readOptions(process.argv.slice(2), defaultOut)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}

async function measure(stores: Stores, options: Options): Promise<BenchRecord> {
  const { parts, quick, profile } = options
  const machine = describeMachine(stores.postgres?.version ?? null)
  const flags = profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profile)}`]
  const extent = extentOf(options)
  const patterns = (...names: PatternName[]) => measurePatterns(stores, names, { ...extent.load, flags })
  const ways: { readonly [part in Part]: () => Promise<Figures> } = {
    journal: async () => ({ journal: await measureJournal(stores, extent.journal) }),
    saga: () => patterns('saga'),
    tcc: () => patterns('tcc'),
    message: () => patterns('message-1', 'message-2'),
    undecided: async () => ({ undecided: await measureUndecided(stores, extent.undecided) }),
    claims: async () => ({ claims: await measureClaims(stores, extent.claims) }),
    idle: async () => ({ idle: await measureIdle(stores, extent.idle) }),
    locks: async () => ({ locks: await measureLocks(extent.locks) }),
  }
  let figures: Figures = {}
  for (const part of parts) {
    console.error(`bench: ${part} …`)
    figures = together(figures, await ways[part]())
  }
  return { date, quick, extent, machine, settings, peers, ...figures, targets: judge(figures) }
}

function show(record: BenchRecord, { out, json }: Options): void {
  const text = JSON.stringify(record, null, 1)
  console.log(json ? text : `\n${tablesOf(record)}\n`)
  if (out !== null) {
    mkdirSync(dirname(resolve(out)), { recursive: true })
    writeFileSync(out, `${text}\n`)
  }
  console.error(`bench: ${verdictOf(record)}${out === null ? '' : ` Record: ${relative(process.cwd(), out)}`}`)
}
