import { expect, test } from 'vitest'
import { fakeEtcd } from '../../test/fake-etcd.ts'
import { manualTime } from '../../test/manual-time.ts'
import { Sessions } from './sessions.ts'

test('whoever asks gets a session, also when the one before ends at that very moment', async () => {
  const { environment } = manualTime()
  let nowMs = 1_000
  let stepMs = 0
  // Every look at the clock takes its time.
  const monotonicMs = (): number => {
    nowMs += stepMs
    return nowMs
  }
  const etcd = fakeEtcd({ leaseGrant: async ({ id = 0n, ttlSeconds }) => ({ id, ttlSeconds }) })
  const sessions = new Sessions({
    etcd,
    environment: { ...environment, clock: { now: monotonicMs, monotonicMs } },
    ttlMs: 9_000,
  })
  const first = await sessions.current()
  nowMs = first.validUntilMs - 1.5
  stepMs = 1
  expect(await sessions.current()).not.toBeNull()
})
