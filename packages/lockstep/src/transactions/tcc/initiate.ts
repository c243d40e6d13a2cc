import { failpoint } from '#failpoint'
import { mutant } from '#mutant'
import { isLockstepError, messageOf } from '../../errors.ts'
import type { BeginBody, TransactionBody } from '../../protocol/index.ts'
import {
  commit,
  type Initiated,
  type Initiating,
  noFunction,
  openUndecided,
  rolledBack,
  waitMsOf,
} from '../initiating.ts'
import { type BeginOptions, given } from '../run.ts'
import { type TccScope, Trials } from './trials.ts'

export interface TccOptions extends BeginOptions {
  /** Without a decision until then everything is cancelled; 60 s unless given. */
  readonly deadline?: BeginBody['wait']
  /** How long to wait for the end once it is decided; not at all unless given: the decision is irrevocable anyway. */
  readonly wait?: BeginBody['wait']
}

/** Runs the function, then commits; or rolls back when it throws, or when any try has not ended `done`. */
export async function initiate<Result>(
  options: TccOptions,
  body: (scope: TccScope) => Promise<Result>,
  by: Initiating<unknown>,
): Promise<Initiated<Result>> {
  const { id, deadline, labels } = options
  const waitMs = waitMsOf(options)
  if (typeof body !== 'function') throw noFunction('tcc needs the function that tries the branches')
  const opened = await openUndecided(by, { id, pattern: 'tcc', ...given({ deadline, labels }) })
  if ('decided' in opened) return opened.decided
  const result = await resultOf(body, new Trials(opened.transaction, by), by)
  await failpoint('tcc.initiator.after-all-tries')
  const decided = await commit(by, { id, waitMs, done: 'Everything was tried' })
  await failpoint('tcc.initiator.commit-unanswered')
  return { ...decided, replayed: false, result }
}

/** What the function throws goes to its caller as it is. Where it returns although a try failed, that is told instead. */
async function resultOf<Result>(
  body: (scope: TccScope) => Promise<Result>,
  trials: Trials,
  by: Initiating<unknown>,
): Promise<Result> {
  let result: Result
  try {
    result = await body(trials.scope)
  } catch (error) {
    trials.end()
    await rollBack(trials.id, error, by)
    throw error
  }
  const failure = await trials.settle()
  if (failure === null || mutant('T3-caught-failure-commits')) return result
  const { error: cause } = failure
  const transaction = await rollBack(trials.id, cause, by)
  // Nobody was told, so there is no answer to show: what the try threw says the most.
  throw transaction === null ? cause : rolledBack(transaction, { why: messageOf(cause), cause })
}

/** Silence rolls back as well, so a rollback that cannot be told is no second failure; one that comes too late is. */
async function rollBack(
  id: string,
  error: unknown,
  { coordination }: Initiating<unknown>,
): Promise<TransactionBody | null> {
  try {
    return await coordination.decide(id, 'rollback')
  } catch (refusal) {
    if (!isLockstepError(refusal, 'LOCKSTEP_ALREADY_COMMITTING')) return null
    throw Object.assign(refusal, { cause: error })
  }
}
