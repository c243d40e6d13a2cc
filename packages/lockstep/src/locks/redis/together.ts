import { RedisCallError, type RedisConnection, type RedisReply } from '../../ports/index.ts'
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
/** Those of one turn that are given nearly as long as each other leave together. */
const timeoutStepMs = 100

/**
 * What is asked for in one turn of the event loop leaves in one request, a script that does one thing after the other in the order of their asking: a
 * request costs client and server more than what is done in it. What is too much for one waits for the next turn, and what is asked for meanwhile stands
 * behind it: so the server works on the first ones while the others are made. What is asked for alone leaves as it is.
 */
export class Together {
  readonly #connection: RedisConnection
  readonly #asked: Asked[] = []

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** Rejects with a `RedisCallError`. */
  run(operation: Operation, recipe: Recipe, args: readonly string[], timeoutMs: number): Promise<RedisReply> {
    const { scripts, keys, together } = recipe
    if (together === null) return this.#connection.script(scripts[operation], keys, args, { timeoutMs })
    const inStepsMs = Math.ceil(timeoutMs / timeoutStepMs) * timeoutStepMs
    return new Promise((resolve, reject) => {
      this.#asked.push({ operation, recipe, args, timeoutMs: inStepsMs, resolve, reject })
      if (this.#asked.length === 1) void Promise.resolve().then(() => this.#sendSome())
    })
  }

  #sendSome(): void {
    const timeoutMs = this.#asked[0]?.timeoutMs
    let count = 1
    while (count < togetherMax && this.#asked[count]?.timeoutMs === timeoutMs) count += 1
    void this.#send(this.#asked.splice(0, count))
    if (this.#asked.length > 0) this.#connection.afterSending(() => this.#sendSome())
  }

  async #send(asked: readonly Asked[]): Promise<void> {
    const [first] = asked
    if (first === undefined) return
    const { recipe, operation, timeoutMs } = first
    const script = recipe.together
    if (asked.length === 1 || script === null) {
      const reply = this.#connection.script(recipe.scripts[operation], recipe.keys, first.args, { timeoutMs })
      return void reply.then(first.resolve, first.reject)
    }
    const keys = asked.map((one) => one.recipe.keys[0] as string)
    const args = asked.flatMap((one) => [one.operation, ...one.args])
    try {
      const replies = (await this.#connection.script(script, keys, args, { timeoutMs })) as readonly RedisReply[]
      for (const [index, one] of asked.entries()) settle(one, replies[index] ?? null)
    } catch (error) {
      for (const one of asked) one.reject(error)
    }
  }
}

/** An operation answers a number or a list; text is the error that it has ended with, and the others know nothing of it. */
function settle({ resolve, reject }: Asked, reply: RedisReply): void {
  if (typeof reply !== 'string') resolve(reply)
  else reject(new RedisCallError('refused', reply, { reply: /^[A-Z]+/.exec(reply)?.[0] ?? '' }))
}
