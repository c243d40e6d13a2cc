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

/** A script that runs for long keeps everybody else waiting, and the server can begin with the first ones while the others are still being written. */
const togetherMax = 16
/** Those of one turn that are given nearly as long as each other leave together. */
const timeoutStepMs = 100

/**
 * What is asked for in one turn of the event loop leaves in few requests, each a script that does one thing after the other in the order of their
 * asking: a request costs client and server more than what is done in it. What is asked for alone leaves as it is.
 */
export class Together {
  readonly #connection: RedisConnection
  #asked: Asked[] = []

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
      if (this.#asked.length === 1) void Promise.resolve().then(() => this.#sendAll())
    })
  }

  #sendAll(): void {
    const asked = this.#asked
    this.#asked = []
    for (let from = 0; from < asked.length; ) {
      const timeoutMs = asked[from]?.timeoutMs
      let to = from + 1
      while (to < asked.length && to - from < togetherMax && asked[to]?.timeoutMs === timeoutMs) to += 1
      void this.#send(asked.slice(from, to))
      from = to
    }
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
