/** Both backends against what every lock backend must pass, on one real server. */
import type { LockHarness } from '../../../../testkit/src/lock-conformance/index.ts'
import {
  quietPool,
  type RunningPostgres,
  startPostgres,
  testsWithPostgres,
} from '../../../../testkit/src/services/postgres.ts'
import { startTcpProxy } from '../../../../testkit/src/services/tcp-proxy.ts'
import { testConformance } from '../../../test/locks/test-conformance.ts'
import { createLocks } from '../../compose.ts'
import type { OpenLockBackend } from '../../ports/index.ts'
import { postgresAdvisoryLocks, postgresLeaseLocks } from '../index.ts'
import type { LockPool } from './statements.ts'

interface Kind {
  readonly name: string
  readonly ttlMs: number
  readonly hasSession: boolean
  readonly freedAfterMs: number
  open(pool: LockPool): OpenLockBackend
}

const leaseTtlMs = 1_200
const sessionTtlMs = 1_500

const kinds: readonly Kind[] = [
  {
    name: 'PostgreSQL leases',
    ttlMs: leaseTtlMs,
    hasSession: false,
    freedAfterMs: leaseTtlMs,
    open: (pool) => postgresLeaseLocks(pool),
  },
  {
    name: 'PostgreSQL advisory locks',
    ttlMs: sessionTtlMs,
    hasSession: true,
    freedAfterMs: sessionTtlMs,
    open: (pool) => postgresAdvisoryLocks(pool, { ttlMs: sessionTtlMs }),
  },
]

function harness({ name, ttlMs, hasSession, freedAfterMs, open }: Kind): LockHarness {
  const capabilities = { fencing: 'durable', fair: false, wakeUp: 'push', sharing: false } as const
  const closing: (() => Promise<unknown>)[] = []
  let server: RunningPostgres | undefined
  return {
    name,
    capabilities,
    async open() {
      const started = await startPostgres({ private: true, settings: { max_connections: 300 } })
      server = started
      const observer = createLocks(open(quietPool(started.url, { max: 3 })))
      closing.push(() => observer.close())
      return {
        capabilities,
        ttlMs,
        hasSession,
        freedAfterMs,
        async process() {
          const proxy = await startTcpProxy({ port: Number(new URL(started.url).port) })
          const url = new URL(started.url)
          url.port = String(proxy.port)
          const pool = quietPool(url.href, { max: 4 })
          const locks = createLocks(open(pool))
          closing.push(async () => {
            proxy.cut()
            await locks.close()
            void pool.end().catch(() => undefined)
            await proxy.close()
          })
          return { locks, crash: async () => proxy.cut() }
        },
        async leftovers(part) {
          return (await observer.inspect()).map((info) => info.name).filter((each) => each.includes(part))
        },
      }
    },
    async dispose() {
      await Promise.all(closing.map((close) => close()))
      await server?.stop()
    },
  }
}

if (testsWithPostgres()) for (const kind of kinds) testConformance(harness(kind))
