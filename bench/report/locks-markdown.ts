/** The block `locks` of docs/performance.md. */
import type { ContestFigures, CyclesFigures, HeldFigures, LockService } from '../locks/figures.ts'
import { judgeLocks } from './locks-targets.ts'
import { type Cell, shown, table } from './markdown-table.ts'
import type { Figures } from './record.ts'

export function locksBlocks({ locks }: Figures): string[] {
  if (locks === undefined) return []
  const cyclesOf = (service: LockService) => cyclesTable(locks.cycles.filter((one) => one.service === service))
  const contestsOf = (service: LockService) => contestTable(locks.contests.filter((one) => one.service === service))
  return [
    `**One Redis** (${locks.services['redis']}). Nobody else wants the name:`,
    ...cyclesOf('redis'),
    ...(locks.held === null ? [] : [heldSentence(locks.held)]),
    'Many want one name:',
    ...contestsOf('redis'),
    `**RedLock** (${locks.services['masters']}):`,
    ...cyclesOf('masters'),
    ...contestsOf('masters'),
    `**ZooKeeper** (${locks.services['zookeeper']}). The lines of clients create and delete an ephemeral node; the others lock and release:`,
    ...cyclesOf('zookeeper'),
    ...contestsOf('zookeeper'),
    `**etcd** (${locks.services['etcd']}):`,
    ...cyclesOf('etcd'),
    ...contestsOf('etcd'),
    `**PostgreSQL** (${locks.services['postgres']}), without a peer:`,
    ...cyclesOf('postgres'),
    ...contestsOf('postgres'),
    ...(locks.leftOut.length === 0 ? [] : [`Left out: ${locks.leftOut.join(' ')}`]),
    targetsSentence({ locks }),
  ]
}

function targetsSentence(figures: Figures): string {
  const targets = judgeLocks(figures)
  const missed = targets.filter(({ met }) => !met).map(({ target, value }) => `${target} (${value})`)
  const met = `${targets.length - missed.length} of ${targets.length} targets met.`
  return missed.length === 0 ? met : `${met} Missed: ${missed.join('; ')}.`
}

function cyclesTable(figures: readonly CyclesFigures[]): string[] {
  const rows = figures.map(({ contestant, inFlight, perSecond, against, cpuMicros, server }): Cell[] => {
    const ratio = against === null ? null : `${against.ratio.median} of ${against.contestant}`
    const spent = server === null ? null : `${server.requestMicros.median}, ${server.cpuMicros.median}`
    return [contestant, inFlight, `${shown(perSecond)}/s`, ratio, cpuMicros.median, spent]
  })
  const head = ['', 'in flight', 'cycles', 'ratio', 'client CPU µs', 'server µs, in requests and in all']
  return table(
    withoutLast(head, rows),
    rows.map((row) => withoutLast(row, rows)),
  )
}

/** The server's account is left out where no server gives one. */
function withoutLast<Item>(row: readonly Item[], rows: readonly (readonly Cell[])[]): readonly Item[] {
  return rows.every((one) => one.at(-1) === null) ? row.slice(0, -1) : row
}

function contestTable(figures: readonly ContestFigures[]): string[] {
  const rows = figures.map((one): Cell[] => [
    `${one.contestant}, ${one.kind} of ${one.waiters}`,
    `${shown(one.perSecond)}/s`,
    `${one.handOffP50Ms.median}, ${one.handOffP99Ms.median} ms`,
    one.requestsPerGrant?.median ?? null,
    `${one.retakenPercent.median} %`,
    one.neverServed.max,
    one.maxToMedianWait.median,
    `${Math.round(one.longestGapMs.max)} ms`,
    `${one.register.overlaps}, ${one.register.violations}`,
  ])
  const head = ['', 'acquisitions', 'hand-off p50, p99', 'requests each', 're-taken', 'never served', 'max/median wait']
  return table([...head, 'longest gap', 'overlaps, violations'], rows)
}

function heldSentence(held: HeldFigures): string {
  const { leases, restCpuPercent, restScriptsPerSecond, ratio } = held
  return `${leases.toLocaleString('en-US')} leases that are held and renewed take ${restCpuPercent.median} % of a core and ${restScriptsPerSecond.median} scripts a second by themselves, and leave ${ratio.median} of the cycles with 64 in flight.`
}
