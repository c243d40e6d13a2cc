import { isLockstepError, messageOf } from '../errors.ts'
import type { Outcome, ParticipantCall, ParticipantSurroundings } from '../ports/index.ts'
import { verdictOf } from '../ports/index.ts'
import type { OpenBranch } from './open-branch.ts'

interface Ended {
  /** The participant or service whose code it was. */
  readonly name: string
  readonly branch: OpenBranch
  readonly call: ParticipantCall
  readonly surroundings: ParticipantSurroundings
}

/** What an error means for the caller. One that is no verdict is logged here, since the outcome carries only its words. */
export function outcomeOf(error: unknown, { name, branch, call, surroundings }: Ended): Outcome {
  const verdict = verdictOf(error)
  // A refusal promises that nothing happened. After the commit that would be a lie, so it is a failure like any other.
  if (verdict !== null && !(verdict.kind === 'refused' && branch.state === 'committed')) return verdict
  const message = verdict === null ? describe(error) : 'The operation was refused after branch.transact had committed.'
  const fields = { participant: name, operation: branch.operation, transaction: call.transaction, branch: call.branch }
  surroundings.logger.error({ ...fields, attempt: call.attempt, outcome: 'unknown' }, message)
  return { kind: 'unknown', error: message }
}

function describe(error: unknown): string {
  return isLockstepError(error) ? `${error.code}: ${error.message} ${error.next}` : messageOf(error)
}
