import { LockstepError } from 'lockstep'
import type { LockAsk, LockBackend, LockCapabilities, LockHold, OpenLockBackend } from 'lockstep/ports'
import { type AclEntry, creatorAcl, openAcl } from '../wire/acl.ts'
import { AskPatience } from './ask-patience.ts'
import type { Attempt, RecipeContext } from './context.ts'
import { contendForPath } from './ephemeral-recipe.ts'
import { Inspection } from './inspection.ts'
import type { LockSession } from './lock-session.ts'
import { LockPaths } from './paths.ts'
import { type Contended, contendInQueue } from './queue-recipe.ts'
import { contendForPermit } from './semaphore.ts'
import { isOpened, type SessionSource, Sessions } from './sessions.ts'
import { isSessionOver, toLockstepError, unavailable } from './to-lockstep-error.ts'

export interface ZooKeeperLocksOptions {
  /**
   * `queue`: first come, first served, and a release wakes one waiter; it has read-write locks and semaphores. `ephemeral`: one node per
   * name and no order, for mutexes with few waiters. Every process must use the same one for a name.
   */
  readonly recipe: 'queue' | 'ephemeral'
  /** Where the nodes stand; `/lockstep/locks` unless given. */
  readonly root?: string
  /** True: a lost connection is the loss of every lease, without a wait for the session's return. False unless given. */
  readonly strictDisconnect?: boolean
  /** Of every node at and below `root`. Only the creator, when the options have credentials; else everybody. */
  readonly acl?: readonly AclEntry[]
}

/**
 * Locks on ZooKeeper. The fencing token is the zxid that created the node, so tokens grow by consensus.
 *
 * Of options a session is opened at the first call, and another one when it has expired; a session that is given is used as it is, and is
 * never closed. Leases live as long as the session: its timeout is their TTL.
 *
 * **Guarantees** one holder at a time while processes run, and tokens that grow with every grant. What is given up, also in the middle of
 * a request whose reply was lost, leaves nothing behind for longer than the session.
 * **Does not guarantee** that a stopped process has no effect: fence with the token.
 * Fails with `LOCKSTEP_LOCK_UNAVAILABLE`, `LOCKSTEP_LOCK_UNSUPPORTED`, `LOCKSTEP_CONFIGURATION`.
 * After a crash the session ends within its timeout, and the next one is granted the name.
 *
 * @example
 * const locks = createLocks(zookeeperLocks({ servers: 'zk1,zk2,zk3', sessionTimeoutMs: 10_000 }, { recipe: 'queue' }))
 */
export function zookeeperLocks(source: SessionSource, options: ZooKeeperLocksOptions): OpenLockBackend {
  const { recipe, root = '/lockstep/locks', strictDisconnect = false } = options
  if (recipe !== 'queue' && recipe !== 'ephemeral') throw wrongRecipe(recipe)
  const acl = options.acl ?? (!isOpened(source) && (source.credentials?.length ?? 0) > 0 ? creatorAcl : openAcl)
  const paths = pathsBelow(root)
  return (environment) => {
    const sessions = new Sessions(source, environment, strictDisconnect)
    return backend(sessions, recipe, { paths, acl, environment })
  }
}

const capabilities: Readonly<Record<ZooKeeperLocksOptions['recipe'], LockCapabilities>> = {
  queue: { fencing: 'consensus', fair: true, wakeUp: 'push', sharing: true },
  ephemeral: { fencing: 'consensus', fair: false, wakeUp: 'push', sharing: false },
}

function backend(sessions: Sessions, recipe: ZooKeeperLocksOptions['recipe'], context: RecipeContext): LockBackend {
  const contend = recipe === 'queue' ? queued : ephemeral
  return {
    name: `zookeeper (${recipe})`,
    capabilities: capabilities[recipe],
    get ttlMinMs() {
      return sessions.ttlMs
    },
    get ttlMaxMs() {
      return sessions.ttlMs
    },
    contend: (ask) => contendUntil(sessions, ask, { ...context, contend }),
    inspect: (name) =>
      looking(sessions, async (session) => {
        const found = await new Inspection(session, context.paths).holds(name)
        return found.map(({ info }) => info)
      }),
    evict: (name, token) => looking(sessions, (session) => new Inspection(session, context.paths).take(name, token)),
    close: () => sessions.close(),
  }
}

async function queued(attempt: Attempt): Promise<Contended> {
  const { mode } = attempt.ask
  return mode.kind === 'permit' ? contendForPermit(attempt, mode.of) : contendInQueue(attempt)
}

async function ephemeral(attempt: Attempt): Promise<Contended> {
  const { kind } = attempt.ask.mode
  if (kind === 'mutex') return contendForPath(attempt)
  throw new LockstepError('LOCKSTEP_LOCK_UNSUPPORTED', {
    message: `The ephemeral recipe has no ${kind} locks.`,
    next: 'Use the recipe `queue`.',
  })
}

/** A session that ends in the middle of a wait takes the place with it: whoever can goes on with another one. */
async function contendUntil(
  sessions: Sessions,
  ask: LockAsk,
  context: RecipeContext & { readonly contend: (attempt: Attempt) => Promise<Contended> },
): Promise<LockHold | null> {
  const { environment } = context
  const patience = new AskPatience({ waitMs: ask.waitMs, ends: [ask.signal, sessions.closing], environment })
  patience.check()
  // One try is a try on a session that lives: the end of the one before may only be found out by it.
  for (let tries = 1; tries <= 2 || !patience.isOver; tries += 1) {
    const session = sessions.current()
    try {
      const contended = await context.contend({ ...context, ask, session, patience })
      if (contended !== 'again') return contended
    } catch (error) {
      patience.check()
      if (!isSessionOver(error) || !sessions.canStartOver) throw toLockstepError(error)
    }
    patience.check()
  }
  throw unavailable('The place in the queue was lost with the session or taken away, and the wait is over.')
}

async function looking<Result>(sessions: Sessions, look: (session: LockSession) => Promise<Result>): Promise<Result> {
  try {
    return await look(sessions.current())
  } catch (error) {
    if (!isSessionOver(error) || !sessions.canStartOver) throw toLockstepError(error)
  }
  return look(sessions.current()).catch((error) => {
    throw toLockstepError(error)
  })
}

function pathsBelow(root: string): LockPaths {
  try {
    return new LockPaths(root)
  } catch (error) {
    throw toLockstepError(error)
  }
}

function wrongRecipe(recipe: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `zookeeperLocks has the recipes "queue" and "ephemeral", not ${JSON.stringify(recipe)}.`,
  })
}
