import { mutant } from '#mutant'
import type { LockAsk, LockHold, RedisReply } from '../../ports/index.ts'
import { validUntil } from '../backend/index.ts'
import { carelessMutexRelease } from './mutex-scripts.ts'
import type { RedisLockParts } from './parts.ts'
import { memberOf, type Recipe } from './recipe.ts'
import { downgradeScript } from './shared-scripts.ts'
import { isUnknown, toLockError } from './trouble.ts'

export interface Grant {
  readonly token: bigint
  /** When the request was sent that was answered with the grant. */
  readonly sentAtMs: number
}

/** Who asked, for what. */
export interface Asking {
  readonly recipe: Recipe
  readonly member: string
  readonly ask: LockAsk
}

/** A granted member, whose time counts from the sending of what was answered. */
export class RedisHold implements LockHold {
  readonly token: bigint
  readonly recipe: Recipe
  readonly member: string
  readonly #parts: RedisLockParts
  readonly #ask: LockAsk
  #ttlMs: number
  #validUntilMs: number
  /** A release of it may have been applied without an answer. */
  #mayBeReleased = false

  declare downgrade?: () => Promise<LockHold | null>

  constructor(parts: RedisLockParts, { recipe, member, ask }: Asking, { token, sentAtMs }: Grant) {
    this.#parts = parts
    this.#ask = ask
    this.recipe = recipe
    this.member = member
    this.token = token
    this.#ttlMs = ask.ttlMs
    this.#validUntilMs = validUntil(sentAtMs, ask.ttlMs)
    if (ask.mode.kind === 'write') this.downgrade = () => this.#downgrade()
  }

  get ttlMs(): number {
    return this.#ttlMs
  }

  get validUntilMs(): number {
    return this.#validUntilMs
  }

  get isValid(): boolean {
    return this.#nowMs < this.#validUntilMs
  }

  async extend(ttlMs: number): Promise<boolean> {
    const untilMs = validUntil(this.#nowMs, ttlMs)
    // Of a shorter one the server makes nothing, but it is all that was asked for from now on.
    if (untilMs < this.#validUntilMs) this.#validUntilMs = untilMs
    try {
      const isHeld = await this.#parts.extensions.extend(this.recipe, this.member, ttlMs)
      if (isHeld) {
        this.#validUntilMs = mutant('W4-renewal-from-reply-time') ? validUntil(this.#nowMs, ttlMs) : untilMs
        this.#ttlMs = ttlMs
      }
      return isHeld
    } catch (error) {
      throw toLockError(error, this.#parts.backend)
    }
  }

  async release(): Promise<boolean> {
    const wasValid = this.isValid
    try {
      return await this.#release()
    } catch (error) {
      if (!isUnknown(error)) throw toLockError(error, this.#parts.backend)
      this.#mayBeReleased ||= wasValid
    }
    try {
      // Repeated once, as the connection may only have been idle for too long.
      return await this.#release()
    } catch (error) {
      throw toLockError(error, this.#parts.backend)
    }
  }

  watch(): void {
    // There is no session: it runs out, or an extension finds it gone.
  }

  /** The one before has been handed over, or was never there: what is left to do is nothing. */
  async #release(): Promise<boolean> {
    const { together, connection, callTimeoutMs } = this.#parts
    const reply = mutant('M16-release-without-owner-compare')
      ? await connection.script(carelessMutexRelease, this.recipe.keys, [this.member], { timeoutMs: callTimeoutMs })
      : await together.run('release', this.recipe, [this.member], callTimeoutMs)
    return reply === 1 || this.#mayBeReleased
  }

  async #downgrade(): Promise<LockHold | null> {
    const { connection, callTimeoutMs, backend } = this.#parts
    const ask: LockAsk = { ...this.#ask, mode: { kind: 'read' }, ttlMs: this.#ttlMs }
    const sentAtMs = this.#nowMs
    const member = memberOf(ask)
    const args = [this.member, member, String(this.#ttlMs)]
    let token: RedisReply
    try {
      token = await connection.script(downgradeScript, this.recipe.keys, args, { timeoutMs: callTimeoutMs })
    } catch (error) {
      throw toLockError(error, backend)
    }
    if (typeof token !== 'string') return null
    return new RedisHold(this.#parts, { recipe: this.recipe, member, ask }, { token: BigInt(token), sentAtMs })
  }

  get #nowMs(): number {
    return this.#parts.environment.clock.monotonicMs()
  }
}
