import type { BranchState, Json, Transaction } from '../../ports/index.ts'
import type { Errand } from '../errand.ts'

/** One receiver, as fixed at begin. */
export interface Delivery {
  readonly name: string
  readonly to: string
  readonly payload: Json
  /** From the decision on. */
  readonly delayMs: number
  /** Whom to tell when the receiver says no; null when a person is asked. */
  readonly escalate: string | null
}

export interface MessageDefinition {
  readonly input: Json
  /** A URL or the name of a service; null when only the initiator decides. */
  readonly checkBack: string | null
  readonly checkAfterMs: number
  readonly deliveries: readonly Delivery[]
  /** Services of the deliveries: all that is needed once it is decided. */
  readonly needs: readonly string[]
}

/** A delivery that retrying cannot help. The others go on; then a person is asked. */
export interface Stuck {
  readonly reason: string
  readonly detail: string
  /** The `ageFrom` under which it got stuck: a resume is another try. */
  readonly under: number
}

export interface DeliveryState {
  readonly state: BranchState
  readonly output: Json | null
  readonly errand: Errand
  /** Not before this; null until it is decided. Durable with the decision, so that a crash shortens no delay. */
  readonly dueAt: number | null
  readonly stuck: Stuck | null
  /** The linked transaction of a refused delivery: owed, asked for by this owner, or durably begun. */
  readonly escalation: 'owed' | 'asked' | 'begun' | null
}

export interface MessageState {
  /** The check-back. */
  readonly check: Errand
  /** Somebody wants the check now, before its first time. */
  readonly hurried: boolean
  /** The producer's barrier has said that it remembers so much no more: no check will ever be answered. */
  readonly forgotten?: boolean
  readonly deliveries: readonly DeliveryState[]
}

export type Message = Transaction<MessageDefinition, MessageState>

export function withDelivery(message: Message, position: number, change: Partial<DeliveryState>): Message {
  const deliveries = message.state.deliveries.map((one, at) => (at === position ? { ...one, ...change } : one))
  return { ...message, state: { ...message.state, deliveries } }
}

export function positionOf(message: Message, name: string): number {
  return message.definition.deliveries.findIndex((delivery) => delivery.name === name)
}

/** Nothing more comes of it, whoever waits. */
export function isSettled({ state, escalation }: DeliveryState): boolean {
  return state === 'done' || state === 'skipped' || (state === 'refused' && escalation === 'begun')
}

/** It waits for a person, unless somebody has resumed the message since. */
export function isStuck({ stuck }: DeliveryState, { ageFrom }: Message): boolean {
  return stuck !== null && stuck.under === ageFrom
}
