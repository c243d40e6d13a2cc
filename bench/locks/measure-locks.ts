import {
  type Contestant,
  contested,
  onEtcd,
  onMasters,
  onPostgres,
  onZooKeeper,
  uncontended,
  zookeeperClients,
} from './contestants.ts'
import type { ContestFigures, CyclesFigures, HeldFigures, LockService, LocksFigures } from './figures.ts'
import { type ContestPlan, measureContests } from './measure-contests.ts'
import { type CyclesPlan, type HeldPlan, measureCycles, measureHeld } from './measure-cycles.ts'
import { installPeers, noPeers, type Peers } from './peers.ts'
import { type Service, serviceSettings, startService } from './services.ts'

export interface LocksExtent {
  /** Without peers nothing is installed. */
  readonly peers: boolean
  readonly cycles: CyclesPlan
  readonly held: HeldPlan
  readonly bursts: ContestPlan
  readonly hot: readonly ContestPlan[]
  /** Of all services but Redis. */
  readonly elsewhere: { readonly cycles: CyclesPlan; readonly burst: ContestPlan; readonly hot: ContestPlan }
}

/** What one service is measured for. */
interface Measured {
  readonly cycles?: readonly CyclesFigures[]
  readonly contests?: readonly ContestFigures[]
  readonly held?: HeldFigures
}

export async function measureLocks(extent: LocksExtent): Promise<LocksFigures> {
  const peers = extent.peers ? await installPeers() : noPeers('A short run has no peers.')
  const measures = measuresOf(extent, peers)
  const leftOut = [...peers.leftOut]
  const all: Measured[] = []
  for (const kind of Object.keys(measures) as LockService[]) {
    const service = await startService(kind)
    if (service === null) leftOut.push(`There is no server for ${kind} here.`)
    else {
      console.error(`bench: locks, ${kind} …`)
      all.push(await measures[kind](service).finally(() => service.stop()))
    }
  }
  return {
    cycles: all.flatMap(({ cycles = [] }) => cycles),
    contests: all.flatMap(({ contests = [] }) => contests),
    held: all.find(({ held }) => held !== undefined)?.held ?? null,
    services: serviceSettings,
    leftOut,
  }
}

function measuresOf(
  extent: LocksExtent,
  peers: Peers,
): { readonly [kind in LockService]: (service: Service) => Promise<Measured> } {
  const { elsewhere } = extent
  const here = (contestants: readonly Contestant[]) => contestants.filter((one) => peers.has(one))
  const inTurn = async (service: Service, contestants: readonly Contestant[], plans: readonly ContestPlan[]) => {
    const contests: ContestFigures[] = []
    for (const plan of plans) contests.push(...(await measureContests(service, here(contestants), plan)))
    return contests
  }
  return {
    redis: async (service) => ({
      cycles: await measureCycles(service, here(uncontended), extent.cycles),
      held: await measureHeld(service, extent.held),
      contests: await inTurn(service, contested, [extent.bursts, ...extent.hot]),
    }),
    masters: async (service) => ({
      cycles: await measureCycles(service, here(onMasters), elsewhere.cycles),
      contests: await inTurn(service, onMasters, [elsewhere.hot]),
    }),
    zookeeper: async (service) => ({
      cycles: [
        ...(await measureCycles(service, here(zookeeperClients), elsewhere.cycles)),
        ...(await measureCycles(service, here(onZooKeeper), elsewhere.cycles)),
      ],
      contests: await inTurn(service, onZooKeeper, [elsewhere.burst, elsewhere.hot]),
    }),
    etcd: async (service) => ({
      cycles: await measureCycles(service, here(onEtcd), elsewhere.cycles),
      contests: await inTurn(service, onEtcd, [elsewhere.burst, elsewhere.hot]),
    }),
    postgres: async (service) => ({
      cycles: await measureCycles(service, onPostgres, elsewhere.cycles),
      contests: await inTurn(service, onPostgres, [elsewhere.burst]),
    }),
  }
}
