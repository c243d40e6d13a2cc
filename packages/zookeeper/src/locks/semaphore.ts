import { isZooKeeperError } from '../errors.ts'
import type { Attempt } from './context.ts'
import { lineBefore, waitForTurn } from './line.ts'
import type { LockNode } from './lock-session.ts'
import { moveNode, removeBoth } from './move.ts'
import { NodeHold } from './node-hold.ts'
import { ownerData } from './owner-data.ts'
import { makeContainer } from './paths.ts'
import type { QueueNode } from './queue-node.ts'
import { assertValid, type Contended, inLine } from './queue-recipe.ts'
import { nextChange, readAgain } from './waiting.ts'

/**
 * Permits stand in a folder of their own, and whoever wants one stands in a fair line. Only the head of the line looks at the permits, so
 * it alone adds one, and one that comes back wakes nobody else. Its place in the line becomes the permit in one step: no moment has
 * neither, or both.
 */
export async function contendForPermit(attempt: Attempt, of: number): Promise<Contended> {
  const { paths, ask, patience } = attempt
  const parent = paths.line(ask.mode, ask.name)
  const permits = paths.permits(ask.name)
  if (patience.isOneTry && (await taken(attempt, parent, permits)) >= of) return null
  // Whoever stands before us takes one of those that are left, and does not wait: so this is one try still.
  const waiting: Attempt = patience.isOneTry
    ? { ...attempt, patience: patience.shortly(attempt.session.requestMs) }
    : attempt
  return inLine(waiting, parent, async (own, node) => {
    const turn = await waitForTurn({ ...waiting, parent }, own, node)
    if (turn !== 'ours') return turn === 'gone' ? 'again' : null
    return permitAtHead(attempt, { own, node, permits, of })
  })
}

interface Head {
  readonly own: QueueNode
  readonly node: LockNode
  readonly permits: string
  readonly of: number
}

async function permitAtHead(attempt: Attempt, head: Head): Promise<Contended> {
  const { session, patience } = attempt
  const { permits, of } = head
  for (;;) {
    if ((await permitCount(attempt, permits)) < of) return takePermit(attempt, head)
    if (patience.isOneTry) return null
    const woken = await nextChange({
      session,
      patience,
      path: permits,
      read: async (watch, timeoutMs) =>
        (await session.zookeeper.getChildren(permits, { watch, timeoutMs })).children.length >= of,
    })
    if (woken === 'over') return null
    if (!(await patience.unlessAborted(readAgain(session, patience, () => session.isOurs(head.node))))) return 'again'
  }
}

async function takePermit(attempt: Attempt, { node, permits }: Head): Promise<Contended> {
  const { session, acl, ask, patience, environment, paths } = attempt
  const move = {
    session,
    from: node.path,
    to: `${permits}/_c_${ask.owner}`,
    data: ownerData(ask, environment.clock.now()),
    acl,
    makeParent: () =>
      makeContainer(session.zookeeper, permits, {
        root: paths.root,
        acl,
        timeoutMs: patience.requestMs(session.ttlMs),
      }),
  }
  const removeSent = () => session.remove(() => removeBoth(session, move))
  const moving = moveNode(move, patience)
  try {
    const permit = await patience.unlessAborted(moving)
    if (permit === null) return 'again'
    assertValid(attempt)
    return new NodeHold({ session, node: permit, remove: () => session.removePath(permit.path) })
  } catch (error) {
    // An abort does not wait for the move: whatever comes of it is taken away once it is over.
    void moving.then(removeSent, removeSent)
    throw error
  }
}

async function permitCount({ session, patience }: Attempt, permits: string): Promise<number> {
  try {
    const read = (timeoutMs: number) => session.zookeeper.getChildren(permits, { timeoutMs })
    return (await patience.unlessAborted(readAgain(session, patience, read))).children.length
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return 0
    throw error
  }
}

async function taken(attempt: Attempt, parent: string, permits: string): Promise<number> {
  const before = await lineBefore({ ...attempt, parent }, 'lock')
  return before.length + (await permitCount(attempt, permits))
}
