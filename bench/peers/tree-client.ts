/** Both clients behind one face, so that a story can be told with either of them and what they see can be compared. */
import { type CreateMode, isZooKeeperError, openZooKeeper } from '@lockstep/zookeeper'
import { bounded, type NativeClient, type NativeStat, nativeModes, openNative } from './native-client.ts'

/** The name of what happened to a node, or of why a call was refused, is ours; the binding has numbers. */
export interface TreeClient {
  readonly name: 'ours' | 'native'
  /** As it stands in `ephemeralOwner`. */
  readonly sessionId: string
  /** Answers the path, which has a number behind it when the mode is sequential. */
  create(path: string, mode?: CreateMode, data?: Buffer): Promise<string>
  set(path: string, data: Buffer, version?: number): Promise<void>
  remove(path: string, version?: number): Promise<void>
  /** What the node and its Stat hold, and its children in order. */
  view(path: string): Promise<NodeView>
  /** Sets a watch, and answers with the promise of what it tells. */
  watch(what: 'node' | 'data' | 'children', path: string): Promise<{ readonly told: Promise<string> }>
  sync(): Promise<void>
  close(): Promise<void>
}

export type NodeView = Readonly<Record<string, string | number>>

const sessionTimeoutMs = 10_000
const anyVersion = -1

export async function openOurs(servers: string): Promise<TreeClient> {
  const zookeeper = openZooKeeper({ servers, sessionTimeoutMs })
  await zookeeper.whenConnected(10_000)
  const reads = { node: zookeeper.exists, data: zookeeper.getData, children: zookeeper.getChildren }
  return {
    name: 'ours',
    sessionId: zookeeper.sessionId.toString(16),
    create: async (path, mode = 'persistent', data = Buffer.alloc(0)) =>
      (await zookeeper.create(path, { mode, data })).path,
    set: async (path, data, version = anyVersion) => void (await zookeeper.setData(path, data, { version })),
    remove: (path, version = anyVersion) => zookeeper.delete(path, { version }),
    async view(path) {
      const [{ data, stat }, { children }] = await Promise.all([zookeeper.getData(path), zookeeper.getChildren(path)])
      const { ephemeralOwner, ctime, mtime, ...rest } = stat
      return viewOf({ ...rest, ctime, mtime, ephemeralOwner: ephemeralOwner.toString(16) }, data, children)
    },
    async watch(what, path) {
      const { promise, resolve } = Promise.withResolvers<string>()
      await reads[what](path, { watch: (event) => resolve(`${event.kind} ${event.path}`) })
      return { told: bounded(`we are told of ${path}`, promise) }
    },
    sync: () => zookeeper.sync('/'),
    close: async () => void (await zookeeper.close()),
  }
}

export async function openItsNative(servers: string): Promise<TreeClient> {
  const native = await openNative(servers, sessionTimeoutMs)
  const called = async <Value>(what: string, call: Promise<Value>): Promise<Value> => bounded(what, call)
  return {
    name: 'native',
    sessionId: native.client_id,
    create: (path, mode = 'persistent', data = Buffer.alloc(0)) =>
      called(`create ${path}`, native.create(path, data, nativeModes[mode])),
    set: async (path, data, version = anyVersion) =>
      void (await called(`set ${path}`, native.set(path, data, version))),
    remove: (path, version = anyVersion) => called(`delete ${path}`, native.delete_(path, version)),
    async view(path) {
      const reads = Promise.all([native.get(path, false), native.get_children2(path, false)])
      const [[stat, data], [children]] = await called(`read ${path}`, reads)
      return viewOf(numbersOf(stat), data ?? Buffer.alloc(0), children)
    },
    watch: (what, path) => watchOf(native, what, path),
    sync: async () => void (await called('sync', native.sync('/'))),
    async close() {
      const closed = new Promise<void>((resolve) => native.once('close', resolve))
      native.close()
      await called('close', closed)
    },
  }
}

/** `done`, or the code of what the call was refused with. */
export function endOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: Error) =>
      isZooKeeperError(error) ? error.code : (codes[Number.parseInt(error.message, 10)] ?? error.message),
  )
}

const codes: Readonly<Record<number, string>> = {
  [-101]: 'NO_NODE',
  [-103]: 'BAD_VERSION',
  [-108]: 'NO_CHILDREN_FOR_EPHEMERALS',
  [-110]: 'NODE_EXISTS',
  [-111]: 'NOT_EMPTY',
}

const events: Readonly<Record<number, string>> = { 1: 'created', 2: 'deleted', 3: 'changed', 4: 'children-changed' }

async function watchOf(native: NativeClient, what: 'node' | 'data' | 'children', path: string) {
  const { promise, resolve } = Promise.withResolvers<string>()
  const tell = (event: number, _state: number, at: string): void => resolve(`${events[event] ?? event} ${at}`)
  const reads = {
    node: () => native.w_exists(path, tell),
    data: () => native.w_get(path, tell),
    children: () => native.w_get_children2(path, tell),
  }
  // Of a missing node `exists` is an error here, and its watch is set all the same.
  const end = await endOf(bounded<unknown>(`watch ${path}`, reads[what]()))
  if (end !== 'done' && !(what === 'node' && end === 'NO_NODE')) throw new Error(`The native watch of ${path}: ${end}`)
  return { told: bounded(`the native client is told of ${path}`, promise) }
}

function numbersOf({ ctime, mtime, ...stat }: NativeStat) {
  return { ...stat, ctime: ctime.getTime(), mtime: mtime.getTime() }
}

type Numbers = Omit<NativeStat, 'czxid' | 'mzxid' | 'pzxid' | 'ctime' | 'mtime'> &
  Readonly<Record<'czxid' | 'mzxid' | 'pzxid', number | bigint>> & { readonly ctime: number; readonly mtime: number }

function viewOf(stat: Numbers, data: Buffer, children: readonly string[]): NodeView {
  const { version, cversion, aversion, dataLength, numChildren, ctime, mtime, ephemeralOwner } = stat
  return {
    // The binding has numbers for what is 64 bits wide: exact to 2^53, far beyond what this tree comes to.
    czxid: String(stat.czxid),
    mzxid: String(stat.mzxid),
    pzxid: String(stat.pzxid),
    ...{ ctime, mtime, version, cversion, aversion, dataLength, numChildren, ephemeralOwner },
    data: data.toString('hex'),
    children: children.toSorted().join(' '),
  }
}
