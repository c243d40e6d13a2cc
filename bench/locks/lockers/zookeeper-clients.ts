/** Clients and not locks: a cycle is an ephemeral node that is created and deleted. */
import { openZooKeeper } from '@lockstep/zookeeper'
import { nativeModes, openNative } from '../../peers/native-client.ts'
import { type OpenLocker, ttlMs } from '../locker.ts'
import { loadPeer } from './load-peer.ts'

export const ourClient: OpenLocker = async ({ ports }) => {
  const zookeeper = openZooKeeper({ servers: `127.0.0.1:${ports[0]}`, sessionTimeoutMs: ttlMs })
  await zookeeper.whenConnected(10_000)
  return {
    async lock(name) {
      const path = `/${name}`
      const { stat } = await zookeeper.create(path, { mode: 'ephemeral' })
      return { token: stat.czxid, release: () => zookeeper.delete(path) }
    },
  }
}

interface PlainClient {
  once(event: 'connected', listener: () => void): void
  connect(): void
  create(path: string, mode: number, done: (error: Error | null) => void): void
  remove(path: string, done: (error: Error | null) => void): void
}

interface PlainModule {
  readonly CreateMode: { readonly EPHEMERAL: number }
  createClient(servers: string, options: object): PlainClient
}

export const nodeZooKeeperClient: OpenLocker = async ({ ports }) => {
  const { CreateMode, createClient } = await loadPeer<PlainModule>('node-zookeeper-client')
  const client = createClient(`127.0.0.1:${ports[0]}`, { sessionTimeout: ttlMs })
  const connected = new Promise<void>((resolve) => client.once('connected', resolve))
  client.connect()
  await connected
  return {
    async lock(name) {
      const path = `/${name}`
      await called((done) => client.create(path, CreateMode.EPHEMERAL, done))
      return { token: null, release: () => called((done) => client.remove(path, done)) }
    },
  }
}

/** The binding of the C client. */
export const nativeZooKeeper: OpenLocker = async ({ ports }) => {
  const client = await openNative(`127.0.0.1:${ports[0]}`, ttlMs)
  return {
    async lock(name) {
      const path = `/${name}`
      await client.create(path, '', nativeModes.ephemeral)
      return { token: null, release: () => client.delete_(path, -1) }
    },
  }
}

function called(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) =>
    call((error) => (error === null || error === undefined ? resolve() : reject(error))),
  )
}
