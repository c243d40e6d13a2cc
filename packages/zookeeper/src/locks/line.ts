import { mutant } from '#mutant'
import { isZooKeeperError } from '../errors.ts'
import type { AskPatience } from './ask-patience.ts'
import type { LockNode, LockSession } from './lock-session.ts'
import { blockerOf, inOrder, type QueueKind, type QueueName } from './queue-names.ts'
import type { QueueNode } from './queue-node.ts'
import { nextChange, readAgain } from './waiting.ts'

export interface Place {
  readonly session: LockSession
  readonly patience: AskPatience
  readonly parent: string
}

/** `gone`: our own node is missing, so the session ended in the queue, or somebody took the node away. Whoever finds that is no owner. */
export type Turn = 'ours' | 'gone' | 'over'

/**
 * Waits until nobody stands in the way. On every wake the whole line is listed again: whoever stood before us may only have left the
 * queue, while somebody further ahead still holds.
 */
export async function waitForTurn(place: Place, own: QueueNode, node: LockNode): Promise<Turn> {
  const { session, patience, parent } = place
  const ownName = node.path.slice(parent.length + 1)
  for (;;) {
    const names = await listLine(place)
    own.removeOthers(names)
    const line = inOrder(names)
    const self = line.find(({ name }) => name === ownName)
    if (self === undefined) return 'gone'
    const blocker = blockerOf(line, self)
    if (blocker === null) return 'ours'
    if (patience.isOneTry) return 'over'
    const path = `${parent}/${blocker.name}`
    const woken = await nextChange({
      session,
      patience,
      path,
      read: async (watch, timeoutMs) => {
        await session.zookeeper.getData(path, { watch, timeoutMs })
        return true
      },
    })
    if (woken === 'over') return 'over'
    if (mutant('W6-no-list-again')) return 'ours'
  }
}

/** Empty when there is no such line. */
export async function listLine({ session, patience, parent }: Place): Promise<readonly string[]> {
  const read = (timeoutMs: number) => session.zookeeper.getChildren(parent, { timeoutMs })
  try {
    const { children } = await patience.unlessAborted(readAgain(session, patience, read))
    return children
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return []
    throw error
  }
}

/** Whoever stands in the way of one who would come now; the leader is asked first, since a server may be behind. */
export async function lineBefore(place: Place, kind: QueueKind): Promise<readonly QueueName[]> {
  const { session, patience, parent } = place
  const sync = (timeoutMs: number) => session.zookeeper.sync(parent, { timeoutMs })
  await patience.unlessAborted(readAgain(session, patience, sync))
  const line = inOrder(await listLine(place))
  return kind === 'read' ? line.filter((each) => each.kind === 'write') : line
}
