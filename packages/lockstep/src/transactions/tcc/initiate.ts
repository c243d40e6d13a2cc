import { failpoint } from '#failpoint'
import { mutant } from '#mutant'
import { isLockstepError, messageOf } from '../../errors.ts'
import type { Json } from '../../ports/index.ts'
import { type BeginBody, type BranchBegin, durationMs, type TransactionBody, waitMaxMs } from '../../protocol/index.ts'
import { type Decided, decidedAs, type Initiating, rolledBack } from '../initiating.ts'
import { callTimeoutMs } from '../reading.ts'
import { type BeginOptions, given } from '../run.ts'
import { tryBranch } from './try-branch.ts'

/** What must be known of a participant to try it: its name and its types. */
export interface Triable<Input, Output> {
  readonly name: string
  readonly kind?: 'tcc'
  readonly types?: { readonly input: Input; readonly output: Output }
}

export interface TccOptions extends BeginOptions {
  /** Without a decision until then everything is cancelled; 60 s unless given. */
  readonly deadline?: BeginBody['wait']
  /** How long to wait for the end once it is decided; not at all unless given: the decision is irrevocable anyway. */
  readonly wait?: BeginBody['wait']
}

export interface TryOptions {
  /** The branch's name; the participant's unless given, with a number from the second use on. */
  readonly name?: string
  /** How long one attempt may take; 10 s unless given. */
  readonly timeout?: BeginBody['wait']
}

export interface TccScope {
  readonly id: string
  /**
   * Registers a branch durably, then tries it. Resolves with what the try answered. Throws `LOCKSTEP_REFUSED` for a business no,
   * `LOCKSTEP_NO_ANSWER`, `LOCKSTEP_DECIDED`; whatever it throws, the transaction will be rolled back, also where that is caught.
   */
  try<Input, Output>(participant: Triable<Input, Output>, input: NoInfer<Input>, options?: TryOptions): Promise<Output>
}

export type TccOutcome<Result> =
  | (Decided & { readonly replayed: false; readonly result: Result })
  /** An earlier call with this id has committed: the function has not run this time. */
  | (Decided & { readonly replayed: true; readonly result: undefined })

/** Runs the function, then commits; or rolls back when it throws, or when any try has not ended `done`. */
export async function initiate<Result>(
  options: TccOptions,
  body: (scope: TccScope) => Promise<Result>,
  by: Initiating<unknown>,
): Promise<TccOutcome<Result>> {
  const { id, deadline, labels } = options
  const { transaction } = await by.coordination.begin({ id, pattern: 'tcc', ...given({ deadline, labels }) })
  if (transaction.status === 'rolling-back' || transaction.status === 'rolled-back') throw rolledBack(transaction)
  if (transaction.status !== 'prepared') return { ...decidedAs(transaction), replayed: true, result: undefined }
  const tries = new Tries(transaction, by)
  const result = await resultOf(body, tries, by)
  await failpoint('tcc.initiator.after-all-tries')
  const decided = await by.coordination.decide(id, 'commit', { waitMs: waitMsOf(options) })
  await failpoint('tcc.initiator.commit-unanswered')
  return { ...decidedAs(decided), replayed: false, result }
}

function waitMsOf({ wait = 0 }: TccOptions): number {
  return durationMs(wait, 'wait', { maxMs: waitMaxMs })
}

/** What the function throws goes to its caller as it is. Where it returns although a try failed, that is told instead. */
async function resultOf<Result>(
  body: (scope: TccScope) => Promise<Result>,
  tries: Tries,
  by: Initiating<unknown>,
): Promise<Result> {
  let result: Result
  try {
    result = await body(tries.scope)
  } catch (error) {
    await rollBack(tries.id, error, by)
    throw error
  }
  const failure = await tries.settle()
  if (failure === null || mutant('T3-caught-failure-commits')) return result
  const { error: cause } = failure
  const transaction = await rollBack(tries.id, cause, by)
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

/** The tries of one transaction. One that has not ended `done` decides, whatever the function does with what it threw. */
class Tries {
  readonly id: string
  readonly scope: TccScope
  readonly #transaction: TransactionBody
  readonly #by: Initiating<unknown>
  readonly #untilMs: number
  readonly #uses = new Map<string, number>()
  readonly #running: Promise<unknown>[] = []
  #failure: { readonly error: unknown } | null = null

  constructor(transaction: TransactionBody, by: Initiating<unknown>) {
    this.id = transaction.id
    this.#transaction = transaction
    this.#by = by
    // The span, not the moment: this process's clock and the store's may differ.
    const { createdAt, deadlineAt } = transaction
    const spanMs = deadlineAt === null ? 0 : by.timeOf(deadlineAt) - by.timeOf(createdAt)
    this.#untilMs = by.environment.clock.monotonicMs() + spanMs
    this.scope = { id: this.id, try: (participant, input, options) => this.#start(participant, input, options) }
  }

  /** Waits for every try, also for one that the function has not awaited. Answers what the first failed one threw. */
  async settle(): Promise<{ readonly error: unknown } | null> {
    await Promise.allSettled(this.#running)
    return this.#failure
  }

  #start<Input, Output>(
    { name: target }: Triable<Input, Output>,
    input: Input,
    { name, timeout = callTimeoutMs }: TryOptions = {},
  ): Promise<Output> {
    const branch = name ?? this.#nameFor(target)
    const running = this.#try({ branch, target, input: input as Json, timeoutMs: durationMs(timeout, 'timeout') })
    this.#running.push(running)
    // The first failure is noted here, so one that nobody awaits must not end the process.
    running.catch(() => {})
    return running as Promise<Output>
  }

  async #try(trial: { branch: string; target: string; input: Json; timeoutMs: number }): Promise<Json> {
    const { branch, target, input, timeoutMs } = trial
    const { store, createdAt } = this.#transaction
    const { coordination, timeOf } = this.#by
    try {
      const registered = coordination.register(this.id, { name: branch, participant: target, input } as BranchBegin)
      if (!mutant('T5-try-before-registration')) await registered
      await failpoint('tcc.initiator.after-registering.before-try')
      const call = { target, operation: 'try', store, transaction: this.id, branch, timeoutMs, input } as const
      const begun = { begunAt: timeOf(createdAt), traceparent: null }
      return await tryBranch({ call: { ...call, ...begun }, untilMs: this.#untilMs }, this.#by)
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  #nameFor(target: string): string {
    const count = (this.#uses.get(target) ?? 0) + 1
    this.#uses.set(target, count)
    const suffix = count === 1 ? '' : `-${count}`
    // A participant's name may be longer than a branch's.
    return `${target.slice(-64 + suffix.length)}${suffix}`.replace(/^_+/, '')
  }
}
