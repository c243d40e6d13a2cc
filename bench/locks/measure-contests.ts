/** Many want one name: how fast it goes from hand to hand, who gets it, and who does not. */
import { median, percentile, type Spread, spread } from '../measuring/spread.ts'
import type { Contestant } from './contestants.ts'
import { type RegisterFigures, replay } from './fencing-register.ts'
import type { ContestFigures } from './figures.ts'
import { type Account, type History, handOffsMs, historyOf, longestGapMs, machineMs, retakenShare } from './history.ts'
import { startLockProcess } from './lock-processes.ts'
import type { LockProcess } from './measured-process.ts'
import { redisUse, usedBetween } from './redis-use.ts'
import type { Service } from './services.ts'

export interface ContestPlan {
  readonly kind: 'burst' | 'hot'
  /** Of all processes together. */
  readonly waiters: readonly number[]
  readonly rounds: number
  /** A burst that is over earlier ends earlier. */
  readonly seconds: number
}

export const holdMs = 5
const processesOf = { burst: 1, hot: 4 } as const
/** So that all processes have heard of it. */
const startInMs = 80

interface Run {
  readonly history: History
  readonly startedMs: number
  readonly endedMs: number
  readonly neverServed: number
  /** Null where the server does not count them. */
  readonly requests: number | null
}

/** Each run has processes and a name of its own: whoever was not served is still there when the next one begins. */
export async function measureContests(
  service: Service,
  contestants: readonly Contestant[],
  plan: ContestPlan,
): Promise<ContestFigures[]> {
  const figures: ContestFigures[] = []
  for (const waiters of plan.waiters) {
    const runs = new Map<Contestant, Run[]>(contestants.map((contestant) => [contestant, []]))
    for (let round = 0; round < plan.rounds; round++)
      for (const contestant of contestants)
        runs.get(contestant)?.push(await runOnce(service, contestant, plan, waiters))
    for (const contestant of contestants)
      figures.push({
        service: service.kind,
        contestant: contestant.name,
        kind: plan.kind,
        waiters,
        ...figuresOf(runs.get(contestant) ?? []),
      })
  }
  return figures
}

let contests = 0

async function runOnce(service: Service, contestant: Contestant, plan: ContestPlan, waiters: number): Promise<Run> {
  const { kind, seconds } = plan
  const count = processesOf[kind]
  const processes = await Promise.all(Array.from({ length: count }, () => startLockProcess(contestant, service.ways)))
  try {
    contests += 1
    await warmUp(processes, `warm-up-${contests}`)
    const share = waiters / count
    const before = await redisUse(service.redis, contestant)
    const startAtMs = machineMs() + startInMs
    const turns = kind === 'burst' ? ('once' as const) : ('again' as const)
    const options = { name: `contest-${contests}`, waiters: share, holdMs, startAtMs, seconds, turns }
    const accounts = await Promise.all(
      processes.map((process, index) => process.contest({ ...options, firstWaiter: index * share })),
    )
    const { requests } = usedBetween(before, await redisUse(service.redis, contestant))
    return runOf(accounts, { waiters, startedMs: startAtMs, requests: service.redis.length === 0 ? null : requests })
  } finally {
    await Promise.all(processes.map((process) => process.stop()))
  }
}

/** The code is compiled, the connections are open. */
async function warmUp(processes: readonly LockProcess[], name: string): Promise<void> {
  await Promise.all(
    processes.map((process, index) => process.cycles({ name: `${name}-${index}`, inFlight: 4, seconds: 0.2 })),
  )
  const options = { name, waiters: 8, holdMs: 0, startAtMs: machineMs(), seconds: 1, turns: 'once' as const }
  await Promise.all(processes.map((process, index) => process.contest({ ...options, firstWaiter: index * 8 })))
}

function runOf(
  accounts: readonly Account[],
  { waiters, startedMs, requests }: { waiters: number; startedMs: number; requests: number | null },
): Run {
  const history = historyOf(accounts)
  const served = new Set(history.grants.map(({ waiter }) => waiter))
  const endedMs = Math.max(...accounts.map((account) => account.endedMs))
  return { history, startedMs, endedMs, neverServed: waiters - served.size, requests }
}

function figuresOf(runs: readonly Run[]): Omit<ContestFigures, 'service' | 'contestant' | 'kind' | 'waiters'> {
  const each = (value: (run: Run) => number): Spread => spread(runs.map(value))
  const grantsOf = ({ history }: Run): number => history.grants.length
  const hasRequests = runs.every(({ requests }) => requests !== null)
  return {
    perSecond: each((run) => (grantsOf(run) * 1_000) / (run.endedMs - run.startedMs)),
    handOffP50Ms: each(({ history }) => median(handOffsMs(history))),
    handOffP99Ms: each(({ history }) => percentile(handOffsMs(history), 0.99)),
    requestsPerGrant: hasRequests ? each((run) => (run.requests ?? 0) / Math.max(1, grantsOf(run))) : null,
    retakenPercent: each(({ history }) => retakenShare(history) * 100),
    neverServed: each(({ neverServed }) => neverServed),
    maxToMedianWait: each(({ history: { waitsMs } }) => Math.max(...waitsMs) / Math.max(0.001, median(waitsMs))),
    longestGapMs: each(({ history, endedMs }) => longestGapMs(history, endedMs)),
    register: runs.map(({ history }) => replay(history)).reduce(plus, { overlaps: 0, violations: 0, refused: 0 }),
  }
}

function plus(one: RegisterFigures, other: RegisterFigures): RegisterFigures {
  return {
    overlaps: one.overlaps + other.overlaps,
    violations: one.violations + other.violations,
    refused: one.refused + other.refused,
  }
}
