/** Masters that are only data: their scripts are the real ones, their network is what a test wants, and their time is virtual. */
import { LuaRuntime } from '../../../testkit/src/redis-model/lua-runtime.ts'
import { RedisData, type Reply } from '../../../testkit/src/redis-model/redis-data.ts'
import { redlock } from '../../src/locks/index.ts'
import {
  type LockAsk,
  type LockBackend,
  RedisCallError,
  type RedisConnector,
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
  readonly #listeners = new Map<string, Set<(text: string) => void>>()
  readonly #data: RedisData[]

  constructor(count = 5) {
    this.#data = Array.from({ length: count }, (_, master) => {
      const publish = (channel: string, text: string): number => {
        const listeners = [...(this.#listeners.get(`${master} ${channel}`) ?? [])]
        for (const told of listeners) this.#after(2 * this.#halfWayMs(), () => told(text))
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
    const { environment, timers } = this.time.process()
    const lost: (() => void)[] = []
    const connectors = this.#data.map((_, master) => this.#connector(master, (tell) => lost.push(tell)))
    const backend = redlock(connectors, options)({ ...environment, log: silentLogger })
    return { backend, timers, lose: (master) => lost[master]?.() }
  }

  count(part: string): number {
    return this.asked.filter(({ lua }) => lua.includes(part)).length
  }

  #connector(master: number, onLost: (tell: () => void) => void): RedisConnector {
    const name = `master ${master}`
    let isClosed = false
    let arrivesMs = 0
    const ask = async (lua: string, args: readonly string[], timeoutMs: number, run: () => RedisReply) => {
      if (isClosed || this.away.has(master)) throw new RedisCallError('not-sent', `${name} is away.`)
      const asked = { master, lua, args, atMs: this.time.nowMs }
      this.asked.push(asked)
      const fate = this.fateOf(asked)
      // In the order of sending, as on one connection.
      arrivesMs = Math.max(arrivesMs, this.time.nowMs + this.#halfWayMs())
      const working = (async () => {
        await this.pause(arrivesMs - this.time.nowMs)
        await fate.executed
        const reply = run()
        await fate.answered
        if (fate.isLost === true) await new Promise(() => {})
        await this.pause(this.#halfWayMs())
        return reply
      })()
      const late = this.pause(timeoutMs).then(() => {
        throw new RedisCallError('unknown', `${name} did not answer in time.`)
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
          if (isClosed || this.away.has(master)) throw new RedisCallError('not-sent', `${name} is away.`)
          await this.pause(latencyMs)
          while (!this.acknowledges) await this.pause(10)
          const key = `${master} ${channel}`
          const told = (text: string): void => listener.message(text)
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
