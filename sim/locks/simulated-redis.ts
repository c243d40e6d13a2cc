import { type RandomStream, type Scheduler, serviceClock } from '@lockstep/testkit'
import { RedisCallError, type RedisReply, type RedisScript } from 'lockstep/ports'
import { LuaRuntime } from '../../packages/testkit/src/redis-model/lua-runtime.ts'
import { RedisData, RedisReplyError, type Reply } from '../../packages/testkit/src/redis-model/redis-data.ts'

/** What a server keeps over its death. */
export type Persistence = 'always' | 'everysec' | 'none'

export interface SimulatedRedisParts {
  readonly name: string
  readonly scheduler: Scheduler
  readonly random: RandomStream
  readonly persistence: Persistence
}

const runtime = new LuaRuntime()

/** One Redis process: real scripts on data in memory, and what is left of it when it dies. */
export class SimulatedRedis {
  readonly name: string
  isUp = true
  /** Raised by every restart: whoever was connected is not any more. */
  run = 1
  readonly #parts: SimulatedRedisParts
  readonly #data: RedisData
  readonly #subscribers = new Map<string, Set<(text: string) => void>>()
  #startedMs = 0
  #synced: ReturnType<RedisData['snapshot']>
  #syncedMs = 0

  constructor(parts: SimulatedRedisParts) {
    this.#parts = parts
    this.name = parts.name
    const clock = serviceClock(parts.scheduler)
    this.#data = new RedisData({ nowMs: () => clock.now(), publish: (channel, text) => this.#publish(channel, text) })
    this.#synced = this.#data.snapshot()
    // It was up for long when the run began.
    this.#startedMs = parts.scheduler.now() - 3_600_000
  }

  script(script: RedisScript, keys: readonly string[], args: readonly string[]): RedisReply {
    return this.#answer(() => runtime.run(this.#data, script.lua, keys, args))
  }

  command([name = '', ...args]: readonly string[]): RedisReply {
    if (name === 'INFO') {
      const uptime = Math.floor((this.#parts.scheduler.now() - this.#startedMs) / 1_000)
      return `run_id:${this.name}-${this.run}\r\nuptime_in_seconds:${uptime}\r\nmaxmemory_policy:noeviction\r\n`
    }
    if (name === 'CONFIG') return ['setting', this.#setting(args[1] ?? '')]
    if (name === 'SCAN') return ['0', this.#data.keys()]
    return this.#answer(() => this.#data.call(name, ...args))
  }

  subscribe(channel: string, hear: (text: string) => void): () => void {
    const subscribers = this.#subscribers.get(channel) ?? new Set()
    this.#subscribers.set(channel, subscribers.add(hear))
    return () => subscribers.delete(hear)
  }

  /** Whoever holds or waits; counters hold nothing. */
  locks(): readonly string[] {
    return this.#data.keys().filter((key) => !key.endsWith(':token'))
  }

  crash(awayMs: number): void {
    const { scheduler, persistence } = this.#parts
    if (!this.isUp) return
    this.isUp = false
    this.#subscribers.clear()
    if (persistence === 'none') this.#data.forget()
    // Up to a second of what it has answered is lost.
    if (persistence === 'everysec') this.#data.restore(this.#synced)
    scheduler.after(awayMs, `${this.name} starts again`, () => {
      this.isUp = true
      this.run += 1
      this.#startedMs = scheduler.now()
    })
  }

  #answer(run: () => Reply): RedisReply {
    this.#syncNowAndThen()
    try {
      return toRedisReply(run())
    } catch (error) {
      if (!(error instanceof RedisReplyError)) throw error
      throw new RedisCallError('refused', error.message, { reply: error.message.split(' ', 1)[0] ?? '' })
    }
  }

  #syncNowAndThen(): void {
    const nowMs = this.#parts.scheduler.now()
    if (nowMs - this.#syncedMs < 1_000) return
    this.#synced = this.#data.snapshot()
    this.#syncedMs = nowMs
  }

  #publish(channel: string, text: string): number {
    const subscribers = [...(this.#subscribers.get(channel) ?? [])]
    for (const hear of subscribers) hear(text)
    return subscribers.length
  }

  #setting(name: string): string {
    const { persistence } = this.#parts
    if (name === 'appendonly') return persistence === 'none' ? 'no' : 'yes'
    if (name === 'appendfsync') return persistence === 'always' ? 'always' : 'everysec'
    return name === 'maxmemory-policy' ? 'noeviction' : '0'
  }
}

function toRedisReply(reply: Reply): RedisReply {
  if (reply === null || typeof reply !== 'object') return reply
  if ('ok' in reply) return reply.ok
  return reply.map(toRedisReply)
}
