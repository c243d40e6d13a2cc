import { failpoint } from '#failpoint'
import { mutant } from '#mutant'
import { LockstepError } from '../../errors.ts'
import type { Json } from '../../ports/index.ts'
import { type BeginBody, type BranchBegin, durationMs, type TransactionBody } from '../../protocol/index.ts'
import type { Initiating } from '../initiating.ts'
import { callTimeoutMs } from '../reading.ts'
import { tryBranch } from './try-branch.ts'

/** What must be known of a participant to try it: its name and its types. */
export interface Triable<Input, Output> {
  readonly name: string
  readonly kind?: 'tcc'
  readonly types?: { readonly input: Input; readonly output: Output }
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

/**
 * The tries of one transaction. One that has not ended `done` decides, whatever the function does with what it threw; one that is started
 * after the function has ended is refused.
 */
export class Trials {
  readonly id: string
  readonly scope: TccScope
  readonly #transaction: TransactionBody
  readonly #by: Initiating<unknown>
  readonly #untilMs: number
  readonly #uses = new Map<string, number>()
  readonly #running = new Set<Promise<unknown>>()
  readonly #over = new AbortController()
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

  /** Waits for every try, also for those that nobody has awaited and those that they start. Answers what the first failed one threw. */
  async settle(): Promise<{ readonly error: unknown } | null> {
    while (this.#running.size > 0 && this.#failure === null) await Promise.allSettled([...this.#running])
    this.end()
    return this.#failure
  }

  /** No try leaves any more, and none is repeated. */
  end(): void {
    this.#over.abort()
  }

  #start<Input, Output>({ name }: Triable<Input, Output>, input: Input, options: TryOptions = {}): Promise<Output> {
    const branch = options.name ?? this.#nameFor(name)
    const running = this.#try({ branch, target: name, input: input as Json, options })
    this.#running.add(running)
    // The first failure is noted here, so one that nobody awaits must not end the process.
    running.then(
      () => this.#running.delete(running),
      () => this.#running.delete(running),
    )
    return running as Promise<Output>
  }

  async #try(trial: { branch: string; target: string; input: Json; options: TryOptions }): Promise<Json> {
    const { branch, target, input, options } = trial
    try {
      const timeoutMs = durationMs(options.timeout ?? callTimeoutMs, 'timeout')
      if (this.#over.signal.aborted) throw tooLate(this.id, branch, 'its function has ended')
      if (!this.#by.transport.canCall(target)) throw noWay(target)
      await this.#register({ name: branch, participant: target, input })
      await failpoint('tcc.initiator.after-registering.before-try')
      const { store, createdAt } = this.#transaction
      const call = { target, operation: 'try', store, transaction: this.id, branch, timeoutMs, input } as const
      const begun = { begunAt: this.#by.timeOf(createdAt), traceparent: null }
      const until = { untilMs: this.#untilMs, over: this.#over.signal }
      return await tryBranch({ call: { ...call, ...begun }, ...until }, this.#by)
    } catch (error) {
      this.#failure ??= { error }
      throw error
    }
  }

  /** A repeat is answered also after the decision, and then no try may leave: its cancel may have been there already. */
  async #register(branch: BranchBegin): Promise<void> {
    const registered = this.#by.coordination.register(this.id, branch)
    if (mutant('T5-try-before-registration')) return
    const { transaction } = await registered
    if (transaction.status !== 'prepared') throw tooLate(this.id, branch.name, `it is ${transaction.status}`)
  }

  #nameFor(target: string): string {
    const count = (this.#uses.get(target) ?? 0) + 1
    this.#uses.set(target, count)
    const suffix = count === 1 ? '' : `-${count}`
    // A participant's name may be longer than a branch's.
    return `${target.slice(-64 + suffix.length)}${suffix}`.replace(/^_+/, '')
  }
}

function tooLate(id: string, branch: string, why: string): LockstepError {
  return new LockstepError('LOCKSTEP_DECIDED', {
    message: `Branch ${branch} of ${id} is not tried: ${why}.`,
    details: { id, branch },
  })
}

function noWay(target: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `This process knows no way to ${target}, which it is to try.`,
    next: `Give its service to createCoordinator or connect: services: { '${target.split('.', 1)[0]}': { url: … } }.`,
  })
}
