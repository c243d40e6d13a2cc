import type { RedisSubscription, Timer, Timers } from '../../ports/index.ts'
import type { RedlockNode } from './redlock-node.ts'

/** A majority that does not answer a subscription in this time is not waited for: the sleeper polls. */
const subscribeMaxMs = 100
/** Whoever waits next for a name finds its channel still open. */
const lingerMs = 1_000
/** The notices of one release come from each node. The first ones come while the others still stand for the old holder. */
const settleMs = 5

interface Channel {
  readonly sleepers: Set<() => void>
  readonly subscriptions: RedisSubscription[]
  /** Resolves when a majority has acknowledged, or is not waited for. */
  readonly open: Promise<void>
  isOpen: boolean
  notices: number
  settling: Timer | null
  lingering: Timer | null
}

/** Releases that the nodes tell of, one set of subscriptions for all who sleep on a name. */
export class Notices {
  readonly #nodes: readonly RedlockNode[]
  readonly #timers: Timers
  readonly #channels = new Map<string, Channel>()

  constructor(nodes: readonly RedlockNode[], timers: Timers) {
    this.#nodes = nodes
    this.#timers = timers
  }

  /** True when the channel was open before: no release can have been missed. */
  async listen(name: string, woken: () => void): Promise<boolean> {
    const channel = this.#channels.get(name) ?? this.#open(name)
    channel.lingering?.cancel()
    channel.lingering = null
    channel.sleepers.add(woken)
    const wasOpen = channel.isOpen
    await channel.open
    return wasOpen
  }

  leave(name: string, woken: () => void): void {
    const channel = this.#channels.get(name)
    if (channel === undefined || !channel.sleepers.delete(woken) || channel.sleepers.size > 0) return
    channel.lingering = this.#timers.after(lingerMs, () => this.#close(name))
  }

  close(): void {
    for (const name of [...this.#channels.keys()]) this.#close(name)
  }

  #open(name: string): Channel {
    const { promise: open, resolve } = Promise.withResolvers<void>()
    const sleepers = new Set<() => void>()
    const channel: Channel = {
      sleepers,
      subscriptions: [],
      open,
      isOpen: false,
      notices: 0,
      settling: null,
      lingering: null,
    }
    this.#channels.set(name, channel)
    const timer = this.#timers.after(subscribeMaxMs, resolve)
    const notice = (): void => this.#noticed(channel)
    for (const node of this.#nodes)
      node
        .subscribe(name, notice)
        .then((subscription) => {
          if (this.#channels.get(name) !== channel) subscription.close()
          else channel.subscriptions.push(subscription)
          if (channel.subscriptions.length < this.#quorum) return
          channel.isOpen = true
          timer.cancel()
          resolve()
        })
        .catch(() => {})
    return channel
  }

  #noticed(channel: Channel): void {
    channel.notices += 1
    if (channel.notices >= this.#quorum) this.#wake(channel)
    else channel.settling ??= this.#timers.after(settleMs, () => this.#wake(channel))
  }

  #wake(channel: Channel): void {
    channel.settling?.cancel()
    channel.settling = null
    channel.notices = 0
    for (const woken of channel.sleepers) woken()
  }

  #close(name: string): void {
    const channel = this.#channels.get(name)
    this.#channels.delete(name)
    channel?.settling?.cancel()
    channel?.lingering?.cancel()
    for (const subscription of channel?.subscriptions ?? []) subscription.close()
  }

  get #quorum(): number {
    return Math.floor(this.#nodes.length / 2) + 1
  }
}
