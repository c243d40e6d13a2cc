import type { Spread } from '../measuring/spread.ts'
import type { BenchRecord, Figures } from './record.ts'

type Row = readonly (string | number)[]

export function tablesOf(record: BenchRecord): string {
  const { machine, targets } = record
  const postgres = machine.postgres === null ? 'no PostgreSQL' : `PostgreSQL ${machine.postgres}`
  const head = `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, ${postgres}; load before ${machine.loadBefore}`
  const verdicts = targets.map(({ target, met, value }) => `  target ${met ? 'met   ' : 'MISSED'}  ${target}: ${value}`)
  const tables = [
    journalTable(record),
    inProcessTable(record),
    httpTable(record),
    claimsTable(record),
    idleTable(record),
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

function inProcessTable({ inProcess = [] }: Figures): string {
  const rows = inProcess.map((one) => {
    const { store, participants, inFlight, perSecond, p50Ms, p99Ms, cpuMsPerSaga, commitsPerSaga } = one
    const cells = [inFlight, shown(perSecond), p50Ms.median, p99Ms.median, cpuMsPerSaga.median, commitsPerSaga]
    return [`${store}, barrier ${participants}`, ...cells]
  })
  return titled(
    'Saga of two steps in process',
    ['', 'in flight', 'sagas/s', 'p50 ms', 'p99 ms', 'CPU ms', 'commits'],
    rows,
  )
}

function httpTable({ http = [] }: Figures): string {
  const rows = http.map(({ store, inFlight, perSecond, p50Ms, p99Ms, cpuMsPerSaga, ...rest }) => {
    const { coordinator, driver, business, postgres } = cpuMsPerSaga
    const cpu = [coordinator.median, postgres?.median ?? '-', driver.median, business.median]
    const bare = [shown(rest.barePerSecond), rest.ratioToBare]
    return [
      store,
      inFlight,
      shown(perSecond),
      p50Ms.median,
      p99Ms.median,
      ...cpu,
      rest.rowWritesPerSaga,
      rest.commitsPerSaga ?? '-',
      ...bare,
    ]
  })
  const cpuHeads = ['CPU ms coord.', 'server', 'driver', 'business']
  const head = [
    '',
    'in flight',
    'sagas/s',
    'p50 ms',
    'p99 ms',
    ...cpuHeads,
    'row writes',
    'commits',
    'bare HTTP/s',
    'ratio',
  ]
  return titled('Saga of two steps over HTTP', head, rows)
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

function titled(title: string, head: Row, rows: readonly Row[]): string {
  return rows.length === 0 ? '' : `${title}\n${aligned([head, ...rows])}`
}

function aligned(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)))
  const line = (row: Row) => row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  ')
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join('\n')
}

function pad(cell: string | number, width: number, column: number): string {
  return column === 0 ? String(cell).padEnd(width) : String(cell).padStart(width)
}

function shown({ median, min, max }: Spread): string {
  return min === max ? `${median}` : `${median} (${min}-${max})`
}
