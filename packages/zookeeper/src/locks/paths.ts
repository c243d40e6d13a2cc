import { type LockKind, type LockMode, lockKind } from 'lockstep/ports'
import { isZooKeeperError, ZooKeeperError } from '../errors.ts'
import type { AclEntry } from '../wire/acl.ts'
import { openAcl } from '../wire/acl.ts'
import type { CreateMode } from '../wire/create.ts'
import { checkPath } from '../wire/operation.ts'
import type { ZooKeeper } from '../zookeeper.ts'

export const lockKinds: readonly LockKind[] = ['mutex', 'read-write', 'semaphore']

/**
 * Where everything stands:
 *
 *   <root>/mutex/<name>/_c_…-lock-N              the queue; with the ephemeral recipe the name itself is the node
 *   <root>/read-write/<name>/_c_…-__READ__N      and `__WRIT__`, in one sequence
 *   <root>/semaphore/<name>/line/_c_…-lock-N     who waits for a permit
 *   <root>/semaphore/<name>/permits/_c_…         who has one
 */
export class LockPaths {
  readonly root: string

  constructor(root: string) {
    checkPath(root)
    if (root === '/') throw new ZooKeeperError('BAD_ARGUMENTS', { why: 'the root of locks is a path below /' })
    this.root = root
  }

  ofKind(kind: LockKind): string {
    return `${this.root}/${kind}`
  }

  ofName(kind: LockKind, name: string): string {
    return `${this.root}/${kind}/${name}`
  }

  /** Where one who wants `mode` stands in line. */
  line(mode: Pick<LockMode, 'kind'>, name: string): string {
    const path = this.ofName(lockKind(mode), name)
    return mode.kind === 'permit' ? `${path}/line` : path
  }

  permits(name: string): string {
    return `${this.ofName('semaphore', name)}/permits`
  }
}

export interface TreePart {
  readonly root: string
  readonly acl: readonly AclEntry[]
  readonly timeoutMs: number
}

/**
 * Makes what is missing on the way to `path`. What belongs to a name is a container, which the server removes some time after the last
 * child; what stands above the root is nobody's, so everybody may use it.
 */
export async function makeContainer(zookeeper: ZooKeeper, path: string, part: TreePart): Promise<void> {
  const { root, acl, timeoutMs } = part
  const isAbove = path.length < root.length
  const belongsToName = path.slice(root.length).split('/').length > 2
  const mode: CreateMode = belongsToName ? 'container' : 'persistent'
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      await zookeeper.create(path, { mode, acl: isAbove ? openAcl : acl, timeoutMs })
      return
    } catch (error) {
      if (isZooKeeperError(error, 'NODE_EXISTS')) return
      if (!isZooKeeperError(error, 'NO_NODE') || tries > 1) throw error
      await makeContainer(zookeeper, path.slice(0, path.lastIndexOf('/')), part)
    }
  }
}
