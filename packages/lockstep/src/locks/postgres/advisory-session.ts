/**
 * The one connection that holds all advisory locks of a process.
 *
 *   held     proven: a statement that was sent less than a TTL ago has been answered. Moves: a heartbeat without an answer → at-risk;
 *            the connection ends, or its time → lost.
 *   at-risk  as held, and nobody knows for how long. Moves: as held, and back to held with the next answer.
 *   lost     final: the connection is closed, and with it the server frees every lock. The next ask opens another one.
 *
 * The server frees the locks when it sees the connection end, which no clock of ours knows. A server that died is seen at once; one
 * that cannot be reached has not freed them by the end of our time, unless it was restarted meanwhile.
 */
import { LockstepError, messageOf } from '../../errors.ts'
import type { HoldState, LockEnvironment, PgKeptClientHandle, PgResult, Timer } from '../../ports/index.ts'
import { validUntil } from '../backend/index.ts'
import { watchStatements } from './advisory-statements.ts'
import type { Notices } from './notices.ts'
import { releasedChannel } from './tables.ts'
import { NoAnswer, sqlStateOf } from './trouble.ts'

type SessionListener = (state: HoldState, why: string) => void

interface SessionParts {
  readonly client: PgKeptClientHandle
  readonly environment: LockEnvironment
  readonly notices: Notices
  readonly ttlMs: number
}

export class AdvisorySession {
  readonly ttlMs: number
  /** Names that it holds or is just taking or freeing: a connection would be granted them a second time. */
  readonly names = new Set<string>()
  readonly #parts: SessionParts
  readonly #listeners = new Set<SessionListener>()
  #state: HoldState = 'held'
  #validUntilMs: number
  #last: Promise<unknown> = Promise.resolve()
  #heartbeat: Timer | null = null
  #expiry: Timer | null = null
  #sentMs: number
  #provenMs = Number.NEGATIVE_INFINITY
  #unansweredSinceMs: number | null = null
  #proof: Promise<unknown> | null = null
  /** Rejects what waits for an answer. A promise that lives as long as the connection would keep everything that ever raced it. */
  readonly #unanswered = new Set<(error: Error) => void>()

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.ttlMs = parts.ttlMs
    this.#sentMs = this.#nowMs
    this.#validUntilMs = validUntil(this.#sentMs, this.ttlMs)
    this.#planHeartbeat()
    this.#listen()
  }

  /** Refuses a pooler, which would give the lock to one connection and its release to another. */
  async begin(): Promise<void> {
    const { rows } = await this.run('select pg_backend_pid() as pid')
    if (Number(rows[0]?.['pid']) !== this.#parts.client.processID) {
      this.end('it goes through a pooler')
      throw behindPooler()
    }
    await this.run(`listen ${releasedChannel}`)
    for (const statement of watchStatements(this.ttlMs)) await this.#tryTo(statement)
  }

  get validUntilMs(): number {
    return this.#validUntilMs
  }

  get state(): HoldState {
    return this.#state
  }

  /** By the clock: after a stall no timer has fired yet. */
  get isAlive(): boolean {
    if (this.#state !== 'lost' && this.#nowMs >= this.#validUntilMs) this.end('its time had passed')
    return this.#state !== 'lost'
  }

  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** One statement after the other. Rejects with `NoAnswer` when the session ends before; every answer proves it. */
  run(text: string, values?: unknown[]): Promise<PgResult> {
    const result = this.#last.then(() => this.#send(text, values))
    this.#last = result.catch(() => undefined)
    return result
  }

  /**
   * False when it is lost; rejects when nobody answers for a third of the TTL. An answer that is young enough counts, and those who ask
   * together share one.
   */
  async prove(): Promise<boolean> {
    if (!this.isAlive) return false
    if (this.#nowMs - this.#provenMs < this.ttlMs / 12) return true
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = this.#parts.environment.timers.after(this.ttlMs / 3, () =>
      reject(new NoAnswer('no answer to the heartbeat', { wasSent: true })),
    )
    try {
      this.#proof ??= this.run('select 1').finally(() => {
        this.#proof = null
      })
      await Promise.race([this.#proof, promise])
      return this.isAlive
    } catch (error) {
      if (!this.isAlive) return false
      throw error
    } finally {
      timer.cancel()
    }
  }

  /** The connection is closed, never given back to the pool: what it holds or hears would be somebody else's. */
  end(why: string): void {
    if (this.#state === 'lost') return
    this.#change('lost', `the connection of the locks has ended: ${why}`)
    this.#listeners.clear()
    this.#heartbeat?.cancel()
    this.#expiry?.cancel()
    for (const reject of this.#unanswered) reject(new NoAnswer(why, { wasSent: true }))
    this.#unanswered.clear()
    this.#parts.client.release(true)
  }

  async #send(text: string, values: unknown[] | undefined): Promise<PgResult> {
    if (!this.isAlive) throw new NoAnswer('the connection of the locks has ended', { wasSent: false })
    const sentMs = this.#nowMs
    this.#sentMs = sentMs
    this.#unansweredSinceMs = sentMs
    try {
      const result = await this.#untilEnded(this.#parts.client.query(text, values))
      this.#prove(sentMs)
      return result
    } catch (error) {
      if (sqlStateOf(error) === '' || /^(57P|08)/.test(sqlStateOf(error))) {
        this.end(messageOf(error))
        throw new NoAnswer(messageOf(error), { wasSent: true, cause: error })
      }
      this.#prove(sentMs)
      throw error
    }
  }

  #untilEnded<Value>(answer: Promise<Value>): Promise<Value> {
    const { promise, resolve, reject } = Promise.withResolvers<Value>()
    this.#unanswered.add(reject)
    void answer.then(resolve, reject).finally(() => this.#unanswered.delete(reject))
    return promise
  }

  /** A server that refuses it does without. */
  async #tryTo(statement: string): Promise<void> {
    try {
      await this.run(statement)
    } catch (error) {
      if (!this.isAlive) throw error
      this.#parts.environment.log.debug(
        { error: messageOf(error) },
        'The server does not watch the connection of the locks.',
      )
    }
  }

  get #nowMs(): number {
    return this.#parts.environment.clock.monotonicMs()
  }

  #listen(): void {
    const { client, notices } = this.#parts
    client.on('notification', ({ payload }) => notices.tell(payload ?? ''))
    client.on('error', (error) => this.end(messageOf(error)))
    client.on('end', () => this.end('the server or the network has closed it'))
  }

  /** An answer behind the end of its time revives nothing. */
  #prove(sentMs: number): void {
    if (!this.isAlive) return
    this.#unansweredSinceMs = null
    this.#provenMs = Math.max(this.#provenMs, sentMs)
    this.#validUntilMs = Math.max(this.#validUntilMs, validUntil(sentMs, this.ttlMs))
    this.#expiry?.cancel()
    const delayMs = Math.max(0, this.#validUntilMs - this.#nowMs)
    this.#expiry = this.#parts.environment.timers.after(delayMs, () => void this.isAlive)
    this.#change('held', 'it has answered again')
  }

  /** Every third of a TTL something is asked; what has not been answered for a sixth of it is a risk. */
  #planHeartbeat(): void {
    this.#heartbeat = this.#parts.environment.timers.after(this.ttlMs / 6, () => {
      if (!this.isAlive) return
      const since = this.#unansweredSinceMs
      if (since !== null && this.#nowMs - since >= this.ttlMs / 6 - 1) this.#change('at-risk', 'it does not answer')
      if (since === null && this.#nowMs - this.#sentMs >= this.ttlMs / 3 - 1) void this.run('select 1').catch(() => {})
      this.#planHeartbeat()
    })
  }

  #change(state: HoldState, why: string): void {
    if (this.#state === state || this.#state === 'lost') return
    this.#state = state
    for (const listener of [...this.#listeners]) listener(state, why)
  }
}

function behindPooler(): LockstepError<'LOCKSTEP_CONFIGURATION'> {
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message:
      'PostgreSQL advisory locks: the connection does not lead to a server process of its own, as behind a pooler.',
    next: 'Connect to the server itself, or use postgresLeaseLocks, which works through a pooler.',
  })
}
