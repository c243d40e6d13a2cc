import { LockstepError } from 'lockstep'
import { isZooKeeperError } from '../errors.ts'
import type { NodeData } from '../wire/operations.ts'
import type { Attempt } from './context.ts'
import { deletePath, type LockNode, type LockSession } from './lock-session.ts'
import { NodeHold } from './node-hold.ts'
import { ownerData, readOwnerData } from './owner-data.ts'
import { makeContainer } from './paths.ts'
import { assertValid, type Contended } from './queue-recipe.ts'
import type { Removal } from './removal.ts'
import { mayPass } from './to-lockstep-error.ts'
import { nextChange } from './waiting.ts'

/** Everybody who waited is told at once: a short spread, so that they do not all create at once. */
const jitterMsMax = 20
const triesMax = 10

/**
 * The name itself is the node: whoever creates it holds. Everybody else watches it, so each release costs a notification and a create per
 * waiter: for few waiters.
 *
 * The path is shared, so nothing is done to it before its nonce and its owner were compared: it may be the next holder's.
 */
export async function contendForPath(attempt: Attempt): Promise<Contended> {
  const { patience, session, paths, ask } = attempt
  const path = paths.ofName('mutex', ask.name)
  const taking: Taking = { ...attempt, path, creating: null }
  try {
    for (;;) {
      const node = await patience.unlessAborted(take(taking))
      if (node !== null) {
        assertValid(attempt)
        return new NodeHold({ session, node, remove: () => removeOwn(taking) })
      }
      if (patience.isOneTry || (await waitUntilFree(taking)) === 'over') return null
    }
  } catch (error) {
    removeOwn(taking)
    throw error
  }
}

interface Taking extends Attempt {
  readonly path: string
  /** The create that is on its way. */
  creating: Promise<unknown> | null
}

/** Null when somebody else has it, or an older session of ours, which ends by itself. */
async function take(taking: Taking): Promise<LockNode | null> {
  const { session, patience } = taking
  let isUncertain = false
  for (let tries = 1; ; tries += 1) {
    patience.check()
    try {
      if (isUncertain) await session.zookeeper.sync(taking.path, { timeoutMs: session.requestMs })
      return isUncertain ? ((await own(taking)) ?? (await create(taking))) : await create(taking)
    } catch (error) {
      if (isZooKeeperError(error, 'NODE_EXISTS')) return own(taking)
      if (isZooKeeperError(error, 'NO_NODE')) await makeParent(taking)
      else if (mayPass(error) && !session.isOver && !(tries > 1 && patience.isOver)) isUncertain = true
      else throw error
      if (tries >= triesMax) throw error
    }
  }
}

async function create(taking: Taking): Promise<LockNode> {
  const { session, patience, path, ask, acl, environment } = taking
  patience.check()
  const data = ownerData(ask, environment.clock.now())
  const timeoutMs = patience.requestMs(session.ttlMs)
  const creating = session.zookeeper.create(path, { mode: 'ephemeral', data, acl, timeoutMs })
  taking.creating = creating
  const { stat } = await creating
  return { path, czxid: stat.czxid }
}

async function makeParent({ session, paths, acl, patience }: Taking): Promise<void> {
  const timeoutMs = patience.requestMs(session.ttlMs)
  await makeContainer(session.zookeeper, paths.ofKind('mutex'), { root: paths.root, acl, timeoutMs })
}

/** The node at the path, when it is ours by nonce and by session. */
async function own({ session, path, ask }: Taking): Promise<LockNode | null> {
  const found = await look(session, path)
  if (found === null || !isOwn(session, found, ask.owner)) return null
  return { path, czxid: found.stat.czxid }
}

async function look(session: LockSession, path: string): Promise<NodeData | null> {
  try {
    return await session.zookeeper.getData(path, { timeoutMs: session.requestMs })
  } catch (error) {
    if (isZooKeeperError(error, 'NO_NODE')) return null
    throw error
  }
}

function isOwn({ zookeeper }: LockSession, { data, stat }: NodeData, owner: string): boolean {
  return stat.ephemeralOwner === zookeeper.sessionId && readOwnerData(data)?.owner === owner
}

async function waitUntilFree({ session, patience, path, environment }: Taking): Promise<'free' | 'over'> {
  const woken = await nextChange({
    session,
    patience,
    path,
    read: async (watch, timeoutMs) => {
      const { stat } = await session.zookeeper.getData(path, { watch, timeoutMs })
      // A container or a persistent node never goes: it is the queue of the other recipe.
      if (stat.ephemeralOwner <= 0n || stat.numChildren > 0) throw otherRecipe(path)
      return true
    },
  })
  if (woken === 'over') return 'over'
  const jitterMs = environment.random.fraction('lock jitter') * jitterMsMax
  const spread = Promise.withResolvers<void>()
  const timer = environment.timers.after(jitterMs, spread.resolve)
  try {
    return (await patience.unlessTimeIsUp(spread.promise)) === 'over' ? 'over' : 'free'
  } finally {
    timer.cancel()
  }
}

function removeOwn(taking: Taking): Removal {
  const { session, path } = taking
  return session.remove(async () => {
    await taking.creating?.catch(() => {})
    if (taking.creating === null || (await own(taking)) === null) return false
    return deletePath(session, path)
  })
}

function otherRecipe(path: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `${path} is no ephemeral node: another process uses the queue recipe for this name.`,
    next: 'Use the same recipe for a name in every process.',
  })
}
