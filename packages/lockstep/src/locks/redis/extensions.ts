import type { RedisConnection, Timers } from '../../ports/index.ts'
import { type Asked, askForAll } from './batch.ts'
import type { Recipe } from './recipe.ts'

interface Extension extends Asked {
  readonly recipe: Recipe
  readonly member: string
  readonly ttlMs: number
}

/** A script that runs for long keeps everybody else waiting. */
const batchMax = 100
/** Of a short lease an answer is waited for no longer than a sixth of it, so that two more tries fit; yet an answer takes this long. */
const answerMinMs = 50

/** Extensions that are asked for in one go leave together: ten thousand leases cost a hundred commands, not ten thousand. */
export class Extensions {
  readonly #connection: RedisConnection
  readonly #timers: Timers
  readonly #timeoutMs: number
  #waiting: Extension[] = []

  constructor(connection: RedisConnection, timers: Timers, timeoutMs: number) {
    this.#connection = connection
    this.#timers = timers
    this.#timeoutMs = timeoutMs
  }

  /** True when it is held, and for `ttlMs` from now on. */
  async extend(recipe: Recipe, member: string, ttlMs: number): Promise<boolean> {
    const timeoutMs = Math.min(this.#timeoutMs, Math.max(answerMinMs, ttlMs / 6))
    const reply = await new Promise((resolve, reject) => {
      this.#waiting.push({ recipe, member, ttlMs, timeoutMs, resolve, reject })
      if (this.#waiting.length === 1) void Promise.resolve().then(() => this.#sendAll())
    })
    return reply === 1
  }

  #sendAll(): void {
    const all = this.#waiting
    this.#waiting = []
    const byScript = Map.groupBy(all, ({ recipe }) => recipe.scripts.extend)
    for (const extensions of byScript.values())
      for (let at = 0; at < extensions.length; at += batchMax) this.#send(extensions.slice(at, at + batchMax))
  }

  #send(batch: readonly Extension[]): void {
    const [first] = batch
    if (first === undefined) return
    const keys = batch.flatMap(({ recipe }) => keysOf(recipe))
    const args = batch.flatMap(({ member, ttlMs }) => [member, String(ttlMs)])
    const parts = { connection: this.#connection, timers: this.#timers }
    const request = { script: first.recipe.scripts.extend, keys, args }
    void askForAll(parts, request, batch, (index) => this.#send([batch[index] ?? first]))
  }
}

/** The holders, and for those that share the hash as well. */
function keysOf({ keys, extendKeys }: Recipe): string[] {
  return [keys[0], keys[3]].slice(0, extendKeys) as string[]
}
