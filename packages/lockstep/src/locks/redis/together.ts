import { RedisCallError, type RedisConnection, type RedisReply, type Timer, type Timers } from '../../ports/index.ts'
import type { Recipe } from './recipe.ts'

/** What is asked of one name; the arguments of each are in its script. */
export type Operation = 'acquire' | 'release' | 'pass'

interface Asked {
  readonly operation: Operation
  readonly recipe: Recipe
  readonly args: readonly string[]
  readonly timeoutMs: number
  readonly resolve: (reply: RedisReply) => void
  readonly reject: (error: unknown) => void
}

/** A script that runs for long keeps everybody else waiting. */
const togetherMax = 16

/**
 * What is asked for in one go leaves in one request, a script that does one thing after the other in the order of their asking: a
 * request costs client and server more than what is done in it. What is too much for one waits for the next turn, and what is asked for meanwhile stands
 * behind it: so the server works on the first ones while the others are made. What is asked for alone leaves as it is.
 */
export class Together {
  readonly #connection: RedisConnection
  readonly #timers: Timers
  readonly #asked: Asked[] = []

  constructor(connection: RedisConnection, timers: Timers) {
    this.#connection = connection
    this.#timers = timers
  }

  /** Rejects with a `RedisCallError`. */
  run(operation: Operation, recipe: Recipe, args: readonly string[], timeoutMs: number): Promise<RedisReply> {
    const { scripts, keys, together } = recipe
    if (together === null) return this.#connection.script(scripts[operation], keys, args, { timeoutMs })
    return new Promise((resolve, reject) => {
      this.#asked.push({ operation, recipe, args, timeoutMs, resolve, reject })
      if (this.#asked.length === 1) void Promise.resolve().then(() => this.#sendSome())
    })
  }

  #sendSome(): void {
    void this.#send(this.#asked.splice(0, togetherMax))
    if (this.#asked.length > 0) this.#connection.afterSending(() => this.#sendSome())
  }

  async #send(asked: readonly Asked[]): Promise<void> {
    const [first] = asked
    if (first === undefined) return
    const { recipe, operation } = first
    const script = recipe.together
    const timeoutMs = Math.max(...asked.map((one) => one.timeoutMs))
    if (asked.length === 1 || script === null) {
      const reply = this.#connection.script(recipe.scripts[operation], recipe.keys, first.args, { timeoutMs })
      return void reply.then(first.resolve, first.reject)
    }
    const keys = asked.map((one) => one.recipe.keys[0] as string)
    const args = asked.flatMap((one) => [one.operation, ...one.args])
    const timers = this.#shorter(asked, timeoutMs)
    try {
      const replies = (await this.#connection.script(script, keys, args, { timeoutMs })) as readonly RedisReply[]
      for (const [index, one] of asked.entries()) settle(one, replies[index] ?? null)
    } catch (error) {
      for (const one of asked) one.reject(error)
    } finally {
      for (const timer of timers) timer.cancel()
    }
  }

  /** Those that are given less time than the others they leave with. */
  #shorter(asked: readonly Asked[], longestMs: number): Timer[] {
    const brief = asked.filter(({ timeoutMs }) => timeoutMs < longestMs)
    const late = (): RedisCallError => new RedisCallError('unknown', 'Redis did not answer in time.')
    return brief.map(({ timeoutMs, reject }) => this.#timers.after(timeoutMs, () => reject(late())))
  }
}

/** An operation answers a number or a list; text is the error that it has ended with, and the others know nothing of it. */
function settle({ resolve, reject }: Asked, reply: RedisReply): void {
  if (typeof reply !== 'string') resolve(reply)
  else reject(new RedisCallError('refused', reply, { reply: /^[A-Z]+/.exec(reply)?.[0] ?? '' }))
}
