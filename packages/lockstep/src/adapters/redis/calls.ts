import { createHash } from 'node:crypto'
import {
  type LockEnvironment,
  RedisCallError,
  type RedisCallOptions,
  type RedisConnectionState,
  type RedisReply,
  type RedisScript,
  type Timer,
} from '../../ports/index.ts'
import { Link } from './link.ts'
import type { MakeRawRedis, RawRedis } from './raw-redis.ts'
import { toReply } from './reply.ts'
import { toCallError, toOpenError } from './to-call-error.ts'

interface Call {
  /** `isOpen` says whether somebody still waits for the answer. */
  readonly send: (raw: RawRedis, isOpen: () => boolean) => Promise<unknown>
  readonly deadlineMs: number
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: RedisCallError) => void
  isSent: boolean
}

/** A connection that answers nothing for this long while it is asked is given up: TCP alone would notice after a quarter of an hour. */
const silenceLimitMs = 5_000

/**
 * Calls over one link, each sent at most once and answered before its deadline. While there is no connection they wait for the next try
 * to open one, and share its end. All deadlines share one timer, since a timer for each call would cost as much as the call.
 */
export class Calls {
  readonly #environment: LockEnvironment
  readonly #link: Link
  readonly #open = new Set<Call>()
  readonly #tell: (state: RedisConnectionState, cause?: Error) => void
  /** Digests that the server of this connection has seen. */
  #known = new Set<RedisScript>()
  #timer: Timer | null = null
  #timerAtMs = Infinity
  #inFlight = 0
  /** Since the timer has last looked: a clock that is read for each answer would cost more than the rest of the answer. */
  #wasHeard = false
  #silentSinceMs = 0

  constructor(
    make: MakeRawRedis,
    environment: LockEnvironment,
    tell: (state: RedisConnectionState, cause?: Error) => void,
  ) {
    this.#environment = environment
    this.#tell = tell
    this.#link = new Link(make, environment, {
      opened: () => this.#opened(),
      notOpened: (cause) => this.#notOpened(cause),
      lost: (cause) => tell('lost', cause),
      message() {},
    })
  }

  async command(args: readonly string[], options: RedisCallOptions): Promise<RedisReply> {
    return toReply(await this.#call((raw) => raw.call(args), options))
  }

  /** Sent as text once per connection, so that the order of two scripts depends on nothing but a server that forgets in between. */
  script(
    script: RedisScript,
    keys: readonly string[],
    args: readonly string[],
    options: RedisCallOptions,
  ): Promise<RedisReply> {
    const count = String(keys.length)
    const asText = (raw: RawRedis): Promise<unknown> => raw.call(['EVAL', script.lua, count, ...keys, ...args])
    const send: Call['send'] = (raw, isOpen) => {
      if (!this.#known.has(script)) {
        this.#known.add(script)
        return asText(raw)
      }
      return raw.call(['EVALSHA', digestOf(script), count, ...keys, ...args]).catch((error: unknown) => {
        if (toCallError(error).reply !== 'NOSCRIPT') throw error
        // What has timed out must not be done any more: whoever has given up has taken it back already.
        if (!isOpen()) throw new RedisCallError('not-sent', 'The server has forgotten the script.')
        this.#known = new Set([script])
        return asText(raw)
      })
    }
    return this.#call(send, options) as Promise<RedisReply>
  }

  close(): void {
    this.#link.close()
    this.#timer?.cancel()
    for (const call of this.#open) this.#fail(call, 'The connection was closed.')
  }

  #call(send: Call['send'], { timeoutMs }: RedisCallOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#link.isClosed) return reject(new RedisCallError('not-sent', 'The connection is closed.'))
      const deadlineMs = this.#environment.clock.monotonicMs() + timeoutMs
      const call: Call = { send, deadlineMs, resolve, reject, isSent: false }
      this.#open.add(call)
      if (deadlineMs < this.#timerAtMs) this.#arm(deadlineMs)
      const { raw } = this.#link
      if (raw === null) this.#link.want()
      else this.#send(call, raw)
    })
  }

  #send(call: Call, raw: RawRedis): void {
    call.isSent = true
    if (this.#inFlight === 0) this.#wasHeard = true
    this.#inFlight += 1
    call
      .send(raw, () => this.#open.has(call))
      .then(
        (reply) => {
          this.#answered()
          this.#open.delete(call)
          call.resolve(reply)
        },
        (error: unknown) => {
          this.#answered()
          this.#open.delete(call)
          call.reject(toCallError(error))
        },
      )
  }

  #answered(): void {
    this.#inFlight -= 1
    this.#wasHeard = true
  }

  #opened(): void {
    this.#known = new Set()
    this.#tell('connected')
    for (const call of this.#open) {
      const { raw } = this.#link
      if (!call.isSent && raw !== null) this.#send(call, raw)
    }
  }

  #notOpened(cause: Error): void {
    const error = toOpenError(cause)
    for (const call of this.#open) {
      if (call.isSent) continue
      this.#open.delete(call)
      call.reject(error)
    }
  }

  #arm(atMs: number): void {
    const { clock, timers } = this.#environment
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = timers.after(Math.max(0, atMs - clock.monotonicMs()), () => this.#expire())
  }

  #expire(): void {
    const nowMs = this.#environment.clock.monotonicMs()
    this.#timerAtMs = Infinity
    if (this.#wasHeard) this.#silentSinceMs = nowMs
    this.#wasHeard = false
    let nextMs = Infinity
    for (const call of this.#open) {
      if (call.deadlineMs <= nowMs) this.#fail(call, 'Redis did not answer in time.')
      else nextMs = Math.min(nextMs, call.deadlineMs)
    }
    if (nextMs < this.#timerAtMs) this.#arm(nextMs)
    if (this.#inFlight > 0 && nowMs - this.#silentSinceMs > silenceLimitMs)
      this.#link.renew(`Redis has answered nothing for ${silenceLimitMs} ms.`)
  }

  #fail(call: Call, message: string): void {
    this.#open.delete(call)
    call.reject(new RedisCallError(call.isSent ? 'unknown' : 'not-sent', message))
  }
}

const digests = new WeakMap<RedisScript, string>()

function digestOf(script: RedisScript): string {
  const known = digests.get(script)
  if (known !== undefined) return known
  const digest = createHash('sha1').update(script.lua, 'utf8').digest('hex')
  digests.set(script, digest)
  return digest
}
