/** Lockstep: keeps data in step across services and databases when any of them crashes. */
export { type CoordinatorOptions, createCoordinator, createHandler, type HandlerOptions } from './compose.ts'
export type { ActionRequest } from './coordinator/actions.ts'
export type { BeginBody } from './coordinator/begin-body.ts'
export type { BeginAnswer, Coordinator, Runnable, RunOptions, RunOutcome } from './coordinator/coordinator.ts'
export * from './errors.ts'
export {
  askAgain,
  type Branch,
  type LaterBranch,
  type Participant,
  type ParticipantOptions,
  participant,
  refuse,
} from './participant/index.ts'
export type { Json, Logger, Outcome, ParticipantDefinition, TransactionStore } from './ports/index.ts'
export type { TransactionBody, TransactionListBody } from './protocol/index.ts'
export { type RunnableSaga, type SagaBuilder, saga } from './transactions/saga/index.ts'
export { nodeListener, type ServiceSettings } from './transports/index.ts'
