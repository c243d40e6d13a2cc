import type { ContestFigures, CyclesFigures, HeldFigures, LockService, LocksFigures } from '../locks/figures.ts'
import type { Spread } from '../measuring/spread.ts'
import { type Row, shown, titled } from './plain-table.ts'
import type { Figures } from './record.ts'

const titles: { readonly [service in LockService]: string } = {
  redis: 'one Redis',
  masters: 'five masters',
  zookeeper: 'ZooKeeper',
  etcd: 'etcd',
  postgres: 'PostgreSQL',
}

export function locksTables({ locks }: Figures): string[] {
  if (locks === undefined) return []
  const services = Object.keys(titles) as LockService[]
  return [
    ...services.flatMap((service) => serviceTables(locks, service)),
    locks.held === null ? '' : heldLines(locks.held),
    locks.leftOut.length === 0 ? '' : `Left out: ${locks.leftOut.join(' ')}`,
  ]
}

function serviceTables(locks: LocksFigures, service: LockService): string[] {
  const cycles = locks.cycles.filter((one) => one.service === service).map(cyclesRow)
  const contests = locks.contests.filter((one) => one.service === service).map(contestRow)
  return [
    titled(`Locks on ${titles[service]}, nobody else wants the name, cycles`, cyclesHead, cycles),
    titled(`Locks on ${titles[service]}, contests, hold 5 ms`, contestHead, contests),
  ]
}

const cyclesHead: Row = ['', 'in flight', 'per s', 'ratio', 'CPU us', 'server request us', 'server CPU us']

function cyclesRow({ contestant, inFlight, perSecond, against, cpuMicros, server }: CyclesFigures): Row {
  const ratio = against === null ? '-' : shown(against.ratio)
  const ofServer = [server?.requestMicros.median ?? '-', server?.cpuMicros.median ?? '-']
  return [contestant, inFlight, shown(perSecond), ratio, shown(cpuMicros), ...ofServer]
}

const contestHead: Row = [
  '',
  'per s',
  'p50 ms',
  'p99 ms',
  'requests',
  'retaken %',
  'unserved',
  'max/median',
  'gap ms',
  'overlaps',
  'violations',
]

function contestRow(one: ContestFigures): Row {
  const { contestant, kind, waiters, register } = one
  return [
    `${contestant}, ${kind} of ${waiters}`,
    shown(one.perSecond),
    one.handOffP50Ms.median,
    one.handOffP99Ms.median,
    one.requestsPerGrant?.median ?? '-',
    one.retakenPercent.median,
    most(one.neverServed),
    one.maxToMedianWait.median,
    most(one.longestGapMs),
    register.overlaps,
    register.violations,
  ]
}

function heldLines(held: HeldFigures): string {
  return [
    `Locks, ${held.leases} leases held and renewed`,
    `  at rest: ${held.restCpuPercent.median} % of a core, ${held.restScriptsPerSecond.median} scripts/s`,
    `  64 in flight beside them: ${shown(held.cyclesPerSecond)}/s, without them ${shown(held.withoutLeasesPerSecond)}/s, ratio ${shown(held.ratio)}`,
  ].join('\n')
}

function most({ max }: Spread): number {
  return max
}
