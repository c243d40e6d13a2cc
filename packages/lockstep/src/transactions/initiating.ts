import { isLockstepError, LockstepError, messageOf } from '../errors.ts'
import type { CheckBackDefinition, Environment, Json, Outcome, Transport } from '../ports/index.ts'
import { type BeginBody, type Coordination, durationMs, type TransactionBody, waitMaxMs } from '../protocol/index.ts'

/** What whoever initiates a transaction works with: a coordinator, near or far, and its own way to the participants. */
export interface Initiating<Branch> {
  readonly coordination: Coordination
  /** For the tries, which the initiator sends itself. */
  readonly transport: Transport
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>
  /** Milliseconds since 1970 of a time as the wire has it. */
  readonly timeOf: (iso: string) => number
  /** This process's own check-back: asked where a message names none. */
  readonly checkBack: CheckBackDefinition | null
  readonly openLocal: (facts: LocalFacts) => LocalTransaction<Branch>
}

export interface LocalFacts {
  readonly store: string
  readonly transaction: string
  readonly input: Json
  readonly begunAt: number
  /** What knows how to check; null where that is not in this process, and the barrier is asked. */
  readonly checkBack: CheckBackDefinition | null
}

/** The producer's own transaction, and the check of what became of it. */
export interface LocalTransaction<Branch> {
  readonly branch: Branch
  /** False while nothing has gone through `branch.transact`. */
  readonly used: boolean
  settle(): Promise<void>
  check(): Promise<Outcome>
}

/** A decision that was answered, so that only its end is still to come. */
export type Decided =
  | { readonly status: 'committed'; readonly incomplete: boolean }
  /** Irrevocable and on its way; `get` with a wait tells the end. */
  | { readonly status: 'committing' }
  /** Decided as well, and a person must look before it goes on. */
  | { readonly status: 'held'; readonly reason: string }

export function decidedAs({ status, incomplete, held }: TransactionBody): Decided {
  if (status === 'committed') return { status, incomplete }
  return held === null ? { status: 'committing' } : { status: 'held', reason: held.reason }
}

/** A decided transaction, and what came of the function that led there. */
export type Initiated<Result> =
  | (Decided & { readonly replayed: false; readonly result: Result })
  /** An earlier call with this id has committed: the function has not run this time. */
  | (Decided & { readonly replayed: true; readonly result: undefined })

/**
 * Begins a transaction whose decision is the initiator's, or finds the one with this id and content. Throws `LOCKSTEP_ROLLED_BACK` when
 * that was rolled back.
 */
export async function openUndecided(
  { coordination }: Pick<Initiating<unknown>, 'coordination'>,
  body: BeginBody,
): Promise<{ readonly transaction: TransactionBody } | { readonly decided: Initiated<never> }> {
  const transaction = await coordination.begin(body).then((answer) => answer.transaction, endedLongAgo)
  if ('decided' in transaction) return transaction
  const { status } = transaction
  if (status === 'rolling-back' || status === 'rolled-back') throw rolledBack(transaction)
  if (status === 'prepared') return { transaction }
  return { decided: { ...decidedAs(transaction), replayed: true, result: undefined } }
}

/** Past retention the end is all that is known, and it is enough. */
function endedLongAgo(error: unknown): { readonly decided: Initiated<never> } {
  if (!isLockstepError(error, 'LOCKSTEP_EXPIRED')) throw error
  const { id, status } = (error.details ?? {}) as { readonly id?: string; readonly status?: string }
  if (status === 'rolled-back') throw rolledBack({ id: id ?? '', reason: null })
  if (status !== 'committed') throw error
  return { decided: { status, incomplete: false, replayed: true, result: undefined } }
}

/** Asked before anything is done: a wait that makes no sense must not be found out after the work. */
export function waitMsOf({ wait = 0 }: { readonly wait?: BeginBody['wait'] }): number {
  return durationMs(wait, 'wait', { maxMs: waitMaxMs })
}

/** Whatever kept the commit from being confirmed, the work before it stands: nothing here may say that it had no effect. */
export async function commit(
  { coordination }: Pick<Initiating<unknown>, 'coordination'>,
  { id, waitMs, done }: { readonly id: string; readonly waitMs: number; readonly done: string },
): Promise<Decided> {
  try {
    return decidedAs(await coordination.decide(id, 'commit', { waitMs }))
  } catch (error) {
    if (isLockstepError(error, 'LOCKSTEP_ALREADY_ROLLING_BACK')) throw error
    const message = `${done}, but the commit of ${id} is not confirmed: ${messageOf(error)}`
    throw new LockstepError('LOCKSTEP_COMMIT_UNCONFIRMED', { message, details: { id }, cause: error })
  }
}

export function rolledBack(
  { id, reason }: Pick<TransactionBody, 'id' | 'reason'>,
  options: { readonly why?: string; readonly cause?: unknown } = {},
): LockstepError<'LOCKSTEP_ROLLED_BACK'> {
  const { why = reason === null ? '' : JSON.stringify(reason).slice(0, 300), cause } = options
  return new LockstepError('LOCKSTEP_ROLLED_BACK', {
    message: `Transaction ${id} was rolled back${why === '' ? '' : `: ${why.replace(/\.$/, '')}`}.`,
    details: { id, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}

export function noFunction(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_INVALID_REQUEST', { message: `${message}.`, issues: [{ path: '', message }] })
}
