import { mutant } from '#mutant'
import { isLockstepError, LockstepError } from '../../errors.ts'
import { type LockAsk, type LockHold, lockKind, type RedisReply, type Timer } from '../../ports/index.ts'
import { locksClosed } from '../backend/index.ts'
import type { Abortable } from './aborts.ts'
import { waiterLifeMs } from './lua.ts'
import type { RedisLockParts } from './parts.ts'
import { limitOf, memberOf, type Recipe, recipeOf } from './recipe.ts'
import { type Grant, RedisHold } from './redis-hold.ts'
import { isUnknown, toLockError } from './trouble.ts'
import type { Sleeper } from './wake-ups.ts'

/** A grant that was not heard must be found before it is passed on, so this and its jitter are less than the time to confirm. */
const pollMs = 600
const pollJitterMs = 200
/** How long a backend that is away is borne by one that may wait. */
const troubleLimitMs = 5_000
const againMinMs = 50
const againMaxMs = 500

/** What an acquire was answered: the grant, or how long the first of the holders may still hold it. */
type Answer = Grant | { readonly leftMs: number }

/**
 * One ask for one name, from the first request to its end.
 *
 *   contending  it asks; when it is refused it stands in the queue of the server, sleeps, and asks again: because it was told of a grant, which it so
 *               confirms, because it was poked, or because nothing was heard for a while. Moves: granted in time → held; refused and nothing to
 *               wait, the end of the wait, the signal, trouble or `close` → over.
 *   held        final: the caller has it.
 *   over        final: whatever the server has of it, or grants it yet, is given up.
 */
export class Contention implements Sleeper, Abortable {
  readonly #parts: RedisLockParts
  readonly #ask: LockAsk
  readonly #recipe: Recipe
  readonly #member: string
  readonly #untilMs: number
  readonly #result = Promise.withResolvers<LockHold | null>()
  #state: 'contending' | 'held' | 'over' = 'contending'
  #timer: Timer | null = null
  #deadline: Timer | null = null
  #grantedToken: bigint | null = null
  #wasPoked = false
  #wake: (() => void) | null = null
  #trouble: LockstepError | null = null
  #troubleSinceMs = 0
  #tries = 0

  constructor(parts: RedisLockParts, ask: LockAsk) {
    this.#parts = parts
    this.#ask = ask
    this.#recipe = recipeOf(parts.prefix, lockKind(ask.mode), ask.name)
    this.#member = memberOf(ask)
    this.#untilMs = this.#nowMs + ask.waitMs
    parts.contentions.add(this)
    parts.aborts.add(ask.signal, this)
    // The request may queue it, and the grant come before the answer: on another connection.
    if (ask.waitMs > 0 && parts.wakeUps?.isListening === true) parts.wakeUps.add(ask.owner, this)
  }

  get recipe(): Recipe {
    return this.#recipe
  }

  get result(): Promise<LockHold | null> {
    return this.#result.promise
  }

  contend(): Promise<LockHold | null> {
    void this.#run(null)
    return this.#result.promise
  }

  /** Continues where a pass has already asked. */
  continueWith(answer: Answer): Promise<LockHold | null> {
    void this.#run(answer)
    return this.#result.promise
  }

  /** As arguments of the scripts, from the member on: how it waits is `life limit channel`, and nothing when it does not. */
  wanted(): string[] {
    const { waitMs, ttlMs, mode } = this.#ask
    const { wakeUps } = this.#parts
    // Before the process listens it does not queue: what was granted to it in between would not be heard.
    const mayQueue = waitMs > 0 && (wakeUps === null || wakeUps.isListening)
    const lifeMs = mayQueue ? Math.max(1, Math.min(waiterLifeMs, Math.ceil(this.#untilMs - this.#nowMs))) : 0
    return [this.#member, String(ttlMs), `${lifeMs} ${limitOf(mode)} ${wakeUps?.channel ?? ''}`]
  }

  granted(token: bigint): void {
    this.#grantedToken = token
    this.#wake?.()
  }

  poke(): void {
    this.#wasPoked = true
    this.#wake?.()
  }

  close(): void {
    this.#end(() => this.#result.reject(locksClosed(this.#parts.backend)))
  }

  /** Over without a result: nobody waits for it, and another one asks with the same owner. */
  forget(): void {
    this.#settle('over')
    this.#result.reject(locksClosed(this.#parts.backend))
  }

  async #run(first: Answer | null): Promise<void> {
    let answer = first ?? (await this.#acquire())
    while (this.#state === 'contending') {
      if (answer !== null && 'token' in answer) {
        if (await this.#take(answer)) return
      } else if (this.#ask.waitMs <= 0 && answer !== null) {
        this.#settle('over')
        return this.#result.resolve(null)
      } else await this.#sleep(answer)
      if (this.#state !== 'contending') return
      answer = this.#grantedToken === null ? await this.#acquire() : await this.#confirm(this.#grantedToken)
    }
    // It was ended while a request was on its way: what that has brought, a grant or a place in the queue, is taken away again.
    if (this.#state === 'over' && answer !== null && ('token' in answer || this.#ask.waitMs > 0)) this.#giveUp()
  }

  /** Null when nothing is known; then `#trouble` says why. */
  async #acquire(): Promise<Answer | null> {
    const sentAtMs = this.#nowMs
    this.#wasPoked = false
    try {
      const reply = await this.#parts.together.run('acquire', this.#recipe, this.wanted(), this.#callTimeoutMs)
      this.#trouble = null
      return answerOf(reply as readonly RedisReply[], sentAtMs)
    } catch (error) {
      this.#inTrouble(error)
      return null
    }
  }

  /**
   * Asked for, which answers what it already has, and not only extended: the message may be of an earlier grant, which ran out and was passed
   * on, while a later one is ours. Only the server knows its token.
   */
  async #confirm(token: bigint): Promise<Answer | null> {
    this.#grantedToken = null
    if (mutant('M15-not-checked-after-the-wait')) return { token, sentAtMs: this.#nowMs }
    return this.#acquire()
  }

  /** True when it is over: it is held, or was ended. An answer later than its own TTL is no lease, and is asked for again. */
  async #take(grant: Grant): Promise<boolean> {
    const hold = new RedisHold(this.#parts, { recipe: this.#recipe, member: this.#member, ask: this.#ask }, grant)
    if (this.#parts.replicas !== null) await this.#replicate(this.#parts.replicas)
    if (this.#state !== 'contending') {
      this.#giveUp()
      return true
    }
    if (!hold.isValid && !mutant('W1-no-validity-check')) {
      const late = new Error('The grant came later than the TTL.')
      if (this.#nowMs < this.#untilMs) return false
      this.#end(() => this.#result.reject(toLockError(late, this.#parts.backend)))
      return true
    }
    this.#settle('held')
    this.#result.resolve(hold)
    return true
  }

  async #replicate({ count, timeoutMs }: { count: number; timeoutMs: number }): Promise<void> {
    const { connection, callTimeoutMs, backend } = this.#parts
    try {
      const args = ['WAIT', String(count), String(timeoutMs)]
      const reached = Number(await connection.command(args, { timeoutMs: timeoutMs + callTimeoutMs }))
      if (reached >= count) return
      throw new Error(`${reached} of ${count} replicas have the lock after ${timeoutMs} ms.`)
    } catch (error) {
      this.#end(() => this.#result.reject(toLockError(error, backend)))
    }
  }

  async #sleep(answer: { leftMs: number } | null): Promise<void> {
    this.#armDeadline()
    const { wakeUps } = this.#parts
    if (answer !== null && wakeUps !== null) {
      wakeUps.add(this.#ask.owner, this)
      if (!wakeUps.isListening) {
        // Asked once more after the acknowledgement: a release in between would not be heard.
        await wakeUps.listen().catch((error) => this.#inTrouble(error))
        if (this.#trouble === null) return
      }
    }
    if (this.#grantedToken !== null || this.#wasPoked || this.#state !== 'contending') return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#timer = this.#parts.environment.timers.after(this.#pauseMs(answer), resolve)
    })
    this.#wake = null
    this.#timer?.cancel()
  }

  #pauseMs(answer: { leftMs: number } | null): number {
    const { random } = this.#parts.environment
    this.#tries += 1
    if (answer === null || this.#parts.wakeUps === null) {
      const limitMs = Math.min(againMaxMs, againMinMs * 2 ** Math.min(this.#tries, 10))
      return 1 + limitMs * random.fraction('lock poll')
    }
    const waitMs = Math.max(1, Math.min(answer.leftMs + 1, pollMs))
    return waitMs + Math.min(pollJitterMs, waitMs) * random.fraction('lock poll')
  }

  /** Borne while there is time: a grant whose answer is lost is asked for again, by the same owner. */
  #inTrouble(error: unknown): void {
    const { backend } = this.#parts
    const now = this.#nowMs
    if (this.#trouble === null) this.#troubleSinceMs = now
    this.#trouble = toLockError(error, backend)
    const isTry = this.#ask.waitMs <= 0
    const isTooLong = isTry ? !isUnknown(error) || this.#tries > 0 : now - this.#troubleSinceMs >= troubleLimitMs
    if (isTooLong || now >= this.#untilMs + (isTry ? this.#parts.callTimeoutMs : 0)) this.#failWithTrouble()
    else if (isLockstepError(this.#trouble, 'LOCKSTEP_CONFIGURATION')) this.#failWithTrouble()
  }

  #failWithTrouble(): void {
    const trouble = this.#trouble
    this.#end(() => this.#result.reject(trouble))
  }

  #armDeadline(): void {
    if (this.#deadline !== null || this.#untilMs === Infinity || this.#ask.waitMs <= 0) return
    const leftMs = Math.max(0, this.#untilMs - this.#nowMs)
    this.#deadline = this.#parts.environment.timers.after(leftMs, () => {
      if (this.#trouble !== null) this.#failWithTrouble()
      else this.#end(() => this.#result.resolve(null))
    })
  }

  aborted(): void {
    this.#end(() => this.#result.reject(this.#ask.signal.reason))
  }

  #end(settle: () => void): void {
    if (this.#state !== 'contending') return
    this.#settle('over')
    settle()
    this.#giveUp()
  }

  #settle(state: 'held' | 'over'): void {
    this.#state = state
    this.#parts.contentions.delete(this)
    this.#parts.wakeUps?.remove(this.#ask.owner, this)
    this.#parts.aborts.remove(this.#ask.signal, this)
    this.#timer?.cancel()
    this.#deadline?.cancel()
    this.#wake?.()
  }

  #giveUp(): void {
    this.#parts.giveUps.start({ recipe: this.#recipe, member: this.#member, ttlMs: this.#ask.ttlMs })
  }

  /** One that may wait only briefly is not kept by a backend that is slow. */
  get #callTimeoutMs(): number {
    const { callTimeoutMs } = this.#parts
    if (this.#ask.waitMs <= 0) return callTimeoutMs
    return Math.min(callTimeoutMs, Math.max(100, this.#untilMs - this.#nowMs))
  }

  get #nowMs(): number {
    return this.#parts.environment.clock.monotonicMs()
  }
}

/** Of {1, token} or {0, milliseconds}. */
export function answerOf(reply: readonly RedisReply[], sentAtMs: number): Answer {
  const [isGranted, what] = reply
  if (isGranted === 1 && typeof what === 'string') return { token: BigInt(what), sentAtMs }
  if (isGranted === 0) return { leftMs: Number(what) }
  throw new LockstepError('LOCKSTEP_BUG', { message: 'A lock script has answered something else.' })
}
