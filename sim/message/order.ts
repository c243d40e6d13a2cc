import type { RandomStream } from '@lockstep/testkit'
import type { BeginBody, Json } from 'lockstep'

/** What a producer tells each receiver. */
export interface AwardInput {
  readonly order: string
  readonly points: number
  /** The receiver says no, for ever. */
  readonly refuse: boolean
  /** The receiver says no as long as it is ill, and takes a later copy: such an order escalates nothing. */
  readonly stubborn: boolean
}

/** Who answers for the local transaction: a service over the wire, the coordinators' own process, or nobody. */
export type Producer = 'orders-0' | 'orders-1' | 'app' | 'unchecked'
export const producers: readonly Producer[] = ['orders-0', 'orders-1', 'app', 'unchecked']

export interface OrderDelivery {
  readonly name: string
  readonly to: string
  readonly delayMs: number
  readonly escalates: boolean
}

/** One message that somebody wants sent. */
export interface Order {
  readonly id: string
  readonly producer: Producer
  readonly deliveries: readonly OrderDelivery[]
  readonly payload: AwardInput
  readonly checkAfterMs: number | null
  /** An operator has asked to commit it by force, or to give up a delivery. */
  forced: boolean
  givenUp: boolean
}

export interface Drawing {
  readonly receivers: number
}

export function drawOrder(random: RandomStream, id: string, { receivers }: Drawing): Order {
  const count = random.integer('deliveries', 1, 3)
  const refuse = random.chance('refuse', 0.15)
  const stubborn = random.chance('stubborn', 0.1)
  const deliveries = Array.from({ length: count }, (_, position) => ({
    name: `d${position}`,
    to: `points-${random.integer('receiver', 0, receivers - 1)}.award`,
    delayMs: random.pick('delay', [0, 0, 0, 3_000, 45_000]),
    // Who is told that it was refused undoes its business: that goes only with a receiver that stands by its no.
    escalates: random.chance('escalates', 0.5) && !stubborn,
  }))
  const points = random.integer('points', 1, 100)
  return {
    id,
    producer: random.pick('producer', [...producers.slice(0, 3), ...producers]),
    deliveries,
    payload: { order: id, points, refuse, stubborn },
    checkAfterMs: random.pick('check after', [null, null, 0, 500, 10_000]),
    forced: false,
    givenUp: false,
  }
}

/** The body of the half message, as a bare client writes it. */
export function bodyOf({ id, producer, deliveries, payload, checkAfterMs }: Order): BeginBody {
  const listed = deliveries.map(({ name, to, delayMs, escalates }) => ({
    name,
    to,
    payload: payload as unknown as Json,
    ...(delayMs === 0 ? {} : { delay: delayMs }),
    ...(escalates ? { escalate: undoOf(producer) } : {}),
  }))
  const asked = producer === 'unchecked' ? {} : { checkBack: producer }
  const after = checkAfterMs === null || producer === 'unchecked' ? {} : { checkAfter: checkAfterMs }
  return { id, pattern: 'message', deliveries: listed as Json, ...asked, ...after }
}

/** Who is told when a receiver says no. */
export function undoOf(producer: Producer): string {
  return `${producer === 'unchecked' ? 'orders-0' : producer}.undo`
}
