import type { NetworkFaults, RandomStream, Scheduler, SimulatedNode } from '@lockstep/testkit'
import { RedisCallError, type RedisConnection, type RedisConnector, type RedisReply } from 'lockstep/ports'
import type { SimulatedRedis } from './simulated-redis.ts'

export interface ConnectorParts {
  readonly scheduler: Scheduler
  readonly random: RandomStream
  readonly faults: () => NetworkFaults
}

/**
 * How one process reaches one Redis. A connection delivers in order; it breaks when a request or an answer is lost, and what was on its
 * way may still arrive afterwards, behind what a new connection has brought.
 */
export function simulatedConnector(redis: SimulatedRedis, node: SimulatedNode, parts: ConnectorParts): RedisConnector {
  return { name: redis.name, open: () => new SimulatedConnection(redis, node, parts) }
}

class SimulatedConnection implements RedisConnection {
  readonly #redis: SimulatedRedis
  readonly #node: SimulatedNode
  readonly #parts: ConnectorParts
  readonly #told = new Set<(state: 'connected' | 'lost') => void>()
  readonly #subscriptions = new Set<{ listener: { lost(): void; restored(): void }; join: () => void }>()
  #serverRun: number
  /** Nothing overtakes what was sent before it on the same connection. */
  #lastArrivalMs = 0
  #lastAnswerMs = 0
  #isClosed = false
  #isConnecting = false

  constructor(redis: SimulatedRedis, node: SimulatedNode, parts: ConnectorParts) {
    this.#redis = redis
    this.#node = node
    this.#parts = parts
    this.#serverRun = redis.run
  }

  script(...[script, keys, args, { timeoutMs }]: Parameters<RedisConnection['script']>): Promise<RedisReply> {
    return this.#send(timeoutMs, () => this.#redis.script(script, keys, args))
  }

  command(args: readonly string[], { timeoutMs }: { readonly timeoutMs: number }): Promise<RedisReply> {
    return this.#send(timeoutMs, () => this.#redis.command(args))
  }

  afterSending(run: () => void): void {
    this.#node.deliver(0, 'next turn', run)
  }

  async subscribe(...[channel, listener]: Parameters<RedisConnection['subscribe']>) {
    let leave: () => void = () => {}
    let isOpen = true
    const join = (): void => {
      leave()
      leave = this.#redis.subscribe(channel, (text) => this.#hear(() => isOpen && listener.message(text)))
    }
    const subscription = { listener, join }
    await this.#send(1_000, () => {
      join()
      return null
    })
    this.#subscriptions.add(subscription)
    return {
      close: () => {
        isOpen = false
        this.#subscriptions.delete(subscription)
        leave()
      },
    }
  }

  onConnectionChange(tell: (state: 'connected' | 'lost') => void): () => void {
    this.#told.add(tell)
    return () => void this.#told.delete(tell)
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  /** Messages are lost with the same chance as answers. */
  #hear(told: () => void): void {
    const { random, faults } = this.#parts
    const { lostReply, delayMaxMs } = faults()
    if (random.chance('lost message', lostReply)) return
    this.#node.deliver(random.integer('message delay', 0, delayMaxMs), 'message', told)
  }

  #send(timeoutMs: number, run: () => RedisReply): Promise<RedisReply> {
    if (this.#isClosed) return Promise.reject(new RedisCallError('not-sent', 'closed'))
    const { random, faults, scheduler } = this.#parts
    const { lostRequest, lostReply, delayMaxMs } = faults()
    return new Promise((resolve, reject) => {
      const timeout = (): void => reject(new RedisCallError('unknown', 'no answer'))
      this.#node.deliver(timeoutMs, 'call timeout', timeout)
      const nowMs = scheduler.now()
      const isLost = random.chance('lost request', lostRequest)
      this.#lastArrivalMs = Math.max(this.#lastArrivalMs, nowMs + random.integer('request delay', 0, delayMaxMs))
      const arrivesMs = this.#lastArrivalMs
      if (isLost) {
        // It may be stuck on the broken connection and arrive much later, or never.
        const lateMs = random.integer('late request', 0, 20 * delayMaxMs)
        if (random.chance('arrives late', 0.5)) scheduler.after(lateMs, 'late request arrives', () => this.#arrive(run))
        return this.#break()
      }
      scheduler.after(arrivesMs - nowMs, 'request arrives', () => {
        const answer = this.#arrive(run)
        const backMs = random.integer('answer delay', 0, delayMaxMs)
        if (answer === null) {
          this.#node.deliver(backMs, 'refused', () => reject(new RedisCallError('not-sent', 'connection refused')))
          return this.#break()
        }
        if (random.chance('lost reply', lostReply)) return this.#break()
        this.#lastAnswerMs = Math.max(this.#lastAnswerMs, scheduler.now() + backMs)
        this.#node.deliver(this.#lastAnswerMs - scheduler.now(), 'answer', () => answer.settle(resolve, reject))
      })
    })
  }

  /** Null when nobody is there. */
  #arrive(
    run: () => RedisReply,
  ): { settle: (resolve: (reply: RedisReply) => void, reject: (error: unknown) => void) => void } | null {
    if (!this.#redis.isUp) return null
    if (this.#serverRun !== this.#redis.run) {
      this.#serverRun = this.#redis.run
      this.#break()
    }
    try {
      const reply = run()
      return { settle: (resolve) => resolve(reply) }
    } catch (error) {
      return { settle: (_, reject) => reject(error) }
    }
  }

  /** The client notices, connects anew and subscribes again. */
  #break(): void {
    this.#lastArrivalMs = 0
    this.#lastAnswerMs = 0
    this.#node.deliver(1, 'connection lost', () => {
      for (const tell of [...this.#told]) tell('lost')
      for (const { listener } of this.#subscriptions) listener.lost()
    })
    if (!this.#isConnecting) this.#connectAgain(5)
  }

  /** A server that is down refuses: nobody is connected, and nothing is subscribed, before it is up. */
  #connectAgain(afterMs: number): void {
    this.#isConnecting = true
    this.#node.deliver(afterMs, 'connects again', () => {
      this.#isConnecting = false
      if (this.#isClosed) return
      if (!this.#redis.isUp) {
        if (this.#subscriptions.size > 0) this.#connectAgain(50)
        return
      }
      for (const tell of [...this.#told]) tell('connected')
      for (const { listener, join } of this.#subscriptions) {
        join()
        listener.restored()
      }
    })
  }
}
