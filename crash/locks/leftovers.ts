/** What of locks stands in the servers themselves, whoever put it there. */
import type { Etcd } from '@lockstep/etcd'
import type { RedisMember } from '@lockstep/testkit'
import { isZooKeeperError, type ZooKeeper } from '@lockstep/zookeeper'

/** Counters of tokens outlive their locks. */
export async function redisKeys(member: Pick<RedisMember, 'port' | 'ask'>): Promise<readonly string[]> {
  const answer = await member.ask('KEYS', 'lockstep:*')
  const keys = answer.split('\r\n').filter((line) => line.startsWith('lockstep:'))
  return keys.filter((key) => !key.endsWith(':token')).map((key) => `${member.port}/${key}`)
}

export async function etcdKeys(etcd: Etcd): Promise<readonly string[]> {
  const { entries } = await etcd.range({ key: 'lockstep/locks/', rangeEnd: 'lockstep/locks0', keysOnly: true })
  const leases = await etcd.leases()
  return [...entries.map(({ key }) => key), ...leases.map((lease) => `lease ${lease}`)]
}

/** Containers are the server's to remove. */
export async function zookeeperNodes(zookeeper: ZooKeeper, path: string): Promise<readonly string[]> {
  try {
    const { children, stat } = await zookeeper.getChildren(path)
    const below = await Promise.all(children.map((child) => zookeeperNodes(zookeeper, `${path}/${child}`)))
    return [...(stat.ephemeralOwner > 0n ? [path] : []), ...below.flat()]
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return []
    throw error
  }
}
