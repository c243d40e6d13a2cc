import type { LockHold } from 'lockstep/ports'
import type { Attempt } from './context.ts'
import { lineBefore, waitForTurn } from './line.ts'
import type { LockNode } from './lock-session.ts'
import { moveNode, removeBoth } from './move.ts'
import { NodeHold } from './node-hold.ts'
import { ownerData } from './owner-data.ts'
import { namePrefix, type QueueKind } from './queue-names.ts'
import { QueueNode } from './queue-node.ts'
import { unavailable } from './to-lockstep-error.ts'

/** `again`: our place is gone, so everything starts over; null: the wait is over, and somebody else holds it. */
export type Contended = LockHold | 'again' | null

const kindOf = { mutex: 'lock', read: 'read', write: 'write', permit: 'lock' } as const satisfies Record<
  string,
  QueueKind
>

/**
 * A line of ephemeral sequential nodes under the name: the first one holds. Each watches only the one that stands in its way, so a release
 * wakes one.
 */
export async function contendInQueue(attempt: Attempt): Promise<Contended> {
  const parent = attempt.paths.line(attempt.ask.mode, attempt.ask.name)
  if (attempt.patience.isOneTry && (await lineBefore({ ...attempt, parent }, kindOf[attempt.ask.mode.kind])).length > 0)
    return null
  return inLine(attempt, parent, async (own, node) => {
    const turn = await waitForTurn({ ...attempt, parent }, own, node)
    if (turn !== 'ours') return turn === 'gone' ? 'again' : null
    return holdOf(attempt, own, node)
  })
}

/** Takes a place in the line for as long as `wait` takes; unless it comes to a hold, the place is given up for certain. */
export async function inLine(
  attempt: Attempt,
  parent: string,
  wait: (own: QueueNode, node: LockNode) => Promise<Contended>,
): Promise<Contended> {
  const own = newPlace(attempt, parent)
  try {
    const node = await attempt.patience.unlessAborted(own.create())
    const contended = await wait(own, node)
    if (contended !== null && contended !== 'again') return contended
    await givenUp(attempt, own)
    return contended
  } catch (error) {
    own.abandon()
    throw error
  }
}

/** Whoever is told that the wait is over may come again at once, and must not find itself in the way. */
async function givenUp({ patience }: Attempt, own: QueueNode): Promise<void> {
  const tried = own.abandon().tried()
  await patience.unlessAborted(tried.catch(() => false))
}

function newPlace({ session, paths, acl, patience, environment, ask }: Attempt, parent: string): QueueNode {
  return new QueueNode({
    session,
    root: paths.root,
    parent,
    id: ask.owner,
    kind: kindOf[ask.mode.kind],
    data: ownerData(ask, environment.clock.now()),
    acl,
    patience,
  })
}

function holdOf(attempt: Attempt, own: QueueNode, node: LockNode): LockHold {
  const { session, ask } = attempt
  assertValid(attempt)
  const remove = () => own.abandon()
  if (ask.mode.kind !== 'write') return new NodeHold({ session, node, remove })
  const to = readPath(node.path, ask.owner)
  let isDowngrading = false
  return new NodeHold({
    session,
    node,
    remove: () => (isDowngrading ? session.remove(() => removeBoth(session, { from: node.path, to })) : own.abandon()),
    downgrade(writer) {
      isDowngrading = true
      return downgrade(attempt, writer, to)
    },
  })
}

/** What is handed out was proven at that moment. */
export function assertValid({ session }: Attempt): void {
  if (!session.isValid) throw unavailable('The session could not be proven in time.')
}

/**
 * The writer's node becomes a reader's with the same number, in one step. So a writer that waits finds a reader before it, and never
 * nobody (CURATOR-621).
 */
async function downgrade(attempt: Attempt, writer: NodeHold, to: string): Promise<LockHold | null> {
  const { session, acl, ask, patience, environment } = attempt
  if (writer.isOver) return null
  const data = ownerData(ask, environment.clock.now())
  const node = await moveNode({ session, from: writer.node.path, to, data, acl }, patience.forever())
  // Lost or released while it was on its way: then both nodes are being taken away.
  if (node === null || writer.isOver) return null
  writer.handOver()
  return new NodeHold({ session, node, remove: () => session.removePath(node.path) })
}

function readPath(writePath: string, id: string): string {
  const [parent, name] = [
    writePath.slice(0, writePath.lastIndexOf('/')),
    writePath.slice(writePath.lastIndexOf('/') + 1),
  ]
  return `${parent}/${namePrefix(id, 'read')}${name.slice(namePrefix(id, 'write').length)}`
}
