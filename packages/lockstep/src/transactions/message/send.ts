import { failpoint } from '#failpoint'
import { mutant } from '#mutant'
import { LockstepError } from '../../errors.ts'
import { type Json, verdictOf } from '../../ports/index.ts'
import { type BeginBody, durationMs, type TransactionBody, waitMaxMs } from '../../protocol/index.ts'
import { type Decided, decidedAs, type Initiating, type LocalTransaction, rolledBack } from '../initiating.ts'
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

export interface SendOptions<Payload> extends BeginOptions {
  readonly to: readonly (Receiver<Payload> | DeliveryOptions<Payload>)[]
  readonly payload: Payload
  /** What the check-back is given; null unless given. With several databases it says which one to look into. */
  readonly input?: Json
  /** Who is asked when nothing is heard: a check-back of this process, a service, or a URL. This process's own unless given. */
  readonly checkBack?: { readonly name: string } | string
  /** When it is asked first; 2 s unless given. */
  readonly checkAfter?: BeginBody['wait']
  /** How long to wait for the deliveries once it is decided; not at all unless given. */
  readonly wait?: BeginBody['wait']
}

export interface LocalWork<Branch, Result> {
  /** The local transaction: return what `branch.transact` gives. It runs only when the half message is durable. */
  readonly transaction: (branch: Branch) => Promise<Result>
}

export type SendOutcome<Result> =
  | (Decided & { readonly replayed: false; readonly result: Result })
  /** An earlier call with this id has committed: the local transaction has not run this time. */
  | (Decided & { readonly replayed: true; readonly result: undefined })

/**
 * Half message, local transaction, commit. Nothing runs when the half message was not accepted. After a throw or a lost COMMIT it never
 * rolls back on its own belief: it asks the check-back, in this process, and passes on what that has answered.
 */
export async function send<Branch, Payload, Result>(
  options: SendOptions<Payload>,
  { transaction: work }: LocalWork<Branch, Result>,
  by: Initiating<Branch>,
): Promise<SendOutcome<Result>> {
  const body = bodyOf(options, by)
  const { transaction } = await by.coordination.begin(body)
  if (transaction.status === 'rolling-back' || transaction.status === 'rolled-back') throw rolledBack(transaction)
  if (transaction.status !== 'prepared') return { ...decidedAs(transaction), replayed: true, result: undefined }
  await failpoint('producer.after-begin.before-local')
  const local = by.openLocal(localFacts(transaction, body, by))
  const result = await resultOf(work, { local, transaction, by })
  await failpoint('producer.after-local.before-commit')
  const decided = await by.coordination.decide(options.id, 'commit', { waitMs: waitMsOf(options) })
  return { ...decidedAs(decided), replayed: false, result }
}

function bodyOf<Payload>(
  options: SendOptions<Payload>,
  by: Pick<Initiating<unknown>, 'checkBack' | 'timeOf'>,
): BeginBody {
  const { id, labels, input, checkAfter, payload } = options
  const deliveries = options.to.map((receiver) => deliveryOf(receiver, payload as Json))
  const checkBack = checkBackOf(options, by)
  return { id, pattern: 'message', deliveries, checkBack, ...given({ labels, input, checkAfter }) }
}

function deliveryOf<Payload>(receiver: Receiver<Payload> | DeliveryOptions<Payload>, payload: Json): Json {
  if (typeof receiver === 'string' || !('to' in receiver)) return { to: targetOf(receiver), payload }
  const { to, name, delay, escalate } = receiver
  const told = escalate === undefined ? {} : { escalate: targetOf(escalate) }
  return { to: targetOf(to), payload, ...given({ name, delay }), ...told }
}

function targetOf(receiver: { readonly name: string } | string): string {
  return typeof receiver === 'string' ? receiver : receiver.name
}

/** Without one, a producer that dies between its commit and ours would leave the message undecided for ever. */
function checkBackOf<Payload>(
  { checkBack }: SendOptions<Payload>,
  by: Pick<Initiating<unknown>, 'checkBack' | 'timeOf'>,
): string {
  const name = checkBack === undefined ? by.checkBack : targetOf(checkBack)
  if (name !== null) return name
  throw new LockstepError('LOCKSTEP_INVALID_REQUEST', {
    message: 'send needs a check-back: who tells what became of the local transaction when this process dies?',
    issues: [{ path: '/checkBack', message: 'is missing' }],
    next: "Give `checkBack: checkBack('orders', { pool })` to the coordinator or to connect, or name one in send.",
  })
}

function localFacts(
  { store, id, createdAt }: TransactionBody,
  { input = null }: BeginBody,
  by: Pick<Initiating<unknown>, 'checkBack' | 'timeOf'>,
) {
  return { store, transaction: id, input, begunAt: by.timeOf(createdAt) }
}

interface Sending<Branch> {
  readonly local: LocalTransaction<Branch>
  readonly transaction: TransactionBody
  readonly by: Initiating<Branch>
}

async function resultOf<Branch, Result>(
  work: (branch: Branch) => Promise<Result>,
  sending: Sending<Branch>,
): Promise<Result> {
  const { local } = sending
  try {
    const result = await work(local.branch)
    await local.settle()
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
    : await local.check()
  const decision = outcome.kind === 'done' ? (outcome.output as { decision: 'commit' | 'rollback' }).decision : null
  try {
    // Without an answer as well: the coordinator then asks at once instead of at its time.
    await by.coordination.decide(id, decision ?? 'rollback')
  } catch {
    // The check-back has the last word in any case.
  }
  if (decision === 'commit') throw committedAllTheSame(id, error)
}

function committedAllTheSame(id: string, cause: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_COMMITTED_DESPITE_ERROR', {
    message: `The local transaction of ${id} is committed, and the message will be delivered, although the function threw.`,
    details: { id },
    cause,
  })
}

function waitMsOf<Payload>({ wait = 0 }: SendOptions<Payload>): number {
  return durationMs(wait, 'wait', { maxMs: waitMaxMs })
}
