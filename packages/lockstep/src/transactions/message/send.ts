import { failpoint } from '#failpoint'
import { mutant } from '#mutant'
import { LockstepError } from '../../errors.ts'
import { type Json, type Outcome, verdictOf } from '../../ports/index.ts'
import type { TransactionBody } from '../../protocol/index.ts'
import {
  commit,
  type Initiated,
  type Initiating,
  type LocalFacts,
  type LocalTransaction,
  noFunction,
  openUndecided,
  rolledBack,
  waitMsOf,
} from '../initiating.ts'
import { callTimeoutMs } from '../reading.ts'
import { bodyOf, type SendOptions } from './half-message.ts'

export interface LocalWork<Branch, Result> {
  /** The local transaction: return what `branch.transact` gives. It runs only when the half message is durable. */
  readonly transaction: (branch: Branch) => Promise<Result>
}

/**
 * Half message, local transaction, commit. Nothing runs when the half message was not accepted. After a throw or a lost COMMIT it never
 * rolls back on its own belief: it asks the check-back, in this process, and passes on what that has answered.
 */
export async function send<Branch, Payload, Result, Input>(
  options: SendOptions<Payload, Input>,
  { transaction: work }: LocalWork<Branch, Result>,
  by: Initiating<Branch>,
): Promise<Initiated<Result>> {
  const waitMs = waitMsOf(options)
  if (typeof work !== 'function') throw noFunction('send needs `transaction`, the function with the local transaction')
  const opened = await openUndecided(by, bodyOf(options, by.checkBack))
  await failpoint('message.producer.begin-unanswered')
  if ('decided' in opened) return opened.decided
  const { transaction } = opened
  await failpoint('message.producer.after-begin.before-local')
  const facts = factsOf(transaction, options, by)
  const local = by.openLocal(facts)
  if (mutant('P6-commit-before-local')) void by.coordination.decide(options.id, 'commit').catch(() => {})
  const result = await resultOf(work, { local, facts, transaction, by })
  await failpoint('message.producer.after-local.before-commit')
  const decided = await commit(by, { id: options.id, waitMs, done: 'The local transaction is committed' })
  await failpoint('message.producer.commit-unanswered')
  return { ...decided, replayed: false, result }
}

function factsOf(
  { store, id, createdAt }: TransactionBody,
  { input = null, checkBack }: Pick<SendOptions<unknown, unknown>, 'input' | 'checkBack'>,
  by: Pick<Initiating<unknown>, 'checkBack' | 'timeOf'>,
): LocalFacts {
  const named = checkBack ?? by.checkBack
  const own = typeof named === 'string' ? null : named
  return { store, transaction: id, input: input as Json, begunAt: by.timeOf(createdAt), checkBack: own }
}

interface Sending<Branch> {
  readonly facts: LocalFacts
  readonly local: LocalTransaction<Branch>
  readonly transaction: TransactionBody
  readonly by: Initiating<Branch>
}

async function resultOf<Branch, Result>(
  work: (branch: Branch) => Promise<Result>,
  sending: Sending<Branch>,
): Promise<Result> {
  const { local, facts, transaction } = sending
  try {
    const result = await work(local.branch)
    await local.settle()
    // Without its row the check would find nothing, and roll back what has been committed.
    if (!local.used && facts.checkBack?.barrier === true) throw barrierNotUsed(transaction.id)
    return result
  } catch (error) {
    await settleByCheck(error, sending)
    throw thrownBy(error, sending.transaction)
  }
}

/** What `transact` and `refuse` throw is meant for a coordinator; the caller gets an error that it knows. */
function thrownBy(error: unknown, transaction: TransactionBody): unknown {
  const verdict = verdictOf(error)
  if (verdict === null) return error
  const { id } = transaction
  if (verdict.kind !== 'refused') {
    const message = `The local transaction of ${id} has not run: ${verdict.kind === 'unknown' ? verdict.error : 'its database is busy'}.`
    return new LockstepError('LOCKSTEP_NO_ANSWER', { message, details: { id } })
  }
  const { reason } = verdict
  if ((reason as { code?: unknown } | null)?.code === 'closed') return rolledBack(transaction, { why: closed })
  const message = `The local transaction of ${id} refused: ${JSON.stringify(reason).slice(0, 300)}.`
  return new LockstepError('LOCKSTEP_REFUSED', { message, details: { id, reason } })
}

const closed = 'the check-back came before the local transaction, which can never commit any more'

/** Whatever happened, the check knows: its answer is passed on, and where it has none the coordinator will ask. */
async function settleByCheck<Branch>(error: unknown, { local, transaction, by }: Sending<Branch>): Promise<void> {
  const { id } = transaction
  await local.settle().catch(() => {})
  const outcome = mutant('P1-rollback-on-own-belief')
    ? { kind: 'done', output: { decision: 'rollback' } }
    : await checkInTime(local, by)
  const decision = outcome.kind === 'done' ? (outcome.output as { decision: 'commit' | 'rollback' }).decision : null
  try {
    // Without an answer as well: the coordinator then asks at once instead of at its time.
    await by.coordination.decide(id, decision ?? 'rollback')
  } catch {
    // The check-back has the last word in any case.
  }
  if (decision === 'commit') throw committedAllTheSame(id, error)
}

/** A check that hangs is no answer, as it would not be to the coordinator. */
function checkInTime<Branch>(local: LocalTransaction<Branch>, { environment }: Initiating<Branch>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const late: Outcome = { kind: 'unknown', error: 'The check-back did not answer in time.' }
    const timer = environment.timers.after(callTimeoutMs, () => resolve(late))
    local
      .check()
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}

function barrierNotUsed(id: string): LockstepError {
  return new LockstepError('LOCKSTEP_BARRIER_NOT_USED', {
    message: `The local transaction of ${id} returned without branch.transact: the message is rolled back, and what it did is not.`,
    next: 'Do its work inside `branch.transact`, or give a check-back with a `check` of your own.',
  })
}

function committedAllTheSame(id: string, cause: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_COMMITTED_DESPITE_ERROR', {
    message: `The local transaction of ${id} is committed, and the message will be delivered, although the function threw.`,
    details: { id },
    cause,
  })
}
