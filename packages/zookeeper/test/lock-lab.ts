import { randomBytes } from 'node:crypto'
import { type LockAsk, type LockBackend, type LockHold, type LockMode, silentLogger } from 'lockstep/ports'
import { realEnvironment } from '../src/environment.ts'
import { ZooKeeperError, type ZooKeeperErrorCode } from '../src/errors.ts'
import { type ZooKeeper, type ZooKeeperLocksOptions, type ZooKeeperOptions, zookeeperLocks } from '../src/index.ts'

export const lockEnvironment = {
  ...realEnvironment,
  clock: { now: () => Date.now(), monotonicMs: () => performance.now() },
  random: { fraction: () => Math.random(), hex: (bytes: number) => randomBytes(bytes).toString('hex') },
  log: silentLogger,
}

export function openLocks(
  source: ZooKeeper | ZooKeeperOptions,
  options: Partial<ZooKeeperLocksOptions> = {},
): LockBackend {
  return zookeeperLocks(source, { recipe: 'queue', ...options })(lockEnvironment)
}

export interface AskOptions {
  readonly mode?: LockMode
  readonly waitMs?: number
  readonly signal?: AbortSignal
  readonly owner?: string
}

export function ask(name: string, options: AskOptions = {}): LockAsk {
  const { mode = { kind: 'mutex' }, waitMs = 20_000, signal = new AbortController().signal } = options
  const owner = options.owner ?? lockEnvironment.random.hex(20)
  return { name, mode, ttlMs: 10_000, waitMs, signal, owner, holder: { host: 'here', pid: process.pid, label: 'test' } }
}

export async function held(contending: Promise<LockHold | null>): Promise<LockHold> {
  const hold = await contending
  if (hold === null) throw new Error('Somebody else holds it.')
  return hold
}

/** How it ended: `held`, `null`, or the code of its error. */
export function endOfContend(contending: Promise<LockHold | null>): Promise<string> {
  return contending.then(
    (hold) => (hold === null ? 'null' : 'held'),
    (error: { code?: string } | string) => (typeof error === 'string' ? error : (error.code ?? String(error))),
  )
}

type Method = 'create' | 'delete' | 'getData' | 'getChildren' | 'multi' | 'sync'

export interface Faults {
  readonly zookeeper: ZooKeeper
  /** Every request so far: `create /path`. */
  readonly calls: string[]
  /** The next request of that method happens, and its answer is lost. */
  loseReply(method: Method, code?: ZooKeeperErrorCode): void
  /** The next request of that method is not sent at all, and nobody knows. */
  loseRequest(method: Method, code?: ZooKeeperErrorCode): void
  /** Runs before the next request of that method is sent. */
  before(method: Method, act: () => unknown): void
  /** Runs after the next answer to that method, before the caller hears it. */
  after(method: Method, act: () => unknown): void
}

interface Fault {
  readonly before?: () => unknown
  readonly after?: () => unknown
}

/** A session whose requests go wrong as told. */
export function withFaults(real: ZooKeeper): Faults {
  const faults = new Map<string, Fault[]>()
  const calls: string[] = []
  const add = (method: Method, fault: Fault): void => {
    faults.set(method, [...(faults.get(method) ?? []), fault])
  }
  const fail = (code: ZooKeeperErrorCode = 'CONNECTION_LOSS') => {
    throw new ZooKeeperError(code)
  }
  const methods: readonly string[] = ['create', 'delete', 'getData', 'getChildren', 'multi', 'sync']
  const zookeeper = new Proxy(real, {
    get(target, name: keyof ZooKeeper & string) {
      const value = target[name]
      if (!methods.includes(name) || typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        calls.push(`${name} ${typeof args[0] === 'string' ? args[0] : ''}`)
        const fault = faults.get(name)?.shift()
        await fault?.before?.()
        const answer = await (value as (...all: unknown[]) => Promise<unknown>)(...args)
        await fault?.after?.()
        return answer
      }
    },
  })
  return {
    zookeeper,
    calls,
    loseReply: (method, code) => add(method, { after: () => fail(code) }),
    loseRequest: (method, code) => add(method, { before: () => fail(code) }),
    before: (method, before) => add(method, { before }),
    after: (method, after) => add(method, { after }),
  }
}
