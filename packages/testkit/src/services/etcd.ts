import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type EtcdMember, etcdProgram, type StartedEtcdMember, startEtcdMember } from './etcd-member.ts'
import { freePorts } from './service-process.ts'

export type { EtcdMember } from './etcd-member.ts'

export interface RunningEtcd {
  /** Of every member. */
  readonly endpoints: readonly string[]
  /** False for servers of the user's, named by LOCKSTEP_TEST_ETCD_URL: nobody kills those. */
  readonly isPrivate: boolean
  /** Empty for servers of the user's. */
  readonly members: readonly EtcdMember[]
  /** The member that leads now; waits for an election. */
  leader(): Promise<EtcdMember>
  stop(): Promise<void>
}

export interface EtcdLaunch {
  /** One serves alone; three are a cluster, which outlives one of them. */
  readonly members?: 1 | 3
  /** Further options of the program, such as `--auto-compaction-retention=1`. */
  readonly options?: readonly string[]
  /** True where the test kills or configures a server: servers of the user's are then not used. */
  readonly private?: boolean
}

export type EtcdAvailability = { readonly available: true } | { readonly available: false; readonly reason: string }

const electionLimitMs = 60_000

/** Whether tests can have an etcd here. */
export function etcdAvailable(): EtcdAvailability {
  if (givenEndpoints() !== undefined || etcdProgram() !== null) return { available: true }
  return { available: false, reason: 'No etcd server is installed: there is none on the PATH.' }
}

/**
 * Whether the tests that need etcd run. Without it they are skipped, and the reason is printed; with
 * LOCKSTEP_TEST_REQUIRE=all, as in CI, that is a failure.
 */
export function testsWithEtcd(): boolean {
  const found = etcdAvailable()
  if (found.available) return true
  if (process.env['LOCKSTEP_TEST_REQUIRE'] === 'all') throw new Error(found.reason)
  process.stderr.write(`Skipped, for want of etcd: ${found.reason}\n`)
  return false
}

/**
 * Starts an etcd for this test alone, in a temporary directory and on free ports. It ends with this process.
 *
 * With LOCKSTEP_TEST_ETCD_URL (`http://host:port,…`) the servers named there are used instead, unless `private` is asked for.
 */
export async function startEtcd(launch: EtcdLaunch = {}): Promise<RunningEtcd> {
  const given = givenEndpoints()
  if (given !== undefined && launch.private !== true) return givenCluster(given)
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-etcd-'))
  const members = await startMembers(directory, launch)
  return {
    endpoints: members.map(({ endpoint }) => endpoint),
    isPrivate: true,
    members,
    leader: () => leaderOf(members),
    async stop() {
      await Promise.all(members.map((member) => member.kill()))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function startMembers(directory: string, launch: EtcdLaunch): Promise<StartedEtcdMember[]> {
  const program = etcdProgram()
  if (program === null) throw new Error('No etcd server is installed.')
  const { members: count = 1, options = [] } = launch
  const ports = await freePorts(count * 2)
  const indices = Array.from({ length: count }, (_, index) => index)
  const peerPort = (index: number): number => ports[count + index] ?? 0
  const cluster = indices.map((index) => `member-${index + 1}=http://127.0.0.1:${peerPort(index)}`).join(',')
  const members = indices.map((index) => {
    const home = join(directory, `member-${index + 1}`)
    mkdirSync(home)
    const place = { id: index + 1, directory: home, clientPort: ports[index] ?? 0, peerPort: peerPort(index) }
    return startEtcdMember({ ...place, program, cluster, options })
  })
  try {
    await Promise.all(members.map((member) => member.ready()))
    return members
  } catch (error) {
    await Promise.all(members.map((member) => member.kill()))
    throw error
  }
}

async function leaderOf(members: readonly EtcdMember[]): Promise<EtcdMember> {
  const until = Date.now() + electionLimitMs
  while (Date.now() < until) {
    const leads = await Promise.all(members.map((member) => member.isLeader()))
    const leader = members.find((_, index) => leads[index])
    if (leader !== undefined) return leader
    await pause(25)
  }
  throw new Error(`No member of the cluster leads after ${electionLimitMs} ms.`)
}

function givenEndpoints(): readonly string[] | undefined {
  return process.env['LOCKSTEP_TEST_ETCD_URL']?.split(',')
}

function givenCluster(endpoints: readonly string[]): RunningEtcd {
  return {
    endpoints,
    isPrivate: false,
    members: [],
    leader: async () => {
      throw new Error('Servers named by LOCKSTEP_TEST_ETCD_URL are nobody to be killed: ask for a private one.')
    },
    stop: async () => {},
  }
}
