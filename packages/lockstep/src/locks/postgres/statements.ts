/** Statements over a pool, each with a deadline: waiting for a connection counts, and one that does not answer is not used again. */
import { messageOf } from '../../errors.ts'
import type { LockEnvironment, PgKeptClientHandle, PgResult } from '../../ports/index.ts'
import { hearHandOvers, type LockPool } from './hand-overs.ts'
import { NoAnswer, sqlStateOf } from './trouble.ts'

export type { LockPool }

/** The end of the time that something may take. */
export interface Deadline {
  readonly passed: Promise<never>
  /** Before its time. */
  pass(why: string): void
  cancel(): void
}

export class Statements {
  readonly #pool: LockPool
  readonly #timers: LockEnvironment['timers']

  constructor(pool: LockPool, timers: LockEnvironment['timers']) {
    this.#pool = pool
    this.#timers = timers
    hearHandOvers(pool)
  }

  /** Rejects with `NoAnswer`, or with what the server answered. */
  async run(text: string, values: unknown[] | undefined, timeoutMs: number): Promise<PgResult> {
    const { passed, cancel } = this.deadline(timeoutMs)
    try {
      const client = await this.connect(passed)
      return await this.#query(client, { text, values, passed })
    } finally {
      cancel()
    }
  }

  /** A connection, unless `passed` rejects before: then it is given back when it comes. */
  async connect(passed: Promise<never>): Promise<PgKeptClientHandle> {
    const connecting = this.#pool.connect()
    try {
      return await Promise.race([connecting, passed])
    } catch (error) {
      connecting.then(
        (client) => client.release(),
        () => {},
      )
      if (sqlStateOf(error) !== '') throw error
      throw new NoAnswer(`no connection: ${messageOf(error)}`, { wasSent: false, cause: error })
    }
  }

  /** To be kept, for as long as its owner wants. */
  async keep(timeoutMs: number): Promise<PgKeptClientHandle> {
    const deadline = this.deadline(timeoutMs)
    try {
      return await this.connect(deadline.passed)
    } finally {
      deadline.cancel()
    }
  }

  /** Counted from now. */
  deadline(timeoutMs: number): Deadline {
    const { promise, reject } = Promise.withResolvers<never>()
    promise.catch(() => undefined)
    const pass = (why: string): void => reject(new Error(why))
    const timer = this.#timers.after(timeoutMs, () => pass(`no answer in ${Math.round(timeoutMs)} ms`))
    return { passed: promise, pass, cancel: () => timer.cancel() }
  }

  async #query(
    client: PgKeptClientHandle,
    { text, values, passed }: { text: string; values: unknown[] | undefined; passed: Promise<never> },
  ): Promise<PgResult> {
    // A connection that breaks also says so to its listeners, and without one that would end the process.
    const heard = (): void => {}
    client.on('error', heard)
    const giveBack = (isBroken: boolean): void => {
      if (!isBroken) client.removeListener('error', heard)
      client.release(isBroken)
    }
    try {
      const result = await Promise.race([client.query(text, values), passed])
      giveBack(false)
      return result
    } catch (error) {
      const isRefused = sqlStateOf(error) !== '' && !/^(57P|08)/.test(sqlStateOf(error))
      giveBack(!isRefused)
      if (isRefused) throw error
      throw new NoAnswer(messageOf(error), { wasSent: true, cause: error })
    }
  }
}
