import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../testkit/src/services/service-process.ts'
import { startMember, type ZooKeeperMember } from '../../testkit/src/services/zookeeper-member.ts'
import { zookeeperPrograms } from '../../testkit/src/services/zookeeper-programs.ts'
import { startTcpProxy } from './tcp-proxy.ts'

export interface CutOffFollower {
  readonly follower: ZooKeeperMember
  readonly others: readonly ZooKeeperMember[]
  /** From now on the follower does not reach the other two; its clients reach it as before. */
  cutOff(): void
  heal(): void
  stop(): Promise<void>
}

const ids = [1, 2, 3] as const

/** An ensemble whose member 1 reaches the others through proxies. With the lowest number it never leads an even race. */
export async function startCutOffFollower(): Promise<CutOffFollower> {
  const programs = zookeeperPrograms()
  if ('reason' in programs) throw new Error(programs.reason)
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-zookeeper-'))
  const ports = await freePorts(9)
  const portOf = (use: 0 | 1 | 2, id: number): number => ports[use * 3 + id - 1] ?? 0
  const proxies = await Promise.all([2, 3].map((id) => startTcpProxy(`127.0.0.1:${portOf(1, id)}`)))
  const line = (id: number, quorum: string): string => `server.${id}=${quorum}:${portOf(2, id)}`
  const straight = ids.map((id) => line(id, `127.0.0.1:${portOf(1, id)}`))
  const proxied = ids.map((id) => line(id, proxies[id - 2]?.address ?? `127.0.0.1:${portOf(1, id)}`))
  const members = ids.map((id) => {
    const home = join(directory, `member-${id}`)
    mkdirSync(home)
    const peers = id === 1 ? proxied : straight
    const plan = { id, directory: home, clientPort: portOf(0, id), peers, programs }
    return startMember({ ...plan, settings: {}, javaOptions: [], fsync: false })
  })
  await Promise.all(members.map((member) => member.ready()))
  const [follower, ...others] = members
  if (follower === undefined || (await follower.mode()) !== 'follower') throw new Error('Member 1 leads.')
  return {
    follower,
    others,
    cutOff: () => void proxies.map((proxy) => proxy.blackHole('everything')),
    heal: () => void proxies.map((proxy) => proxy.heal()),
    async stop() {
      await Promise.all(members.map((member) => member.kill()))
      await Promise.all(proxies.map((proxy) => proxy.close()))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
