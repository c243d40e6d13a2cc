import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type RedisMember, type StartedRedis, startRedisMember } from './redis-member.ts'
import { freePorts } from './service-process.ts'

export type { RedisMember } from './redis-member.ts'

export interface RunningRedis {
  /** The first master. */
  readonly url: string
  readonly urls: readonly string[]
  /** False for servers of the user's, named by LOCKSTEP_TEST_REDIS_URL: nobody kills those. */
  readonly isPrivate: boolean
  /** Empty for servers of the user's. */
  readonly members: readonly RedisMember[]
  stop(): Promise<void>
}

export interface RedisLaunch {
  /** Independent of each other; 1 unless given. */
  readonly masters?: number
  /** Off loses everything at a restart. On unless given. */
  readonly appendonly?: boolean
  /** Of the append-only file; `always` unless given. */
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** Makes each of them a replica of that one. */
  readonly replicaOf?: RedisMember
  /** Further settings of `redis.conf`, such as `requirepass`. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** True where the test kills or configures a server: servers of the user's are then not used. */
  readonly private?: boolean
}

export type RedisAvailability = { readonly available: true } | { readonly available: false; readonly reason: string }

/** Whether tests can have a Redis here. */
export function redisAvailable(): RedisAvailability {
  if (givenUrls().length > 0 || redisProgram() !== null) return { available: true }
  return { available: false, reason: 'There is no redis-server on the PATH.' }
}

/**
 * Whether the tests that need Redis run. Without it they are skipped, and the reason is printed; with
 * LOCKSTEP_TEST_REQUIRE=all, as in CI, that is a failure.
 */
export function testsWithRedis(): boolean {
  const found = redisAvailable()
  if (found.available) return true
  if (process.env['LOCKSTEP_TEST_REQUIRE'] === 'all') throw new Error(found.reason)
  process.stderr.write(`Skipped, for want of Redis: ${found.reason}\n`)
  return false
}

/**
 * Starts Redis servers for this test alone, in a temporary directory and on free ports. They end with this process.
 *
 * With LOCKSTEP_TEST_REDIS_URL (`redis://…`, several with commas) the servers named there are used instead, unless `private` is asked for
 * or there are too few of them.
 */
export async function startRedis(launch: RedisLaunch = {}): Promise<RunningRedis> {
  const { masters = 1 } = launch
  const given = givenUrls()
  if (given.length >= masters && launch.private !== true) return givenServers(given.slice(0, masters))
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-redis-'))
  const members = await startMembers(directory, launch, masters)
  const urls = members.map(({ url }) => url)
  return {
    url: urls[0] ?? '',
    urls,
    isPrivate: true,
    members,
    async stop() {
      await Promise.all(members.map((member) => member.kill()))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function startMembers(directory: string, launch: RedisLaunch, count: number): Promise<StartedRedis[]> {
  const command = redisProgram()
  if (command === null) throw new Error('There is no redis-server on the PATH.')
  const ports = await freePorts(count)
  const settings = settingsOf(launch)
  const members = ports.map((port) =>
    startRedisMember({ command, directory: join(directory, String(port)), port, settings }),
  )
  try {
    await Promise.all(members.map((member) => member.ready()))
    return members
  } catch (error) {
    await Promise.all(members.map((member) => member.kill()))
    throw error
  }
}

function settingsOf({ appendonly = true, appendfsync = 'always', replicaOf, settings }: RedisLaunch) {
  return {
    appendonly: appendonly ? 'yes' : 'no',
    appendfsync,
    'protected-mode': 'no',
    'maxmemory-policy': 'noeviction',
    // A replica would otherwise wait five seconds for companions.
    'repl-diskless-sync-delay': 0,
    'repl-ping-replica-period': 1,
    ...(replicaOf && { replicaof: `127.0.0.1 ${replicaOf.port}` }),
    ...settings,
  }
}

function redisProgram(): string | null {
  const found = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'redis-server'))
  return found.find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function givenUrls(): string[] {
  return (process.env['LOCKSTEP_TEST_REDIS_URL'] ?? '').split(',').filter((url) => url !== '')
}

function givenServers(urls: readonly string[]): RunningRedis {
  return { url: urls[0] ?? '', urls, isPrivate: false, members: [], stop: async () => {} }
}
