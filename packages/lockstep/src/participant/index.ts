export type { BarrierCall } from './barrier.ts'
export { passBarrier } from './barrier.ts'
export type { Branch, BranchFacts, LaterBranch, TransactionOf } from './branch.ts'
export type { CheckBack, CheckBackOptions, CustomCheck, PoolCheck } from './check-back.ts'
export { checkBack } from './check-back.ts'
export type { Sent } from './json-output.ts'
export type {
  ActionOperations,
  ActionParticipant,
  DeliveryOperations,
  DeliveryParticipant,
  Participant,
  ParticipantKind,
  ParticipantOptions,
  TccOperations,
  TccParticipant,
} from './kinds.ts'
export type { LocalBranch, LocalBranchOptions } from './local-branch.ts'
export { localBranch } from './local-branch.ts'
export { participant } from './participant.ts'
export { type ParticipantReference, participantAt } from './participant-at.ts'
export { askAgain, refuse } from './refuse.ts'
