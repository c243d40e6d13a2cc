import type { Stretch } from '../undecided/measure-undecided.ts'
import { locksTables } from './locks-tables.ts'
import { shown, titled } from './plain-table.ts'
import type { BenchRecord, Figures } from './record.ts'

export function tablesOf(record: BenchRecord): string {
  const { machine, targets } = record
  const postgres = machine.postgres === null ? 'no PostgreSQL' : `PostgreSQL ${machine.postgres}`
  const head = `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, ${postgres}; load before ${machine.loadBefore}`
  const verdicts = targets.map(({ target, met, value }) => `  target ${met ? 'met   ' : 'MISSED'}  ${target}: ${value}`)
  const tables = [
    journalTable(record),
    aloneTable(record),
    inProcessTable(record),
    httpTable(record),
    decidedTable(record),
    undecidedTable(record),
    claimsTable(record),
    idleTable(record),
    ...locksTables(record),
  ]
  return [head, ...tables, verdicts.join('\n')].filter((text) => text !== '').join('\n\n')
}

export function verdictOf({ targets }: BenchRecord): string {
  const missed = targets.filter(({ met }) => !met)
  return missed.length === 0
    ? `All ${targets.length} targets met.`
    : `${missed.length} of ${targets.length} targets missed.`
}

function journalTable({ journal = [] }: Figures): string {
  const rows = journal.map(({ store, write, raw, plain, journal: ours, ratio, ratioToPlain }) => {
    return [`${store} ${write}`, shown(ours), shown(raw), ratio, shown(plain), ratioToPlain]
  })
  return titled(
    'Journal, 256 writers, rows/s',
    ['', 'journal', 'raw, same table', 'ratio', 'raw, key and text', 'ratio'],
    rows,
  )
}

function aloneTable({ alone = [] }: Figures): string {
  const rows = alone.map(({ pattern, store, waited, local, all }) => [`${pattern}, ${store}`, waited, local, all])
  const head = ['', 'waited for', 'local', 'until the end']
  return titled('Durable commits of a transaction alone, the most that were counted', head, rows)
}

function inProcessTable({ inProcess = [] }: Figures): string {
  const rows = inProcess.map((one) => {
    const { pattern, store, participants, inFlight, perSecond, p50Ms, p99Ms, cpuMs, commits } = one
    const cells = [inFlight, shown(perSecond), p50Ms.median, p99Ms.median, cpuMs.median, commits]
    return [`${pattern}, ${store}, barrier ${participants}`, ...cells]
  })
  const head = ['', 'in flight', 'per s', 'p50 ms', 'p99 ms', 'CPU ms', 'commits']
  return titled('In process, until the end', head, rows)
}

function httpTable({ http = [] }: Figures): string {
  const rows = http.map(({ pattern, client, store, inFlight, perSecond, p50Ms, p99Ms, cpuMs, ...rest }) => {
    const { coordinator, initiators, participants, postgres } = cpuMs
    const cpu = [coordinator.median, postgres?.median ?? '-', initiators.median, participants.median]
    const writes = [rest.rowWrites ?? '-', rest.commits]
    const limits = [shown(rest.bareHttp), rest.ratioToBareHttp, shown(rest.rawStore), rest.ratioToRawStore]
    const name = `${pattern}, ${store}${client === 'library' ? ', connect' : ''}`
    return [name, inFlight, shown(perSecond), p50Ms.median, p99Ms.median, ...cpu, ...writes, ...limits]
  })
  const cpuHeads = ['CPU ms coord.', 'server', 'initiators', 'particip.']
  const limitHeads = ['bare HTTP/s', 'ratio', 'raw store/s', 'ratio']
  const head = ['', 'in flight', 'per s', 'p50 ms', 'p99 ms', ...cpuHeads, 'row writes', 'commits', ...limitHeads]
  return titled('Over HTTP, until the end', head, rows)
}

function decidedTable({ http = [] }: Figures): string {
  const rows = http.flatMap(({ pattern, client, store, inFlight, decided }) => {
    if (decided === null) return []
    const { perSecond, p50Ms, p99Ms, leftBehind } = decided
    const name = `${pattern}, ${store}${client === 'library' ? ', connect' : ''}`
    return [[name, inFlight, shown(perSecond), p50Ms.median, p99Ms.median, leftBehind.max]]
  })
  const head = ['', 'in flight', 'per s', 'p50 ms', 'p99 ms', 'left behind']
  return titled('Over HTTP, until the decision is answered', head, rows)
}

function undecidedTable({ undecided = [] }: Figures): string {
  const rows = undecided.flatMap(({ store, messages, first, down, recovery }) => {
    const row = (when: string, one: Stretch) => {
      const cpu = [one.cpuPercent, one.postgresCpuPercent ?? '-']
      const { first, last, highest } = one.residentMib
      return [`${store}, ${when}`, one.seconds, one.checks, one.rowWrites, one.commits, ...cpu, first, last, highest]
    }
    const { firstDecidedAfterSeconds, decidedAfterSeconds, decidedPerSecond, finalAfterSeconds, complete } = recovery
    const through = complete ? `all final after ${finalAfterSeconds} s` : `NOT all final after ${finalAfterSeconds} s`
    const words = `the first of ${messages} decided after ${firstDecidedAfterSeconds} s, the last after ${decidedAfterSeconds} s, ${decidedPerSecond}/s; ${through}`
    return [row('met first', first), row('down', down), row(`back: ${words}`, recovery)]
  })
  const head = [
    '',
    'seconds',
    'checks/s',
    'row writes/s',
    'commits/s',
    'CPU %',
    'server %',
    'MiB first',
    'last',
    'highest',
  ]
  return titled('A crowd of undecided messages', head, rows)
}

function claimsTable({ claims = [] }: Figures): string {
  const rows = claims.map(({ store, stored, rowsRead, pagesRead, claimMs, idleClaimMs, byIndex }) => {
    return [store, stored, rowsRead ?? '-', pagesRead ?? '-', claimMs, idleClaimMs ?? '-', byIndex ? 'yes' : 'NO']
  })
  return titled('A claim', ['', 'stored', 'rows read', 'pages', 'ms', 'ms, nothing due', 'by index'], rows)
}

function idleTable({ idle }: Figures): string {
  if (idle === undefined) return ''
  const { startMib, sagas, afterSagasMib, parked, idleCpuPercent, idleMib } = idle
  return [
    'Idle, lockstep serve on SQLite',
    `  ${startMib} MiB after the start, ${afterSagasMib} MiB after ${sagas} sagas`,
    `  with ${parked} parked: ${idleCpuPercent} % of a core, ${idleMib} MiB`,
  ].join('\n')
}
