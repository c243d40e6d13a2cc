/** The npm package `zookeeper`, the binding of the C client: as much of it as is used here, each call with a bound. */
import { setTimeout as pause } from 'node:timers/promises'
import { loadPeer } from '../locks/lockers/load-peer.ts'

export interface NativeStat {
  readonly czxid: number
  readonly mzxid: number
  readonly pzxid: number
  readonly ctime: Date
  readonly mtime: Date
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  /** Hexadecimal. */
  readonly ephemeralOwner: string
  readonly dataLength: number
  readonly numChildren: number
}

/** Called with the number of the event, the state of the session and the path. */
export type NativeWatch = (event: number, state: number, path: string) => void

export interface NativeClient {
  /** Of the session, hexadecimal. */
  readonly client_id: string
  init(options: object): void
  once(event: 'connect' | 'close', listener: () => void): void
  create(path: string, data: string | Buffer, flags: number): Promise<string>
  delete_(path: string, version: number): Promise<void>
  set(path: string, data: string | Buffer, version: number): Promise<NativeStat>
  get(path: string, watch: boolean): Promise<[NativeStat, Buffer | undefined]>
  exists(path: string, watch: boolean): Promise<NativeStat>
  get_children2(path: string, watch: boolean): Promise<[readonly string[], NativeStat]>
  w_get(path: string, watch: NativeWatch): Promise<[NativeStat, Buffer | undefined]>
  w_exists(path: string, watch: NativeWatch): Promise<NativeStat>
  w_get_children2(path: string, watch: NativeWatch): Promise<[readonly string[], NativeStat]>
  sync(path: string): Promise<unknown>
  close(): void
}

type NativeClass = (new (
  options: object,
) => NativeClient) & { readonly constants: { readonly ZOO_LOG_LEVEL_ERROR: number } }

export const nativeModes = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
  container: 4,
} as const

const limitMs = 10_000

export async function openNative(servers: string, sessionTimeoutMs: number): Promise<NativeClient> {
  const { default: ZooKeeper } = await loadPeer<{ readonly default: NativeClass }>('zookeeper')
  const options = {
    connect: servers,
    timeout: sessionTimeoutMs,
    debug_level: ZooKeeper.constants.ZOO_LOG_LEVEL_ERROR,
    data_as_buffer: true,
  }
  const client = new ZooKeeper(options)
  const connected = new Promise<void>((resolve) => client.once('connect', resolve))
  client.init(options)
  await bounded('the native client connects', connected)
  return client
}

/** Some of its calls never call back. */
export async function bounded<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  const given = new AbortController()
  const over = pause(limitMs, null, { signal: given.signal }).then(
    () => Promise.reject(new Error(`After ${limitMs} ms still not so: ${what}.`)),
    () => new Promise<never>(() => {}),
  )
  return Promise.race([promise, over]).finally(() => given.abort())
}
