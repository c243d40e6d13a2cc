import type { RedisConnection, RedisReply } from '../../ports/index.ts'
import type { Recipe } from './recipe.ts'

interface Extension {
  readonly recipe: Recipe
  readonly member: string
  readonly ttlMs: number
  readonly resolve: (held: boolean) => void
  readonly reject: (error: unknown) => void
}

/** A script that runs for long keeps everybody else waiting. */
const batchMax = 100
/** Of a short lease an answer is waited for no longer than a sixth of it, so that two more tries fit; yet an answer takes this long. */
const answerMinMs = 50

/** Extensions that are asked for in one turn of the event loop leave together: ten thousand leases cost a hundred commands, not ten thousand. */
export class Extensions {
  readonly #connection: RedisConnection
  readonly #timeoutMs: number
  #waiting: Extension[] = []

  constructor(connection: RedisConnection, timeoutMs: number) {
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  /** True when it is held, and for `ttlMs` from now on. */
  extend(recipe: Recipe, member: string, ttlMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ recipe, member, ttlMs, resolve, reject })
      if (this.#waiting.length === 1) void Promise.resolve().then(() => this.#sendAll())
    })
  }

  #sendAll(): void {
    const all = this.#waiting
    this.#waiting = []
    const byScript = Map.groupBy(all, ({ recipe }) => recipe.scripts.extend)
    for (const extensions of byScript.values())
      for (let at = 0; at < extensions.length; at += batchMax) void this.#send(extensions.slice(at, at + batchMax))
  }

  async #send(batch: readonly Extension[]): Promise<void> {
    const [first] = batch
    if (first === undefined) return
    const keys = batch.flatMap(({ recipe }) => keysOf(recipe))
    const args = batch.flatMap(({ member, ttlMs }) => [member, String(ttlMs)])
    try {
      const reply = await this.#connection.script(first.recipe.scripts.extend, keys, args, {
        timeoutMs: Math.min(this.#timeoutMs, ...batch.map(({ ttlMs }) => Math.max(answerMinMs, ttlMs / 6))),
      })
      const held = reply as readonly RedisReply[]
      for (const [index, extension] of batch.entries()) extension.resolve(held[index] === 1)
    } catch (error) {
      for (const extension of batch) extension.reject(error)
    }
  }
}

/** The holders, and for those that share the hash as well. */
function keysOf({ keys, extendKeys }: Recipe): string[] {
  return [keys[0], keys[3]].slice(0, extendKeys) as string[]
}
