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

/** A receiver with a payload of its own; made by `deliveryTo`, which checks that they fit. */
export interface AddressedDelivery extends Omit<DeliveryOptions<never>, 'to'> {
  readonly to: string
  readonly payload: Json
}

/**
 * One receiver with a payload of its own, for a message whose receivers want different things.
 *
 * @example
 * to: [award, deliveryTo(mailer, { subject: 'Thank you' }, { delay: '1h' })]
 */
export function deliveryTo<Payload>(
  to: Receiver<Payload>,
  payload: NoInfer<Payload>,
  options: Omit<DeliveryOptions<Payload>, 'to'> = {},
): AddressedDelivery {
  return { ...options, to: targetOf(to), payload: payload as Json }
}

/** Who is asked: a check-back of this process with the type of its input, the name of a service, or a URL. */
type Asked<Input> = (CheckBackDefinition & { readonly types?: { readonly input: Input } }) | string

export interface SendOptions<Payload, Input = Json> extends BeginOptions {
  readonly to: readonly (Receiver<Payload> | DeliveryOptions<Payload> | AddressedDelivery)[]
  /** For every receiver that has none of its own. */
  readonly payload?: Payload
  /** What the check-back is given; null unless given. With several databases it says which one to look into. */
  readonly input?: NoInfer<Input>
  /** Who is asked when nothing is heard; this process's own check-back unless given. */
  readonly checkBack?: Asked<Input>
  /** When it is asked first; 2 s unless given. */
  readonly checkAfter?: BeginBody['wait']
  /** How long to wait for the deliveries once it is decided; not at all unless given. */
  readonly wait?: BeginBody['wait']
}

type Named = { readonly name: string } | string

interface PlainDelivery {
  readonly to: Named
  readonly payload?: unknown
  readonly name?: string
  readonly delay?: unknown
  readonly escalate?: Named
}

/** The options without their types. */
export interface PlainSend extends BeginOptions {
  readonly to: readonly (Named | PlainDelivery)[]
  readonly payload?: unknown
  readonly input?: unknown
  readonly checkBack?: Named
  readonly checkAfter?: unknown
}

/** The half message. `own` is this process's check-back. */
export function bodyOf(options: PlainSend, own: CheckBackDefinition | null): BeginBody {
  const { id, labels, input, checkAfter, payload = null } = options
  if (!Array.isArray(options.to)) throw noReceivers()
  const deliveries = options.to.map((receiver) => deliveryOf(receiver, payload))
  const checkBack = checkBackOf(options, own)
  return { id, pattern: 'message', deliveries, checkBack, ...given({ labels, input, checkAfter }) }
}

function deliveryOf(receiver: Named | PlainDelivery, shared: unknown): Json {
  if (typeof receiver === 'string' || !('to' in receiver)) return { to: targetOf(receiver), payload: shared as Json }
  const { to, name, delay, escalate, payload = shared } = receiver
  const told = escalate === undefined ? {} : { escalate: targetOf(escalate) }
  return { to: targetOf(to), payload: payload as Json, ...given({ name, delay }), ...told }
}

function noReceivers(): LockstepError {
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: '`to` must be an array of receivers: participants, URLs, or { to, … }.',
    issues: [{ path: '/to', message: 'must be an array' }],
  })
}

function targetOf(receiver: Named): string {
  return typeof receiver === 'string' ? receiver : receiver.name
}

/** Without one, a producer that dies between its commit and ours would leave the message undecided for ever. */
function checkBackOf({ checkBack }: PlainSend, own: CheckBackDefinition | null): string {
  const named = checkBack ?? own
  if (named !== null) return targetOf(named)
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: 'send needs a check-back: who tells what became of the local transaction when this process dies?',
    issues: [{ path: '/checkBack', message: 'is missing' }],
    next: "Give `checkBack: checkBack('orders', { pool })` to the coordinator or to connect, or name one in send.",
  })
}
