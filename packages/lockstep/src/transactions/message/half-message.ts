import { LockstepError } from '../../errors.ts'
import type { CheckBackDefinition, Json } from '../../ports/index.ts'
import type { BeginBody } from '../../protocol/index.ts'
import { type BeginOptions, given } from '../run.ts'

/** What must be known of a participant to deliver to it. */
export interface Deliverable<Payload> {
  readonly name: string
  readonly kind?: 'deliver'
  readonly types?: { readonly input: Payload; readonly output: unknown }
}

/** A receiver: a participant, or a URL. */
export type Receiver<Payload> = Deliverable<Payload> | string

export interface DeliveryOptions<Payload> {
  readonly to: Receiver<Payload>
  /** The branch's name; its position, from 1 on, unless given. */
  readonly name?: string
  /** From the decision on. */
  readonly delay?: BeginBody['wait']
  /** Told by a linked message when the receiver says no; without it a person is asked. */
  readonly escalate?: Deliverable<EscalationPayload> | string
}

/** What an escalation is told. */
export interface EscalationPayload {
  readonly transaction: string
  readonly delivery: string
  /** Of the message. */
  readonly input: Json
  readonly payload: Json
}

export interface SendOptions<Payload> extends BeginOptions {
  readonly to: readonly (Receiver<Payload> | DeliveryOptions<Payload>)[]
  readonly payload: Payload
  /** What the check-back is given; null unless given. With several databases it says which one to look into. */
  readonly input?: Json
  /** Who is asked when nothing is heard: a check-back of this process, a service, or a URL. This process's own unless given. */
  readonly checkBack?: CheckBackDefinition | string
  /** When it is asked first; 2 s unless given. */
  readonly checkAfter?: BeginBody['wait']
  /** How long to wait for the deliveries once it is decided; not at all unless given. */
  readonly wait?: BeginBody['wait']
}

/** The half message. `own` is this process's check-back. */
export function bodyOf<Payload>(options: SendOptions<Payload>, own: CheckBackDefinition | null): BeginBody {
  const { id, labels, input, checkAfter, payload } = options
  const deliveries = options.to.map((receiver) => deliveryOf(receiver, payload as Json))
  const checkBack = checkBackOf(options, own)
  return { id, pattern: 'message', deliveries, checkBack, ...given({ labels, input, checkAfter }) }
}

function deliveryOf<Payload>(receiver: Receiver<Payload> | DeliveryOptions<Payload>, payload: Json): Json {
  if (typeof receiver === 'string' || !('to' in receiver)) return { to: targetOf(receiver), payload }
  const { to, name, delay, escalate } = receiver
  const told = escalate === undefined ? {} : { escalate: targetOf(escalate) }
  return { to: targetOf(to), payload, ...given({ name, delay }), ...told }
}

function targetOf(receiver: { readonly name: string } | string): string {
  return typeof receiver === 'string' ? receiver : receiver.name
}

/** Without one, a producer that dies between its commit and ours would leave the message undecided for ever. */
function checkBackOf<Payload>({ checkBack }: SendOptions<Payload>, own: CheckBackDefinition | null): string {
  const named = checkBack ?? own
  if (named !== null) return targetOf(named)
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: 'send needs a check-back: who tells what became of the local transaction when this process dies?',
    issues: [{ path: '/checkBack', message: 'is missing' }],
    next: "Give `checkBack: checkBack('orders', { pool })` to the coordinator or to connect, or name one in send.",
  })
}
