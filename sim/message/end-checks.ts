import { sha256 } from '@lockstep/testkit'
import { checkAttempts } from '../attempt-check.ts'
import { deliveriesOf, namesOf } from '../pattern-state.ts'
import type { Seen } from '../watcher.ts'
import type { MessageWorld } from './message-world.ts'
import type { Order } from './order.ts'

/** What must hold once everything is healed and has come to rest. */
export async function checkEnd(world: MessageWorld): Promise<void> {
  const { installation, orders } = world
  for (const order of orders) checkOrder(world, order)
  checkPhantoms(world)
  for (const id of installation.watcher.seen.keys()) await checkAttempts(installation, id)
}

function checkOrder(world: MessageWorld, order: Order): void {
  const { watcher } = world.installation
  const { id } = order
  const seen = watcher.seen.get(id)
  const status = seen?.status ?? 'never begun'
  const isPaid = order.producer !== 'unchecked' && world.watch.isPaid(order)
  // Law 2: a rollback of what was never begun has left a tombstone, and its begin was refused.
  const isDecided = order.producer === 'unchecked' || order.forced || isPaid === (status === 'committed')
  if (!isDecided) watcher.violate(`W5: ${id} is ${status}, and ${isPaid ? 'paid' : 'not paid'}`)
  if (world.toldRolledBack.has(id) && status === 'committed' && !order.forced)
    watcher.violate(`W5: ${id} was said to be rolled back, and is committed`)
  for (const { name } of order.deliveries) checkDelivery(world, { order, name, seen })
}

interface DeliveryCheck {
  readonly order: Order
  readonly name: string
  readonly seen: Seen | undefined
}

/** Delivered once, or refused and then told to the producer once, or held until a person gave it up. */
function checkDelivery(world: MessageWorld, { order, name, seen }: DeliveryCheck): void {
  const { watcher } = world.installation
  const times = world.effects.times(order.id, name, 'deliver')
  const linked = linkedId(order.id, name)
  const undone = world.effects.times(linked, 'undo', 'deliver')
  const isCommitted = seen?.status === 'committed'
  const delivery = seen === undefined || !isCommitted ? undefined : deliveriesOf(seen)[namesOf(seen).indexOf(name)]
  const state = delivery?.state ?? 'none'
  const isLinked = watcher.seen.has(linked)
  const isTold = delivery?.escalation === 'begun'
  const isRight =
    { done: times === 1 && !isLinked, refused: times === 0 && isTold, skipped: true }[state] ?? times === 0
  const isToldOnce = isLinked ? isTold && isUndoneOnce(world, linked) : undone === 0
  const where = `W5: ${order.id}/${name} (${seen?.status}, ${state})`
  if (!isRight || (!isToldOnce && state !== 'skipped'))
    watcher.violate(`${where}: delivered ${times} times, ${isLinked ? '' : 'not '}escalated, undone ${undone} times`)
  const reasons = watcher.heldFor.get(order.id)
  const wasHeld = reasons?.has('delivery-refused') === true || reasons?.has('older-than-barrier') === true
  if (state === 'skipped' && times === 0 && !wasHeld && !order.givenUp)
    watcher.violate(`${where}: given up, and it was never held`)
}

/** Or given up, once it was older than the receiver's memory. */
function isUndoneOnce({ installation, effects }: MessageWorld, linked: string): boolean {
  const seen = installation.watcher.seen.get(linked)
  if (seen?.status !== 'committed') return false
  const isGivenUp = installation.watcher.heldFor.get(linked)?.has('older-than-barrier') === true
  const undone = effects.times(linked, 'undo', 'deliver')
  return undone === 1 || (undone === 0 && isGivenUp && deliveriesOf(seen)[0]?.state === 'skipped')
}

function linkedId(id: string, delivery: string): string {
  return `linked-${sha256(`${id} ${delivery}`).slice(0, 40)}`
}

/** No message exists that nobody asked for. */
function checkPhantoms(world: MessageWorld): void {
  const asked = new Set(
    world.orders.flatMap(({ id, deliveries }) => [id, ...deliveries.map(({ name }) => linkedId(id, name))]),
  )
  for (const id of world.installation.watcher.seen.keys()) {
    if (!asked.has(id)) world.installation.watcher.violate(`phantom: ${id} exists, and nobody asked for it`)
  }
}
