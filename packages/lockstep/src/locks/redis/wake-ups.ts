import type { RedisConnection, RedisSubscription } from '../../ports/index.ts'

export interface Sleeper {
  granted(token: bigint): void
  /** Something may have been missed: ask again. */
  poke(): void
}

/**
 * The one channel of this process, on which it is told what was granted to it. A message names the owner and the token; nobody is woken
 * in vain.
 */
export class WakeUps {
  readonly #connection: RedisConnection
  readonly #channel: string
  readonly #sleepers = new Map<string, Sleeper>()
  #subscribing: Promise<RedisSubscription> | null = null
  #isHeard = false

  constructor(connection: RedisConnection, channel: string) {
    this.#connection = connection
    this.#channel = channel
  }

  /** Empty while nothing would be heard: then only asking again tells. */
  get channel(): string {
    return this.#isHeard ? this.#channel : ''
  }

  /** Rejects when the server does not acknowledge it; the next call tries again. */
  async listen(): Promise<void> {
    this.#subscribing ??= this.#connection.subscribe(this.#channel, {
      message: (text) => this.#message(text),
      lost: () => this.#changed(false),
      restored: () => this.#changed(true),
    })
    try {
      await this.#subscribing
      this.#isHeard = true
    } catch (error) {
      this.#subscribing = null
      throw error
    }
  }

  get isListening(): boolean {
    return this.#subscribing !== null
  }

  add(owner: string, sleeper: Sleeper): void {
    this.#sleepers.set(owner, sleeper)
  }

  remove(owner: string, sleeper: Sleeper): void {
    if (this.#sleepers.get(owner) === sleeper) this.#sleepers.delete(owner)
  }

  #message(text: string): void {
    const [owner = '', token = ''] = text.split(' ')
    if (/^\d+$/.test(token)) this.#sleepers.get(owner)?.granted(BigInt(token))
  }

  #changed(isHeard: boolean): void {
    this.#isHeard = isHeard
    for (const sleeper of [...this.#sleepers.values()]) sleeper.poke()
  }
}
