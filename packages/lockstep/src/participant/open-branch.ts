import { failpoint } from '#failpoint'
import { mutant } from '#mutant'
import { LockstepError } from '../errors.ts'
import type {
  BarrierDatabase,
  BarrierRows,
  Json,
  Operation,
  ParticipantCall,
  ParticipantSurroundings,
} from '../ports/index.ts'
import { BarrierBusy, Verdict } from '../ports/index.ts'
import { barrierLockWaitMs, canonicalJson } from '../protocol/index.ts'
import { passBarrier } from './barrier.ts'
import type { Branch, LaterBranch, TransactionOf } from './branch.ts'

/** Whether the work took effect, told apart for the participant. */
export type TransactState = 'unused' | 'open' | 'committed' | 'failed'

/** One call's branch, and what became of its `transact`. */
export class OpenBranch implements LaterBranch<Json> {
  readonly store: string
  readonly transaction: string
  readonly name: string
  readonly operation: Operation
  readonly attempt: number
  readonly begunAt: number
  readonly traceparent: string | null
  readonly signal?: AbortSignal
  output: Json | undefined = undefined
  empty = false
  state: TransactState = 'unused'
  /** What `transact` was given. */
  handle: object | null = null
  #transacted: Promise<unknown> | null = null
  #misuse: LockstepError | null = null
  readonly input: Json
  #shutOut: string | null = null
  #runsEmpty = false
  readonly #surroundings: ParticipantSurroundings

  constructor(operation: Operation, input: Json, call: ParticipantCall, surroundings: ParticipantSurroundings) {
    this.store = call.store
    this.transaction = call.transaction
    this.name = call.branch
    this.operation = operation
    this.attempt = call.attempt
    this.begunAt = call.begunAt
    this.traceparent = call.traceparent
    if (call.signal !== undefined) this.signal = call.signal
    this.input = input
    this.#surroundings = surroundings
  }

  transact<Handle extends object, Output>(
    handle: Handle,
    run: (tx: TransactionOf<Handle>) => Promise<Output> | Output,
  ): Promise<Output> {
    if (this.#transacted !== null) {
      this.#misuse = transactedTwice(this)
      return Promise.reject(this.#misuse)
    }
    const transacted = this.#transact(handle, async (tx) => run(tx as TransactionOf<Handle>)) as Promise<unknown>
    this.#transacted = transacted
    // The participant waits for it in any case; without this a forgotten `await` would end the process.
    transacted.catch(() => {})
    return transacted as Promise<Output>
  }

  /** The barrier still answers what needs no business: a repeat, and the reversal of something that never ran. */
  shutOutBusiness(why: string): void {
    this.#shutOut = why
  }

  /** For a cancel whose try may have worked outside the database and lost its row. */
  runThoughEmpty(): void {
    this.#runsEmpty = true
  }

  /** Waits for `transact` even where the user's code did not, and throws what it threw even where that was caught. */
  async settle(): Promise<void> {
    await this.#transacted
    if (this.#misuse !== null) throw this.#misuse
  }

  async #transact(handle: object, run: (tx: unknown) => Promise<unknown>): Promise<Json> {
    this.state = 'open'
    this.handle = handle
    try {
      const output = await this.#openTransaction(handle, run)
      this.state = 'committed'
      return output
    } catch (error) {
      this.state = 'failed'
      throw error instanceof BarrierBusy ? new Verdict({ kind: 'pending' }) : error
    }
  }

  async #openTransaction(handle: object, run: (tx: unknown) => Promise<unknown>): Promise<Json> {
    const database = databaseOf(handle, this.#surroundings.databases)
    if (this.#olderThanBarrier()) {
      const reverses = this.operation === 'compensate' || this.operation === 'cancel'
      if (reverses && mutant('L10-old-compensation-done')) return null
      throw olderThanBarrier()
    }
    const inputHash = this.#surroundings.sha256(canonicalJson(this.input))
    const pass = (tx: unknown, rows: BarrierRows): Promise<Json> => {
      if (mutant('M01-no-barrier-row')) return run(tx).then((output) => (output ?? null) as Json)
      const { store, transaction, name: branch, operation } = this
      // An input that does not fit never reached a try, so there is nothing to undo without a row either.
      const runEmpty = this.#runsEmpty && this.#shutOut === null
      return passBarrier(
        { store, transaction, branch, operation, inputHash, runEmpty },
        rows,
        async (forwardOutput) => {
          if (this.#shutOut !== null) throw new Verdict({ kind: 'unknown', error: this.#shutOut })
          this.output = forwardOutput
          this.empty = runEmpty && forwardOutput === undefined
          await failpoint('participant.barrier.after-insert')
          const output = await run(tx)
          await failpoint('participant.business.after')
          return output
        },
      )
    }
    const output = await database.transact(handle, pass, { lockWaitMs: barrierLockWaitMs })
    await failpoint('participant.commit.after')
    return output
  }

  /** Rows of such a transaction may be gone, so "not found" proves nothing any more (law 10). */
  #olderThanBarrier(): boolean {
    return this.begunAt < this.#surroundings.clock.now() - this.#surroundings.barrierRetentionMs
  }
}

function databaseOf(handle: object, databases: readonly BarrierDatabase[]): BarrierDatabase {
  const database = databases.find((candidate) => candidate.recognises(handle))
  if (database !== undefined) return database
  const known = databases.map((candidate) => candidate.accepts ?? candidate.name).join('; ')
  throw new LockstepError('LOCKSTEP_ADAPTER_MISMATCH', {
    message: `branch.transact was given a ${handle?.constructor?.name ?? typeof handle} that no adapter knows. Known: ${known || 'none'}.`,
  })
}

function olderThanBarrier(): Verdict {
  const error = 'The transaction is older than the memory of the barrier; what ran is no longer known.'
  return new Verdict({ kind: 'unknown', code: 'older-than-barrier', error })
}

function transactedTwice(branch: Branch): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `branch.transact was called twice in one ${branch.operation} of branch ${branch.name}: the second could not be undone with the first.`,
    outcome: 'unknown',
    next: 'Do all work of one operation in one branch.transact, or make two steps of it.',
  })
}
