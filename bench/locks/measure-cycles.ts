/** Nobody else wants the name: what a lock costs by itself, held against the raw client of the same round. */
import { type Spread, spread } from '../measuring/spread.ts'
import { type Contestant, uncontended } from './contestants.ts'
import type { CyclesFigures, HeldFigures } from './figures.ts'
import { startLockProcess } from './lock-processes.ts'
import type { LockProcess } from './measured-process.ts'
import { redisUse, usedBetween } from './redis-use.ts'
import type { Service } from './services.ts'
import type { Cycles } from './work.ts'

export interface CyclesPlan {
  readonly inFlight: readonly number[]
  readonly rounds: number
  readonly seconds: number
}

interface Measured {
  readonly contestant: Contestant
  readonly inFlight: number
  readonly round: number
  readonly cycles: Cycles
  readonly server: { readonly requestMicros: number; readonly cpuMs: number } | null
}

/** Runs on code that is not compiled yet would say something about the compiler. */
const warmUpSeconds = 0.4

/** By the name of the one that is held against another. */
const against: Readonly<Record<string, string>> = {
  'Lockstep, ioredis': 'raw ioredis',
  'Lockstep, node-redis': 'raw node-redis',
  '@lockstep/zookeeper': 'zookeeper 7.3.0 (native)',
}

/** All take their turns in every round, so that what else the machine does meets all of them. */
export async function measureCycles(
  service: Service,
  contestants: readonly Contestant[],
  plan: CyclesPlan,
): Promise<CyclesFigures[]> {
  const opened = await Promise.all(
    contestants.map(async (contestant) => ({ contestant, process: await startLockProcess(contestant, service.ways) })),
  )
  try {
    const measured: Measured[] = []
    for (const inFlight of plan.inFlight)
      for (let round = 0; round < plan.rounds; round++)
        for (const one of opened)
          measured.push(await measureOne(service, one, { inFlight, round, seconds: plan.seconds }))
    return plan.inFlight.flatMap((inFlight) =>
      contestants.map((contestant) =>
        figuresOf(
          service,
          contestant,
          measured.filter((one) => one.inFlight === inFlight),
        ),
      ),
    )
  } finally {
    await Promise.all(opened.map(({ process }) => process.stop()))
  }
}

async function measureOne(
  service: Service,
  { contestant, process }: { readonly contestant: Contestant; readonly process: LockProcess },
  { inFlight, round, seconds }: { readonly inFlight: number; readonly round: number; readonly seconds: number },
): Promise<Measured> {
  const name = nameOf(contestant)
  if (round === 0) await process.cycles({ name, inFlight, seconds: warmUpSeconds })
  const before = await redisUse(service.redis, contestant)
  const cycles = await process.cycles({ name, inFlight, seconds })
  const used = usedBetween(before, await redisUse(service.redis, contestant))
  return { contestant, inFlight, round, cycles, server: service.redis.length === 0 ? null : used }
}

function figuresOf(service: Service, contestant: Contestant, all: readonly Measured[]): CyclesFigures {
  const own = all.filter((one) => one.contestant === contestant)
  const each = (value: (one: Measured) => number): Spread => spread(own.map(value))
  const hasServer = own.every(({ server }) => server !== null)
  const other = all.filter((one) => one.contestant.name === against[contestant.name])
  const ratios = own.flatMap(({ round, cycles }) => {
    const beside = other.find((one) => one.round === round)
    return beside === undefined ? [] : [perSecond(cycles) / perSecond(beside.cycles)]
  })
  return {
    service: service.kind,
    contestant: contestant.name,
    inFlight: own[0]?.inFlight ?? 0,
    perSecond: each(({ cycles }) => perSecond(cycles)),
    against: ratios.length === 0 ? null : { contestant: against[contestant.name] ?? '', ratio: spread(ratios) },
    cpuMicros: each(({ cycles }) => (cycles.cpuMs * 1_000) / cycles.cycles),
    server: hasServer
      ? {
          requestMicros: each(({ server, cycles }) => (server?.requestMicros ?? 0) / cycles.cycles),
          cpuMicros: each(({ server, cycles }) => ((server?.cpuMs ?? 0) * 1_000) / cycles.cycles),
        }
      : null,
  }
}

export interface HeldPlan {
  readonly leases: number
  readonly restSeconds: number
  readonly rounds: number
  readonly seconds: number
}

const heldInFlight = 64

/** Two processes of ours take turns: one holds leases that are renewed by themselves, the other holds none. */
export async function measureHeld(service: Service, plan: HeldPlan): Promise<HeldFigures> {
  const contestant = uncontended.find(({ name }) => name === 'Lockstep, ioredis') as Contestant
  const [holder, other] = await Promise.all([
    startLockProcess(contestant, service.ways),
    startLockProcess(contestant, service.ways),
  ])
  try {
    await holder.keep('kept', plan.leases)
    const options = { name: 'beside', inFlight: heldInFlight }
    for (const process of [holder, other]) await process.cycles({ ...options, seconds: warmUpSeconds })
    const before = await redisUse(service.redis, contestant)
    const rest = await holder.rest(plan.restSeconds)
    const { requests } = usedBetween(before, await redisUse(service.redis, contestant))
    const rounds: { readonly held: number; readonly free: number }[] = []
    for (let round = 0; round < plan.rounds; round++) {
      const free = perSecond(await other.cycles({ ...options, seconds: plan.seconds }))
      rounds.push({ free, held: perSecond(await holder.cycles({ ...options, seconds: plan.seconds })) })
    }
    return {
      leases: plan.leases,
      restCpuPercent: spread([rest.cpuMs / rest.seconds / 10]),
      restScriptsPerSecond: spread([requests / rest.seconds]),
      cyclesPerSecond: spread(rounds.map(({ held }) => held)),
      withoutLeasesPerSecond: spread(rounds.map(({ free }) => free)),
      ratio: spread(rounds.map(({ held, free }) => held / free)),
    }
  } finally {
    await Promise.all([holder.stop(), other.stop()])
  }
}

function perSecond({ cycles, seconds }: Cycles): number {
  return cycles / seconds
}

function nameOf({ name }: Contestant): string {
  return name.replaceAll(/[^A-Za-z0-9]+/g, '-')
}
