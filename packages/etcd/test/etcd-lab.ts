import { createLocks } from 'lockstep'
import type { LockHarness, LockLab } from '../../testkit/src/lock-conformance/index.ts'
import { type RunningEtcd, startEtcd } from '../../testkit/src/services/etcd.ts'
import { startTcpProxy } from '../../testkit/src/services/tcp-proxy.ts'
import { type Etcd, etcdLocks, openEtcd } from '../src/index.ts'

export const prefix = 'lockstep/locks/'

/** The keys below a prefix with that in their name. */
export async function keysLeft(etcd: Etcd, part: string): Promise<readonly string[]> {
  const { entries } = await etcd.range({ key: prefix, rangeEnd: 'lockstep/locks0', keysOnly: true })
  return entries.map(({ key }) => key).filter((key) => key.includes(`/${part}/`))
}

/** Waits for a condition, and says which when it does not come. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`After ${limitMs} ms still not so: ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const ttlMs = 2_000

/** One real member; a process dies as its network does. */
export function etcdHarness(): LockHarness {
  const closing: (() => Promise<unknown>)[] = []
  const { capabilities } = createLocks(etcdLocks({ endpoints: 'http://127.0.0.1:1' }))
  let server: RunningEtcd
  const process = async () => {
    const proxy = await startTcpProxy({ port: Number(new URL(server.endpoints[0] ?? '').port) })
    const endpoints = `http://127.0.0.1:${proxy.port}`
    const locks = createLocks(etcdLocks({ endpoints, requestTimeoutMs: 2_000 }, { prefix, ttlMs }))
    closing.push(async () => {
      proxy.heal()
      await locks.close()
      await proxy.close()
    })
    return {
      locks,
      async crash() {
        proxy.blackHole()
      },
    }
  }
  return {
    name: 'etcd',
    capabilities,
    async open(): Promise<LockLab> {
      server = await startEtcd({ private: true })
      const observer = openEtcd({ endpoints: server.endpoints })
      closing.push(async () => observer.close())
      // An expired lease is found and revoked up to half a second later.
      return {
        capabilities,
        ttlMs,
        hasSession: true,
        freedAfterMs: ttlMs + 1_500,
        process,
        leftovers: (name) => keysLeft(observer, name),
      }
    },
    async dispose() {
      await Promise.all(closing.map((close) => close()))
      await server?.stop()
    },
  }
}
