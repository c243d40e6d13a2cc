import type { LockEnvironment } from './lock-backend.ts'

/**
 * What locks need of one Redis: scripts, a few commands, and messages. Whoever needs several masters opens several connectors.
 *
 * Every call is sent at most once. Nothing is resent, and nothing that has timed out before its sending is sent later: whether a repeat is
 * harmless is known above this port only.
 */

/** What `ioRedis(client)` and `nodeRedis(client)` give: how to connect, taken from a handle of the user's that is never used itself. */
export interface RedisConnector {
  /** As logs and errors name it: the client package and the address. */
  readonly name: string
  open(environment: LockEnvironment): RedisConnection
}

/**
 * Two connections at most, one for calls and one for messages, each opened when it is first needed and again whenever it breaks.
 */
export interface RedisConnection {
  /**
   * Runs a script by its digest, and sends the text where the server does not know it. Calls leave in the order in which they were
   * made. Rejects with a `RedisCallError`.
   */
  script(
    script: RedisScript,
    keys: readonly string[],
    args: readonly string[],
    options: RedisCallOptions,
  ): Promise<RedisReply>
  /** A single command, on the connection of the scripts and in their order. */
  command(args: readonly string[], options: RedisCallOptions): Promise<RedisReply>
  /** In the next turn of the event loop, when what was called in this one has been written: the server works on that while more is made. */
  afterSending(run: () => void): void
  /**
   * Resolves when the server has acknowledged the subscription. It is made again after every loss of the connection, until it is closed;
   * channels are counted, so two subscribers of one channel cost one subscription. Rejects with a `RedisCallError`.
   */
  subscribe(channel: string, listener: RedisListener): Promise<RedisSubscription>
  /** Told of the connection for calls, whenever it changes. Answers how to stop that. */
  onConnectionChange(tell: (state: RedisConnectionState, cause?: Error) => void): () => void
  /** Ends both connections. Calls that are open reject as `unknown`; later ones as `not-sent`. */
  close(): Promise<void>
}

export interface RedisCallOptions {
  /** Counted from the call, so with the wait for a connection. */
  readonly timeoutMs: number
}

/** One object per text, made once: its digest is computed once per object. */
export interface RedisScript {
  readonly lua: string
}

/** Integers as numbers, nil as null, maps as flat arrays; everything else is text. */
export type RedisReply = string | number | null | readonly RedisReply[]

export type RedisConnectionState = 'connected' | 'lost'

export interface RedisListener {
  message(text: string): void
  /** The connection for messages is gone: none arrives until it is restored. */
  lost(): void
  /** Subscribed again; what was published in between is missed. */
  restored(): void
}

export interface RedisSubscription {
  close(): void
}

/**
 *   not-sent   it has had no effect, and will have none.
 *   unknown    it may have had its effect, or may still have it.
 *   refused    the server has answered with an error, whose first word is `reply`.
 */
export type RedisCallFailure = 'not-sent' | 'unknown' | 'refused'

/** Why a call has no result. Internal to the backends, which tell their callers in Lockstep's own errors. */
export class RedisCallError extends Error {
  readonly failure: RedisCallFailure
  /** Such as `NOAUTH` or `LOADING`; empty unless refused. */
  readonly reply: string

  constructor(failure: RedisCallFailure, message: string, options: { reply?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RedisCallError'
    this.failure = failure
    this.reply = options.reply ?? ''
  }
}
