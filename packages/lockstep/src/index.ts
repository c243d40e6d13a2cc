/** Lockstep: keeps data in step across services and databases when any of them crashes. */

export { type AlertCounter, alertsTo, countedAlerts, logAlerts, type WebhookAlerts } from './alerts/index.ts'
export {
  type ConnectOptions,
  type CoordinatorOptions,
  connect,
  createCoordinator,
  createHandler,
  createLocks,
  type EmbeddedCoordinator,
  type HandlerOptions,
  type LocksOptions,
  type RemoteCoordinator,
  type WebhookOptions,
  webhookAlerts,
} from './compose.ts'
export type { Coordinator } from './coordinator/coordinator.ts'
export * from './errors.ts'
export {
  type ActionParticipant,
  askAgain,
  type Branch,
  type BranchFacts,
  type CheckBack,
  type CheckBackOptions,
  checkBack,
  type DeliveryParticipant,
  type LaterBranch,
  type Participant,
  type ParticipantKind,
  type ParticipantOptions,
  type ParticipantReference,
  participant,
  participantAt,
  refuse,
  type TccParticipant,
} from './participant/index.ts'
export type {
  Alert,
  AlertKind,
  Alerts,
  CheckBackDefinition,
  Json,
  Logger,
  Outcome,
  ParticipantDefinition,
  TransactionStore,
} from './ports/index.ts'
export type {
  ActionRequest,
  BeginAnswer,
  BeginBody,
  BranchBegin,
  Coordination,
  Duration,
  TransactionBody,
  TransactionListBody,
  WaitOptions,
} from './protocol/index.ts'
export type { Decided, Initiated } from './transactions/initiating.ts'
export type { Initiator } from './transactions/initiator.ts'
export {
  type AddressedDelivery,
  type Deliverable,
  type DeliveryOptions,
  deliveryTo,
  type EscalationPayload,
  type Receiver,
  type SendOptions,
} from './transactions/message/half-message.ts'
export type { LocalWork } from './transactions/message/send.ts'
export type { BeginOptions, Runnable, RunOptions, RunOutcome } from './transactions/run.ts'
export { type RunnableSaga, type SagaBuilder, saga } from './transactions/saga/index.ts'
export type { TccOptions } from './transactions/tcc/initiate.ts'
export type { TccScope, Triable, TryOptions } from './transactions/tcc/trials.ts'
export { nodeListener, type ServiceSettings } from './transports/index.ts'
