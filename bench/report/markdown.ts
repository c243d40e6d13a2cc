/** The figures of one record as the tables of docs/performance.md, so that no number there is typed by hand. */
import type { Spread } from '../measuring/spread.ts'
import type { HttpFigures } from '../patterns/measure-http.ts'
import type { InProcessFigures } from '../patterns/measure-in-process.ts'
import type { PatternName } from '../patterns/pattern.ts'
import { patternOf } from '../patterns/patterns.ts'
import type { StoreKind } from '../setting/stores.ts'
import type { Stretch } from '../undecided/measure-undecided.ts'
import { locksBlocks } from './locks-markdown.ts'
import { type Cell, shown, table, whole } from './markdown-table.ts'
import type { BenchRecord, Figures } from './record.ts'

/** By the name that the document gives a block. Empty where the record has no such figures: that block stays as it is. */
export const blocks: { readonly [name: string]: (record: BenchRecord, file: string) => string } = {
  journal: (record, file) => dated(record, file, journalTable(record)),
  saga: (record, file) => dated(record, file, patternTables(record, 'saga')),
  tcc: (record, file) => dated(record, file, patternTables(record, 'tcc')),
  message: (record, file) =>
    dated(record, file, [...patternTables(record, 'message-1'), ...patternTables(record, 'message-2')]),
  alone: (record, file) => dated(record, file, aloneTable(record)),
  undecided: (record, file) => dated(record, file, undecidedTables(record)),
  claims: (record, file) => dated(record, file, claimsTable(record)),
  locks: (record, file) => dated(record, file, locksBlocks(record)),
}

/** Where the figures come from, and how far they can be believed. */
function dated({ machine, quick, extent }: BenchRecord, file: string, tables: readonly string[]): string {
  if (tables.length === 0) return ''
  const { runs, seconds } = extent.load
  const short = quick || runs < 3 || seconds < 2 || machine.loadBefore > machine.cores
  const warning = short ? ' **A short run, or a busy machine: the counts are exact, the rates are no record.**' : ''
  const where = `${machine.cores} cores, load ${machine.loadBefore} before the run, Node ${machine.node}, PostgreSQL ${machine.postgres ?? '–'}`
  return [`From [${file}](../${file}): ${where}.${warning}`, ...tables].join('\n\n')
}

function journalTable({ journal = [] }: Figures): string[] {
  const rows = journal.map(({ store, write, journal: ours, raw, ratio, plain, ratioToPlain }) => {
    const [name, against] = [`${storeName(store)}, ${write}`, shown(plain)]
    return [name, shown(ours), shown(raw), ratio, against, ratioToPlain]
  })
  return table(['rows/s', 'journal', 'raw', 'ratio', 'a table of a key and a text', 'ratio'], rows)
}

function patternTables({ http = [], inProcess = [] }: Figures, name: PatternName): string[] {
  const overHttp = http.filter(({ pattern }) => pattern === name)
  const inside = inProcess.filter(({ pattern }) => pattern === name)
  if (overHttp.length === 0) return []
  const { title, untils } = patternOf(name)
  const isDecidedFirst = untils.includes('decided')
  const decidedHeads = isDecidedFirst ? ['decided', 'p50, p99'] : []
  const head = ['in flight', 'per second', 'p50, p99', ...decidedHeads, 'CPU', 'commits', 'bare HTTP', 'raw store']
  return [
    `${title[0]?.toUpperCase()}${title.slice(1)}, over HTTP:`,
    ...table(
      ['', ...head],
      overHttp.map((one) => httpRow(one, isDecidedFirst)),
    ),
    'In process:',
    ...table(['', 'in flight', 'per second', 'p50, p99', 'CPU', 'commits'], inside.map(inProcessRow)),
  ]
}

function httpRow(one: HttpFigures, isDecidedFirst: boolean): Cell[] {
  const { store, client, inFlight, perSecond, p50Ms, p99Ms, decided, cpuMs, commits } = one
  const server = cpuMs.postgres === null ? '' : ` + ${cpuMs.postgres.median}`
  const ofDecided =
    decided === null ? ['–', '–'] : [`${shown(decided.perSecond)}/s`, latencies(decided.p50Ms, decided.p99Ms)]
  return [
    `${storeName(store)}${client === 'library' ? ', `connect`' : ''}`,
    inFlight,
    `${shown(perSecond)}/s`,
    latencies(p50Ms, p99Ms),
    ...(isDecidedFirst ? ofDecided : []),
    `${cpuMs.coordinator.median}${server} ms`,
    commits,
    `${shown(one.bareHttp)}/s, ${one.ratioToBareHttp}`,
    `${shown(one.rawStore)}/s, ${one.ratioToRawStore}`,
  ]
}

function inProcessRow({ store, participants, inFlight, perSecond, p50Ms, p99Ms, cpuMs, commits }: InProcessFigures) {
  const variants = { declared: '', none: ', no barrier', sqlite: ', real participants' }
  const name = `${storeName(store)}${variants[participants]}`
  return [name, inFlight, `${shown(perSecond)}/s`, latencies(p50Ms, p99Ms), `${cpuMs.median} ms`, commits]
}

function aloneTable({ alone = [] }: Figures): string[] {
  const rows = alone.map(({ pattern, store, waited, local, all }) => {
    return [patternOf(pattern).title, storeName(store), waited, local, all]
  })
  return table(['', 'store', 'waited for', "the initiator's own", 'until the end'], rows)
}

function undecidedTables({ undecided = [] }: Figures): string[] {
  const costs = undecided.flatMap(({ store, messages, first, down, recovery }) => {
    const name = `${storeName(store)}, ${whole(messages)}`
    return [
      stretchRow(`${name}: met for the first time`, first),
      stretchRow(`${name}: producer down`, down),
      stretchRow(`${name}: producer back`, recovery),
    ]
  })
  const heads = ['', 'seconds', 'checks/s', 'row writes/s', 'commits/s', 'CPU', 'MiB, first to last quarter (highest)']
  const returns = undecided.map(({ store, messages, recovery }) => {
    const { firstDecidedAfterSeconds, decidedAfterSeconds, decidedPerSecond, complete } = recovery
    const last = complete ? `${decidedAfterSeconds} s` : 'not all in the time given'
    return [storeName(store), whole(messages), `${firstDecidedAfterSeconds} s`, last, `${whole(decidedPerSecond)}/s`]
  })
  return [
    ...table(heads, costs),
    ...table(['producer back', 'messages', 'first decided after', 'last decided after', 'decided'], returns),
  ]
}

function stretchRow(name: string, stretch: Stretch): Cell[] {
  const { seconds, checks, rowWrites, commits, cpuPercent, postgresCpuPercent, residentMib } = stretch
  const cpu = postgresCpuPercent === null ? `${cpuPercent} %` : `${cpuPercent} % + ${postgresCpuPercent} %`
  const { first, last, highest } = residentMib
  return [name, seconds, checks, whole(rowWrites), commits, cpu, `${first} to ${last} (${highest})`]
}

function claimsTable({ claims = [] }: Figures): string[] {
  const rows = claims.map(({ store, stored, rowsRead, claimMs, idleClaimMs }) => {
    return [storeName(store), whole(stored), rowsRead ?? 'through the due indexes only', claimMs, idleClaimMs]
  })
  return table(['', 'stored', 'rows a claim of 100 reads', 'ms', 'ms, nothing due'], rows)
}

function storeName(store: StoreKind): string {
  return store === 'sqlite' ? 'SQLite' : 'PostgreSQL'
}

function latencies(p50: Spread, p99: Spread): string {
  return `${p50.median}, ${p99.median} ms`
}
