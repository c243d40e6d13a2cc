import { LockstepError } from '../../errors.ts'
import type { Call, Environment, Json, Outcome, Transport } from '../../ports/index.ts'
import { backOffMs, boundedRetryAfterMs } from '../back-off.ts'

/** One branch that the initiator tries. */
export interface Trial {
  readonly call: Omit<Call, 'attempt'>
  /** Monotonic: nobody waits for the answer any more. */
  readonly untilMs: number
  /** Aborted when the transaction is over for its initiator. */
  readonly over: AbortSignal
}

export interface Trying {
  readonly transport: Pick<Transport, 'call'>
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>
}

/**
 * Sends the try until it is answered for good, or until the transaction's deadline: the barrier makes a repeat harmless. Throws
 * `LOCKSTEP_REFUSED` for a business no, `LOCKSTEP_NO_ANSWER` when the time is up.
 */
export async function tryBranch(trial: Trial, { transport, environment }: Trying): Promise<Json> {
  const { clock, random } = environment
  for (let attempt = 1; ; attempt++) {
    const outcome = await transport.call({ ...trial.call, attempt })
    if (outcome.kind === 'done') return outcome.output
    if (outcome.kind === 'refused') throw refused(trial, outcome.reason)
    const waitMs = pauseMs(outcome, attempt, random.fraction('try'))
    const isLate = trial.over.aborted || clock.monotonicMs() + waitMs >= trial.untilMs
    if (isLate) throw unanswered(trial, outcome)
    await pause(waitMs, trial.over, environment)
    if (trial.over.aborted) throw unanswered(trial, outcome)
  }
}

/** Ends early when nobody waits any more. */
function pause(ms: number, over: AbortSignal, { timers }: Pick<Environment, 'timers'>): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      timer.cancel()
      over.removeEventListener('abort', wake)
      resolve()
    }
    const timer = timers.after(ms, wake)
    over.addEventListener('abort', wake)
  })
}

function pauseMs(outcome: Exclude<Outcome, { kind: 'done' | 'refused' }>, attempt: number, jitter: number): number {
  if (outcome.kind === 'pending') return boundedRetryAfterMs(outcome.retryAfterMs ?? 1_000)
  return backOffMs(attempt, jitter, outcome.retryAfterMs)
}

function refused({ call }: Trial, reason: Json): LockstepError {
  return new LockstepError('LOCKSTEP_REFUSED', {
    message: `${call.target} refused the try of ${call.branch}: ${JSON.stringify(reason).slice(0, 300)}.`,
    details: { id: call.transaction, branch: call.branch, reason },
  })
}

function unanswered({ call }: Trial, outcome: Outcome): LockstepError {
  const why = outcome.kind === 'unknown' ? outcome.error : 'not yet'
  return new LockstepError('LOCKSTEP_NO_ANSWER', {
    message: `${call.target} did not answer the try of ${call.branch} before the end of ${call.transaction}: ${why.replace(/\.$/, '')}.`,
    details: { id: call.transaction, branch: call.branch },
  })
}
