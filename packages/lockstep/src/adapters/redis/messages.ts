import {
  type LockEnvironment,
  RedisCallError,
  type RedisListener,
  type RedisSubscription,
  type Timer,
} from '../../ports/index.ts'
import { Link } from './link.ts'
import type { MakeRawRedis, RawRedis } from './raw-redis.ts'
import { toCallError, toOpenError } from './to-call-error.ts'

interface Channel {
  readonly listeners: Set<RedisListener>
  /** Those that wait for the acknowledgement, with the listeners that they bring. */
  readonly awaiting: Set<Awaiting>
  isAcknowledged: boolean
}

interface Awaiting {
  readonly listener: RedisListener
  readonly timer: Timer
  readonly resolve: () => void
  readonly reject: (error: RedisCallError) => void
}

const acknowledgementLimitMs = 5_000

/** All channels over one link, each subscribed once however many listen to it. */
export class Messages {
  readonly #environment: LockEnvironment
  readonly #link: Link
  readonly #channels = new Map<string, Channel>()

  constructor(make: MakeRawRedis, environment: LockEnvironment) {
    this.#environment = environment
    this.#link = new Link(make, environment, {
      opened: (raw) => {
        for (const [name, channel] of this.#channels) this.#ask(raw, name, channel)
      },
      notOpened: (cause) => this.#failAwaiting(toOpenError(cause)),
      lost: (cause) => this.#lost(cause),
      message: (name, text) => {
        for (const listener of [...(this.#channels.get(name)?.listeners ?? [])]) listener.message(text)
      },
    })
  }

  async subscribe(name: string, listens: RedisListener): Promise<RedisSubscription> {
    // One object for each subscription, also when the same one is given twice.
    const listener: RedisListener = {
      message: (text) => listens.message(text),
      lost: () => listens.lost(),
      restored: () => listens.restored(),
    }
    if (this.#link.isClosed) throw new RedisCallError('not-sent', 'The connection is closed.')
    const channel = this.#channels.get(name) ?? this.#add(name)
    if (channel.isAcknowledged) channel.listeners.add(listener)
    else await this.#acknowledgement(name, channel, listener)
    return { close: () => this.#unsubscribe(name, channel, listener) }
  }

  close(): void {
    this.#link.close()
    this.#failAwaiting(new RedisCallError('unknown', 'The connection was closed.'))
    this.#channels.clear()
  }

  #add(name: string): Channel {
    const channel: Channel = { listeners: new Set(), awaiting: new Set(), isAcknowledged: false }
    this.#channels.set(name, channel)
    const { raw } = this.#link
    if (raw === null) this.#link.want()
    else this.#ask(raw, name, channel)
    return channel
  }

  #acknowledgement(name: string, channel: Channel, listener: RedisListener): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#environment.timers.after(acknowledgementLimitMs, () => {
        this.#settle(
          name,
          channel,
          awaiting,
          new RedisCallError('unknown', 'Redis did not acknowledge a subscription.'),
        )
        this.#link.renew('Redis did not acknowledge a subscription.')
      })
      const awaiting: Awaiting = { listener, timer, resolve, reject }
      channel.awaiting.add(awaiting)
    })
  }

  #ask(raw: RawRedis, name: string, channel: Channel): void {
    raw.subscribe(name).then(
      () => {
        if (this.#link.raw === raw && this.#channels.get(name) === channel) this.#acknowledged(name, channel)
      },
      (error: unknown) => {
        for (const awaiting of [...channel.awaiting]) this.#settle(name, channel, awaiting, toCallError(error))
      },
    )
  }

  #acknowledged(name: string, channel: Channel): void {
    channel.isAcknowledged = true
    for (const listener of [...channel.listeners]) listener.restored()
    for (const awaiting of [...channel.awaiting]) this.#settle(name, channel, awaiting, null)
  }

  #settle(name: string, channel: Channel, awaiting: Awaiting, error: RedisCallError | null): void {
    if (!channel.awaiting.delete(awaiting)) return
    awaiting.timer.cancel()
    if (error === null) {
      channel.listeners.add(awaiting.listener)
      awaiting.resolve()
    } else {
      this.#dropIfUnused(name, channel)
      awaiting.reject(error)
    }
  }

  #lost(cause: Error): void {
    this.#failAwaiting(toCallError(cause))
    for (const channel of this.#channels.values()) {
      if (!channel.isAcknowledged) continue
      channel.isAcknowledged = false
      for (const listener of [...channel.listeners]) listener.lost()
    }
  }

  #failAwaiting(error: RedisCallError): void {
    for (const [name, channel] of this.#channels)
      for (const awaiting of [...channel.awaiting]) this.#settle(name, channel, awaiting, error)
  }

  #unsubscribe(name: string, channel: Channel, listener: RedisListener): void {
    if (channel.listeners.delete(listener)) this.#dropIfUnused(name, channel)
  }

  #dropIfUnused(name: string, channel: Channel): void {
    if (channel.listeners.size + channel.awaiting.size > 0 || this.#channels.get(name) !== channel) return
    this.#channels.delete(name)
    this.#link.raw?.unsubscribe(name).catch(() => undefined)
  }
}
