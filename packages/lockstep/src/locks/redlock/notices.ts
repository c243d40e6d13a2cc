import type { RedisSubscription, Timer, Timers } from '../../ports/index.ts'
import type { RedlockNode } from './redlock-node.ts'
import { Turns } from './turns.ts'

/** A majority that does not answer a subscription in this time is not waited for: the sleeper polls. */
const subscribeMaxMs = 100
/** Whoever waits next for a name finds its channel still open. */
const lingerMs = 1_000
/** The notices of one release come from each node. The first ones come while the others still stand for the old holder. */
const settleMs = 5

interface Channel {
  readonly name: string
  readonly sleepers: Set<() => void>
  /** Null while a node has not acknowledged. */
  readonly subscriptions: Map<RedlockNode, RedisSubscription | null>
  /** Those whose messages arrive: they have acknowledged, and the connection is there. */
  readonly heard: Set<RedlockNode>
  /** Resolves when a majority has acknowledged, or is not waited for. */
  readonly open: PromiseWithResolvers<void>
  readonly opening: Timer
  readonly turns: Turns
  /** The release that is being told of, by how many nodes, and the one that the sleepers were woken for. */
  told: string
  notices: number
  woken: string
  settling: Timer | null
  lingering: Timer | null
}

/** Releases that the nodes tell of, one set of subscriptions for all who sleep on a name. */
export class Notices {
  readonly #nodes: readonly RedlockNode[]
  readonly #timers: Timers
  readonly #channels = new Map<string, Channel>()
  #isClosed = false

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
    this.#subscribe(channel)
    const wasOpen = this.#isOpen(channel)
    await channel.open.promise
    return wasOpen
  }

  /** Null of a name that nobody waits for, as far as this process knows. */
  turns(name: string): Turns | null {
    return this.#channels.get(name)?.turns ?? null
  }

  /**
   * This process has released it, and so many have listened to that. What the nodes tell of it is known, and wakes nobody who comes later;
   * and whoever of this process wants it next does not come before those who wait elsewhere.
   */
  released(name: string, owner: string, listeners: number): void {
    const known = this.#channels.get(name)
    const others = Math.max(0, listeners - (known !== undefined && this.#isOpen(known) ? 1 : 0))
    if (this.#isClosed || (known === undefined && others === 0)) return
    const channel = known ?? this.#open(name)
    channel.turns.others = others
    if (channel.woken !== owner) this.#wakeAll(channel, owner)
    this.#subscribe(channel)
    if (channel.sleepers.size === 0) this.#linger(channel)
  }

  leave(name: string, woken: () => void): void {
    const channel = this.#channels.get(name)
    if (channel === undefined || !channel.sleepers.delete(woken) || channel.sleepers.size > 0) return
    this.#linger(channel)
  }

  close(): void {
    this.#isClosed = true
    for (const channel of [...this.#channels.values()]) this.#close(channel)
  }

  #linger(channel: Channel): void {
    channel.lingering?.cancel()
    channel.lingering = this.#timers.after(lingerMs, () => this.#close(channel))
  }

  #open(name: string): Channel {
    const open = Promise.withResolvers<void>()
    const channel: Channel = {
      name,
      sleepers: new Set(),
      subscriptions: new Map(),
      heard: new Set(),
      open,
      opening: this.#timers.after(subscribeMaxMs, open.resolve),
      turns: new Turns(),
      told: '',
      notices: 0,
      woken: '',
      settling: null,
      lingering: null,
    }
    this.#channels.set(name, channel)
    return channel
  }

  /** On the nodes that are not yet: one that was away when the channel was opened is asked again by who comes next. */
  #subscribe(channel: Channel): void {
    const { subscriptions } = channel
    for (const node of this.#nodes) {
      if (subscriptions.has(node)) continue
      subscriptions.set(node, null)
      node
        .subscribe(channel.name, {
          message: (released) => this.#noticed(channel, released),
          lost: () => channel.heard.delete(node),
          restored: () => {
            channel.heard.add(node)
            this.#noticed(channel, '')
          },
        })
        .then(
          (subscription) => this.#subscribed(channel, node, subscription),
          () => subscriptions.delete(node),
        )
    }
  }

  #subscribed(channel: Channel, node: RedlockNode, subscription: RedisSubscription): void {
    if (this.#channels.get(channel.name) !== channel) {
      subscription.close()
      return
    }
    channel.subscriptions.set(node, subscription)
    channel.heard.add(node)
    if (!this.#isOpen(channel)) return
    channel.opening.cancel()
    channel.open.resolve()
  }

  /**
   * All nodes tell of one release. The sleepers are woken for it when a majority has, and before that when the others are long in coming;
   * what the rest of them tell wakes nobody any more. Nothing is known of what was missed: it is a release of nobody.
   */
  #noticed(channel: Channel, released: string): void {
    if (released !== '' && released === channel.woken) return
    if (released !== channel.told) channel.notices = 0
    channel.told = released
    channel.notices += 1
    if (channel.notices >= this.#quorum) this.#wakeAll(channel, released)
    else channel.settling ??= this.#timers.after(settleMs, () => this.#wake(channel))
  }

  /** For the last time for this release. */
  #wakeAll(channel: Channel, released: string): void {
    channel.woken = released
    channel.told = ''
    channel.notices = 0
    this.#wake(channel)
  }

  #wake(channel: Channel): void {
    channel.settling?.cancel()
    channel.settling = null
    for (const woken of channel.sleepers) woken()
  }

  #close(channel: Channel): void {
    this.#channels.delete(channel.name)
    channel.opening.cancel()
    channel.settling?.cancel()
    channel.lingering?.cancel()
    channel.open.resolve()
    for (const subscription of channel.subscriptions.values()) subscription?.close()
  }

  #isOpen({ heard }: Channel): boolean {
    return heard.size >= this.#quorum
  }

  get #quorum(): number {
    return Math.floor(this.#nodes.length / 2) + 1
  }
}
