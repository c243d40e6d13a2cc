import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePorts } from './service-process.ts'
import { type StartedMember, startMember, type ZooKeeperMember } from './zookeeper-member.ts'
import { zookeeperPrograms } from './zookeeper-programs.ts'

export type { ZooKeeperMember, ZooKeeperMode } from './zookeeper-member.ts'

export interface RunningZooKeeper {
  /** `host:port` of every member, with commas. */
  readonly servers: string
  /** False for servers of the user's, named by LOCKSTEP_TEST_ZOOKEEPER_URL: nobody kills those. */
  readonly isPrivate: boolean
  /** Empty for servers of the user's. */
  readonly members: readonly ZooKeeperMember[]
  /** The member that leads now, or serves alone; waits for an election. */
  leader(): Promise<ZooKeeperMember>
  stop(): Promise<void>
}

export interface ZooKeeperLaunch {
  /** One serves alone; three are an ensemble, which outlives one of them. */
  readonly members?: 1 | 3
  /** Off makes tests faster; never turn it off where durability is what is tested. */
  readonly fsync?: boolean
  /** Further lines of `zoo.cfg`, such as `tickTime`. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Such as `-Dznode.container.checkIntervalMs=500`, for what `zoo.cfg` cannot say. */
  readonly javaOptions?: readonly string[]
  /** True where the test kills or configures a server: servers of the user's are then not used. */
  readonly private?: boolean
}

export type ZooKeeperAvailability =
  | { readonly available: true }
  | { readonly available: false; readonly reason: string }

const electionLimitMs = 60_000

/** Whether tests can have a ZooKeeper here. */
export function zookeeperAvailable(): ZooKeeperAvailability {
  if (givenServers() !== undefined) return { available: true }
  const programs = zookeeperPrograms()
  return 'reason' in programs ? { available: false, reason: programs.reason } : { available: true }
}

/**
 * Whether the tests that need ZooKeeper run. Without it they are skipped, and the reason is printed; with
 * LOCKSTEP_TEST_REQUIRE=all, as in CI, that is a failure.
 */
export function testsWithZooKeeper(): boolean {
  const found = zookeeperAvailable()
  if (found.available) return true
  if (process.env['LOCKSTEP_TEST_REQUIRE'] === 'all') throw new Error(found.reason)
  process.stderr.write(`Skipped, for want of ZooKeeper: ${found.reason}\n`)
  return false
}

/**
 * Starts a ZooKeeper for this test alone, in a temporary directory and on free ports. It ends with this process.
 *
 * With LOCKSTEP_TEST_ZOOKEEPER_URL (`host:port,host:port`) the servers named there are used instead, unless `private` is asked for.
 */
export async function startZooKeeper(launch: ZooKeeperLaunch = {}): Promise<RunningZooKeeper> {
  const given = givenServers()
  if (given !== undefined && launch.private !== true) return givenEnsemble(given)
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-zookeeper-'))
  const members = await startMembers(directory, launch)
  return {
    servers: members.map(({ address }) => address).join(','),
    isPrivate: true,
    members,
    leader: () => leaderOf(members),
    async stop() {
      await Promise.all(members.map((member) => member.kill()))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function startMembers(directory: string, launch: ZooKeeperLaunch): Promise<StartedMember[]> {
  const programs = zookeeperPrograms()
  if ('reason' in programs) throw new Error(programs.reason)
  const { members: count = 1, settings = {}, javaOptions = [], fsync = true } = launch
  const ports = await freePorts(count * 3)
  const portOf = (use: 0 | 1 | 2, index: number): number => ports[use * count + index] ?? 0
  const indices = Array.from({ length: count }, (_, index) => index)
  const peers = indices.map((index) => `server.${index + 1}=127.0.0.1:${portOf(1, index)}:${portOf(2, index)}`)
  const members = indices.map((index) => {
    const home = join(directory, `member-${index + 1}`)
    mkdirSync(home)
    const place = { id: index + 1, directory: home, clientPort: portOf(0, index), peers: count === 1 ? [] : peers }
    return startMember({ ...place, programs, settings, javaOptions, fsync })
  })
  try {
    await Promise.all(members.map((member) => member.ready()))
    return members
  } catch (error) {
    await Promise.all(members.map((member) => member.kill()))
    throw error
  }
}

async function leaderOf(members: readonly ZooKeeperMember[]): Promise<ZooKeeperMember> {
  const until = Date.now() + electionLimitMs
  while (Date.now() < until) {
    const modes = await Promise.all(members.map((member) => member.mode()))
    const leader = members.find((_, index) => modes[index] === 'leader' || modes[index] === 'standalone')
    if (leader !== undefined) return leader
    await pause(25)
  }
  throw new Error(`No member of the ensemble leads after ${electionLimitMs} ms.`)
}

function givenServers(): string | undefined {
  return process.env['LOCKSTEP_TEST_ZOOKEEPER_URL'] || undefined
}

function givenEnsemble(servers: string): RunningZooKeeper {
  return {
    servers,
    isPrivate: false,
    members: [],
    leader: async () => {
      throw new Error('Servers named by LOCKSTEP_TEST_ZOOKEEPER_URL are nobody to be killed: ask for a private one.')
    },
    stop: async () => {},
  }
}
