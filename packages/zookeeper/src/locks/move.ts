import { isZooKeeperError } from '../errors.ts'
import type { AclEntry } from '../wire/acl.ts'
import type { AskPatience } from './ask-patience.ts'
import { deletePath, type LockNode, type LockSession } from './lock-session.ts'
import { mayPass } from './to-lockstep-error.ts'

export interface Move {
  readonly session: LockSession
  readonly from: string
  /** A path that nobody else ever uses. */
  readonly to: string
  readonly data: string
  readonly acl: readonly AclEntry[]
  /** What `to` stands in was missing, and should be made. */
  readonly makeParent?: () => Promise<void>
}

const triesMax = 10

/**
 * One ephemeral node becomes another in one step: nobody sees neither, and nobody sees both. Null when the first one was gone. A reply
 * that is lost is found out by looking at the second one. Rejects when that stays unknown: then `removeBoth` is the only safe end.
 */
export async function moveNode(move: Move, patience: AskPatience): Promise<LockNode | null> {
  const { session, from, to, data, acl } = move
  const { zookeeper } = session
  for (let tries = 1; ; tries += 1) {
    patience.check()
    const timeoutMs = patience.requestMs(session.ttlMs)
    try {
      const before = tries > 1 ? await lookAt(session, to) : null
      if (before !== null) return before
      const create = { kind: 'create', path: to, mode: 'ephemeral', data, acl } as const
      const [made] = await zookeeper.multi([create, { kind: 'delete', path: from }], { timeoutMs })
      // Some servers forget the Stat in a multi, and the token is in it.
      if (made?.kind === 'create' && made.stat !== null) return { path: to, czxid: made.stat.czxid }
    } catch (error) {
      if (isZooKeeperError(error, 'NO_NODE') && error.index === 1) return null
      if (isZooKeeperError(error, 'NO_NODE') && move.makeParent !== undefined) await move.makeParent()
      else if (!mayPass(error) && !isZooKeeperError(error, 'NODE_EXISTS')) throw error
      if (tries >= triesMax || session.isOver) throw error
    }
  }
}

/** Ours, since nobody else knows the path; the leader is asked first, as its creation may have been sent over another connection. */
async function lookAt({ zookeeper, requestMs: timeoutMs }: LockSession, path: string): Promise<LockNode | null> {
  try {
    const [, { stat }] = await Promise.all([
      zookeeper.sync(path, { timeoutMs }),
      zookeeper.getData(path, { timeoutMs }),
    ])
    return stat.ephemeralOwner === zookeeper.sessionId ? { path, czxid: stat.czxid } : null
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return null
    throw error
  }
}

/** After a move whose end is unknown. The first one goes first: without it, a move that is still on its way fails. */
export async function removeBoth(session: LockSession, { from, to }: Pick<Move, 'from' | 'to'>): Promise<boolean> {
  const wasFirst = await deletePath(session, from)
  const wasSecond = await deletePath(session, to)
  return wasFirst || wasSecond
}
