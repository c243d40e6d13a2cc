import {
  RedisCallError,
  type RedisConnection,
  type RedisReply,
  type RedisScript,
  type Timers,
} from '../../ports/index.ts'
import { type Asked, askForAll } from './batch.ts'
import type { Recipe } from './recipe.ts'

/** What is asked of one name; the arguments of each are in its script. */
export type Operation = 'acquire' | 'release' | 'pass'

interface AskedOperation extends Asked {
  readonly operation: Operation
  readonly recipe: Recipe
  readonly args: readonly string[]
}

/** A script that runs for long keeps everybody else waiting. */
const togetherMax = 16

/**
 * What is asked for in one go leaves in one request, a script that does one thing after the other in the order of their asking: a request costs
 * client and server more than what is done in it. What is too much for one waits for the next turn of the event loop, and what is asked for
 * meanwhile stands behind it: so the server works on the first ones while the others are made. What is asked for alone leaves as it is.
 */
export class Together {
  readonly #connection: RedisConnection
  readonly #timers: Timers
  readonly #asked: AskedOperation[] = []

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
    this.#send(this.#asked.splice(0, togetherMax))
    if (this.#asked.length > 0) this.#connection.afterSending(() => this.#sendSome())
  }

  #send(all: readonly AskedOperation[]): void {
    const [first] = all
    if (first === undefined) return
    const script = first.recipe.together
    if (all.length > 1 && script !== null) this.#sendTogether(script, all)
    else this.#sendAlone(first)
  }

  #sendTogether(script: RedisScript, all: readonly AskedOperation[]): void {
    const keys = all.map((one) => one.recipe.keys[0] as string)
    const args = all.flatMap((one) => [one.operation, ...one.args])
    const answered = all.map((one) => ({ ...one, resolve: (reply: RedisReply) => settle(one, reply) }))
    const parts = { connection: this.#connection, timers: this.#timers }
    void askForAll(parts, { script, keys, args }, answered, (index) => this.#sendAlone(all[index] as AskedOperation))
  }

  #sendAlone({ operation, recipe, args, timeoutMs, resolve, reject }: AskedOperation): void {
    this.#connection.script(recipe.scripts[operation], recipe.keys, args, { timeoutMs }).then(resolve, reject)
  }
}

/** An operation answers a number or a list; text is the error that it has ended with, and the others know nothing of it. */
function settle({ resolve, reject }: Asked, reply: RedisReply): void {
  if (typeof reply !== 'string') resolve(reply)
  else reject(new RedisCallError('refused', reply, { reply: /^[A-Z]+/.exec(reply)?.[0] ?? '' }))
}
