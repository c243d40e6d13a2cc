import { isZooKeeperError, type ZooKeeper } from '../src/index.ts'

/** Every ephemeral node below a path: containers are the server's to remove. */
export async function treeBelow(zookeeper: ZooKeeper, path: string): Promise<string[]> {
  await zookeeper.sync('/')
  return ephemeralBelow(zookeeper, path)
}

async function ephemeralBelow(zookeeper: ZooKeeper, path: string): Promise<string[]> {
  try {
    const { children, stat } = await zookeeper.getChildren(path)
    const below = await Promise.all(children.map((child) => ephemeralBelow(zookeeper, `${path}/${child}`)))
    return [...(stat.ephemeralOwner > 0n ? [path] : []), ...below.flat()]
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return []
    throw error
  }
}
