/** Masters that are only data: their scripts are the real ones, their network is what a test wants, and their time is virtual. */
import { LuaRuntime } from '../../../testkit/src/redis-model/lua-runtime.ts'
import { RedisData, type Reply } from '../../../testkit/src/redis-model/redis-data.ts'
import { redlock } from '../../src/locks/index.ts'
import {
  type LockAsk,
  type LockBackend,
  RedisCallError,
  type RedisConnector,
  type RedisListener,
  type RedisReply,
  silentLogger,
} from '../../src/ports/index.ts'
import { VirtualTime } from '../coordinator/virtual-time.ts'

const runtime = new LuaRuntime()
const latencyMs = 1
const info = 'run_id:{id}\r\nuptime_in_seconds:100000\r\n'

export interface Asked {
  readonly master: number
  readonly lua: string
  readonly args: readonly string[]
  readonly atMs: number
}

/** What a test does to one call: `executed` when it has had its effect and `answered` when the answer may arrive, both by default at once. */
export interface Fate {
  readonly executed?: Promise<unknown>
  readonly answered?: Promise<unknown>
  readonly isLost?: boolean
  /** The server's error, such as `NOAUTH Authentication required.`; the call has no effect. */
  readonly refusal?: string
}

export class Masters {
  readonly time = new VirtualTime()
  readonly asked: Asked[] = []
  readonly away = new Set<number>()
  readonly subscribed = new Set<string>()
  fateOf: (asked: Asked) => Fate = () => ({})
  acknowledges = true
  /** How much the way of one message may differ from that of another. */
  jitter = 0
  readonly #listeners = new Map<string, Set<RedisListener>>()
  readonly #data: RedisData[]
  #opened = 0

  constructor(count = 5) {
    this.#data = Array.from({ length: count }, (_, master) => {
      const publish = (channel: string, text: string): number => {
        const listeners = [...(this.#listeners.get(`${master} ${channel}`) ?? [])]
        for (const told of listeners) this.#after(2 * this.#halfWayMs(), () => told.message(text))
        return listeners.length
      }
      return new RedisData({ nowMs: () => 1_700_000_000_000 + this.time.nowMs, publish })
    })
  }

  /** The owner on each master, and null where nobody stands. */
  owners(name: string): readonly (string | null)[] {
    return this.#data.map((data) => data.call('GET', `lockstep:redlock:{${name}}`) as string | null)
  }

  leftMs(name: string): readonly number[] {
    return this.#data.map((data) => Number(data.call('PTTL', `lockstep:redlock:{${name}}`)))
  }

  forget(master: number, name: string): void {
    this.#data[master]?.call('DEL', `lockstep:redlock:{${name}}`)
  }

  /** One more process. */
  open(options: { nodeTimeout?: number } = {}): {
    readonly backend: LockBackend
    timers(): number
    lose(master: number): void
  } {
    const { environment: own, timers } = this.time.process()
    this.#opened += 1
    const shift = this.#opened * 0.29
    // Processes that drew the same numbers would collide for ever.
    const random = { ...own.random, fraction: (why: string) => (own.random.fraction(why) + shift) % 1 }
    const environment = { ...own, random }
    const lost: (() => void)[] = []
    const connectors = this.#data.map((_, master) => this.#connector(master, (tell) => lost.push(tell)))
    const backend = redlock(connectors, options)({ ...environment, log: silentLogger })
    return { backend, timers, lose: (master) => lost[master]?.() }
  }

  /** What a master publishes arrives nowhere until the connections for messages are restored. */
  loseMessages(master: number): { restore(): void } {
    const lost = [...this.#listeners].filter(([key]) => key.startsWith(`${master} `))
    for (const [key, listeners] of lost) {
      this.#listeners.delete(key)
      for (const { lost: tell } of listeners) tell()
    }
    return {
      restore: () => {
        for (const [key, listeners] of lost) {
          this.#listeners.set(key, listeners)
          for (const { restored } of listeners) restored()
        }
      },
    }
  }

  count(part: string): number {
    return this.asked.filter(({ lua }) => lua.includes(part)).length
  }

  #connector(master: number, onLost: (tell: () => void) => void): RedisConnector {
    const name = `master ${master}`
    let isClosed = false
    let arrivesMs = 0
    const ask = async (lua: string, args: readonly string[], timeoutMs: number, run: () => RedisReply) => {
      if (isClosed || this.away.has(master)) throw new RedisCallError('not-sent', 'It is away.')
      const asked = { master, lua, args, atMs: this.time.nowMs }
      this.asked.push(asked)
      const fate = this.fateOf(asked)
      // In the order of sending, as on one connection.
      arrivesMs = Math.max(arrivesMs, this.time.nowMs + this.#halfWayMs())
      const working = (async () => {
        await this.pause(arrivesMs - this.time.nowMs)
        await fate.executed
        if (fate.refusal !== undefined) throw refused(fate.refusal)
        const reply = run()
        await fate.answered
        if (fate.isLost === true) await new Promise(() => {})
        await this.pause(this.#halfWayMs())
        return reply
      })()
      const late = this.pause(timeoutMs).then(() => {
        throw new RedisCallError('unknown', 'It did not answer in time.')
      })
      late.catch(() => undefined)
      return Promise.race([working, late])
    }
    return {
      name,
      open: () => ({
        script: ({ lua }, keys, args, { timeoutMs }) =>
          ask(lua, args, timeoutMs, () => runtime.run(this.#dataOf(master), lua, keys, args) as RedisReply),
        command: (args, { timeoutMs }) =>
          ask(args.join(' '), [], timeoutMs, () =>
            args[0] === 'INFO'
              ? info.replace('{id}', name)
              : ([String(args[2]), args[2] === 'appendonly' ? 'yes' : 'always'] as Reply as RedisReply),
          ),
        subscribe: async (channel, listener) => {
          if (isClosed || this.away.has(master)) throw new RedisCallError('not-sent', 'It is away.')
          await this.pause(latencyMs)
          while (!this.acknowledges) await this.pause(10)
          const key = `${master} ${channel}`
          // One of its own for each subscription, as of each connection.
          const told = { ...listener }
          this.#listeners.set(key, (this.#listeners.get(key) ?? new Set()).add(told))
          this.subscribed.add(key)
          return {
            close: () => {
              this.#listeners.get(key)?.delete(told)
              if (this.#listeners.get(key)?.size === 0) this.subscribed.delete(key)
            },
          }
        },
        afterSending: (run) => void Promise.resolve().then(run),
        onConnectionChange: (tell) => {
          onLost(() => tell('lost'))
          return () => {}
        },
        close: async () => {
          isClosed = true
        },
      }),
    }
  }

  #dataOf(master: number): RedisData {
    const data = this.#data[master]
    if (data === undefined) throw new Error('no such master')
    return data
  }

  #halfWayMs(): number {
    return (latencyMs / 2) * (1 + this.jitter * this.#random.fraction('way'))
  }

  /** By a process of its own, so that the timers of the network are not the backend's. */
  readonly #network = this.time.process().environment.timers
  readonly #random = this.time.process().environment.random

  #after(ms: number, then: () => void): void {
    this.#network.after(ms, then)
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve))
  }
}

function refused(text: string): RedisCallError {
  return new RedisCallError('refused', `Redis refuses: ${text}`, { reply: text.replace(/ .*/, '') })
}

export function askOf(others: Partial<LockAsk> = {}): LockAsk {
  return {
    name: 'sku',
    mode: { kind: 'mutex' },
    ttlMs: 10_000,
    waitMs: 0,
    signal: new AbortController().signal,
    owner: 'me',
    holder: { host: 'here', pid: 1, label: '' },
    ...others,
  }
}
