import { setTimeout as pause } from 'node:timers/promises'
import { type OpenLocker, ttlMs, waitLimitMs } from '../locker.ts'
import { loadPeer } from './load-peer.ts'

/** Its lock does not wait, so who waits asks again after 5 to 15 ms, as its users must. */
const againMs = { least: 5, spread: 10 }

interface Lock {
  ttl(seconds: number): Lock
  acquire(): Promise<Lock>
  release(): Promise<void>
}

interface Module {
  readonly Etcd3: new (options: { readonly hosts: string }) => { lock(name: string): Lock }
  readonly EtcdLockFailedError: new () => Error
}

export const etcd3: OpenLocker = async ({ ports }) => {
  const { Etcd3, EtcdLockFailedError } = await loadPeer<Module>('etcd3')
  const client = new Etcd3({ hosts: `127.0.0.1:${ports[0]}` })
  return {
    async lock(name) {
      const untilMs = performance.now() + waitLimitMs
      for (;;) {
        const lock = client.lock(name).ttl(ttlMs / 1_000)
        try {
          await lock.acquire()
          return { token: null, release: () => lock.release() }
        } catch (error) {
          if (!(error instanceof EtcdLockFailedError) || performance.now() > untilMs) throw error
        }
        await pause(againMs.least + Math.random() * againMs.spread)
      }
    },
  }
}
