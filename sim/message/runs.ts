/** One attempt of one process to send a message, by the real `send` or by the bare API. */
import type { RandomStream } from '@lockstep/testkit'
import { type Branch, isLockstepError, refuse } from 'lockstep'
import { localBranch } from 'lockstep/testing'
import { pauseOf } from '../initiating-process.ts'
import { DatabaseUnanswered } from '../shared-database.ts'
import { timeOf } from '../wire-time.ts'
import type { MessageWorld, ProducingProcess } from './message-world.ts'
import { bodyOf, type Order, undoOf } from './order.ts'
import { pay } from './programs.ts'

/** What the function given to `send` does. The same message may be sent again by one that does something else. */
const behaviours = [
  'plain',
  'plain',
  'slow',
  'throws before',
  'throws inside',
  'throws after',
  'catches',
  'forgets',
  'refuses',
  'does nothing',
] as const
type Behaviour = (typeof behaviours)[number]

export interface Sending {
  readonly world: MessageWorld
  readonly by: ProducingProcess
  readonly random: RandomStream
}

/** Whether the sender knows how it was decided. */
export type Known = 'decided' | 'open'

class Thrown extends Error {}

/** What a sender may be told without anything being wrong. */
const expected: readonly string[] = [
  'LOCKSTEP_UNREACHABLE',
  'LOCKSTEP_STORE_UNAVAILABLE',
  'LOCKSTEP_BUSY',
  'LOCKSTEP_STOPPING',
  'LOCKSTEP_REFUSED',
  'LOCKSTEP_NO_ANSWER',
  'LOCKSTEP_EXPIRED',
  'LOCKSTEP_ROLLED_BACK',
  'LOCKSTEP_COMMITTED_DESPITE_ERROR',
  'LOCKSTEP_ALREADY_ROLLING_BACK',
  'LOCKSTEP_ALREADY_COMMITTING',
  'LOCKSTEP_BARRIER_NOT_USED',
]

/** By `send`. */
export async function runSend(order: Order, sending: Sending): Promise<Known> {
  const { world, by, random } = sending
  const { id, deliveries, payload, checkAfterMs, producer } = order
  const behaviour = random.pick('behaviour', behaviours)
  const to = deliveries.map(({ name, to: receiver, delayMs, escalates }) => ({
    to: receiver,
    name,
    ...(delayMs === 0 ? {} : { delay: delayMs }),
    ...(escalates ? { escalate: undoOf(producer) } : {}),
  }))
  const after = checkAfterMs === null ? {} : { checkAfter: checkAfterMs }
  try {
    const work = (branch: Branch) => workOf(order, branch, { ...sending, behaviour })
    const wait = random.pick('wait', [0, 0, 0, 5_000])
    const { replayed } = await by.initiator.send({ id, to, payload, wait, ...after }, { transaction: work })
    world.installation.watcher.expectDecision(id, 'commit')
    if (!replayed && !world.watch.isPaid(order) && !order.forced)
      world.installation.watcher.violate(`W5: ${id} was said to be sent, and is not paid`)
    return 'decided'
  } catch (error) {
    return judgeError(error, order, sending)
  }
}

async function workOf(
  order: Order,
  branch: Branch,
  { by, random, behaviour }: Sending & { behaviour: Behaviour },
): Promise<unknown> {
  if (behaviour === 'throws before') throw new Thrown()
  if (behaviour === 'does nothing') return null
  const inside = async (tx: unknown): Promise<unknown> => {
    const paid = pay(tx, branch, order)
    if (behaviour === 'slow') await pauseOf(by.node, random.integer('slow', 0, 8_000))
    if (behaviour === 'throws inside') throw new Thrown()
    if (behaviour === 'refuses') refuse({ code: 'not-today' })
    return paid
  }
  const transacted = branch.transact(by.database, inside)
  if (behaviour === 'forgets') return undefined
  const result = await (behaviour === 'catches' ? transacted.catch(() => null) : transacted)
  if (behaviour === 'throws after') throw new Thrown()
  return result
}

/** What was said must be so. */
function judgeError(error: unknown, order: Order, { world }: Pick<Sending, 'world'>): Known {
  const { watcher } = world.installation
  if (isLockstepError(error, 'LOCKSTEP_COMMIT_UNCONFIRMED')) return judgeError(error.cause, order, { world })
  // What the local database throws reaches the caller as it is.
  if (error instanceof Thrown || error instanceof DatabaseUnanswered) return 'open'
  if (!isLockstepError(error) || !expected.includes(error.code)) {
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error)
    watcher.violate(`the sender of ${order.id} was told: ${shown}`)
    return 'decided'
  }
  if (error.code === 'LOCKSTEP_COMMITTED_DESPITE_ERROR' && !world.watch.isPaid(order))
    watcher.violate(`W5: ${order.id} was said to be committed all the same, and is not paid`)
  if (error.code === 'LOCKSTEP_ALREADY_COMMITTING') watcher.expectDecision(order.id, 'commit')
  if (error.code === 'LOCKSTEP_ALREADY_ROLLING_BACK') watcher.expectDecision(order.id, 'rollback')
  if (error.code === 'LOCKSTEP_ROLLED_BACK') world.toldRolledBack.add(order.id)
  return error.code === 'LOCKSTEP_ROLLED_BACK' || error.code.startsWith('LOCKSTEP_ALREADY') ? 'decided' : 'open'
}

/** By the bare API: whoever rolls back on its own belief must not be believed. */
export async function runBare(order: Order, sending: Sending): Promise<Known> {
  const { by, random, world } = sending
  const { coordination } = by
  try {
    const { transaction } = await coordination.begin(bodyOf(order))
    if (transaction.status !== 'prepared') return 'decided'
    if (order.producer === 'unchecked') return await decideUnchecked(order, sending)
    if (random.chance('believes', 0.4)) void rollBackSoon(order, sending)
    const { store, id, createdAt } = transaction
    const surroundings = world.installation.surroundings(by.node)
    const facts = { store, transaction: id, input: null, begunAt: timeOf(createdAt), traceparent: null }
    const { branch } = localBranch({ ...facts, surroundings })
    await workOf(order, branch, { ...sending, behaviour: random.pick('behaviour', ['plain', 'slow']) })
    if (random.chance('looks', 0.2)) void coordination.get(id, { waitMs: 5_000 }).catch(() => {})
    if (random.chance('says nothing', 0.5)) return 'open'
    await coordination.decide(id, 'commit')
    world.installation.watcher.expectDecision(id, 'commit')
    return 'decided'
  } catch (error) {
    // The bare barrier throws its verdicts as they are.
    return error instanceof Error && error.name === 'Verdict' ? 'open' : judgeError(error, order, sending)
  }
}

async function rollBackSoon(order: Order, sending: Sending): Promise<void> {
  const { by, random } = sending
  await pauseOf(by.node, random.integer('believes', 0, 3_000))
  await by.coordination.decide(order.id, 'rollback').catch((error: unknown) => judgeError(error, order, sending))
}

/** Nobody can be asked: what its initiator says decides. */
async function decideUnchecked({ id }: Order, { by, random, world }: Sending): Promise<Known> {
  await pauseOf(by.node, random.integer('thinks', 0, 3_000))
  const decision = random.chance('commits', 0.6) ? 'commit' : 'rollback'
  await by.coordination.decide(id, decision)
  world.installation.watcher.expectDecision(id, decision)
  return 'decided'
}
