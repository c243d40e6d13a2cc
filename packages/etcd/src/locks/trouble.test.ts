/** Answers that are lost or do not come, on a member that a test plays. */
import type { LockAsk, LockMode } from 'lockstep/ports'
import { expect, test } from 'vitest'
import { fakeEtcd } from '../../test/fake-etcd.ts'
import { manualTime } from '../../test/manual-time.ts'
import { grpcStatus } from '../errors.ts'
import { type Etcd, EtcdError, etcdLocks } from '../index.ts'
import { Patience } from './patience.ts'

const away = () => new EtcdError('not-sent', { subject: 'test', why: 'nobody listens' })
const unanswered = () => new EtcdError('unknown', { subject: 'test', why: 'no answer' })
const ask = (waitMs: number, mode: LockMode = { kind: 'mutex' }): LockAsk => ({
  name: 'name',
  mode,
  ttlMs: 9_000,
  waitMs,
  owner: 'owner',
  holder: { host: 'here', pid: 1, label: '' },
  signal: new AbortController().signal,
})

function open(parts: Partial<Etcd>) {
  const time = manualTime()
  const etcd = fakeEtcd({
    leaseGrant: async ({ id = 0n, ttlSeconds }) => ({ id, ttlSeconds }),
    leaseKeepAlive: async () => 9,
    txn: async () => ({ succeeded: true, revision: 7n, responses: [] }),
    ...parts,
  })
  return { time, locks: etcdLocks(etcd, { ttlMs: 9_000 })(time.environment) }
}

test('a request that fails behind an abort is nobody’s unhandled rejection', async () => {
  const heard: unknown[] = []
  const listen = (reason: unknown): void => void heard.push(reason)
  process.on('unhandledRejection', listen)
  const patience = new Patience({ ...ask(100), signal: AbortSignal.abort('enough') }, new AbortController().signal, {
    ...manualTime().environment,
  })
  await expect(patience.during(Promise.reject(away()))).rejects.toBe('enough')
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', listen)
  expect(heard).toEqual([])
})

test('a writer whose downgrade was applied without an answer is not extended, and its release takes the reader away', async () => {
  const puts: string[] = []
  const deleted: string[] = []
  const { locks } = open({
    async txn({ success }) {
      for (const each of success) if (each.kind === 'put') puts.push(each.value)
      if (puts.length > 1) throw unanswered()
      return { succeeded: true, revision: 7n, responses: [] }
    },
    range: async ({ key }) => {
      const entry = { key, value: puts.at(-1) ?? '', createRevision: 7n, modRevision: 8n, version: 2n, leaseId: 1n }
      return { revision: 8n, entries: [entry] }
    },
    async delete({ key }) {
      deleted.push(key)
      return 1
    },
  })
  const hold = await locks.contend(ask(0, { kind: 'write' }))
  expect(await hold?.extend(9_000)).toBe(true)
  await expect(hold?.downgrade?.()).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE', outcome: 'unknown' })
  expect(await hold?.extend(9_000)).toBe(false)
  expect([await hold?.release(), deleted]).toEqual([true, [expect.stringContaining('read-write/name/')]])
  await locks.close()
})

test('nobody who answers is borne while there is time, at the grant and at the entry', async () => {
  let grants = 0
  let entries = 0
  const { time, locks } = open({
    async leaseGrant({ id = 0n, ttlSeconds }) {
      grants += 1
      if (grants < 4) throw away()
      return { id, ttlSeconds }
    },
    async txn() {
      entries += 1
      if (entries < 4) throw away()
      return { succeeded: true, revision: 7n, responses: [] }
    },
  })
  const contending = locks.contend(ask(10_000))
  await time.advance(4_000)
  expect((await contending)?.token).toBe(7n)
  await locks.close()
  expect([grants, entries, time.timers()]).toEqual([4, 4, 0])
})

test('trouble is borne for 5 s at most, and never beyond the wait', async () => {
  for (const [waitMs, leastMs, mostMs] of [
    [60_000, 4_500, 5_001],
    [1_000, 500, 1_001],
    [0, 0, 1],
  ] as const) {
    const { time, locks } = open({
      async leaseGrant() {
        throw away()
      },
    })
    const startedMs = time.now()
    const failed = locks.contend(ask(waitMs)).catch((error: unknown) => ({ error, afterMs: time.now() - startedMs }))
    await time.advance(10_000)
    const { error, afterMs } = (await failed) as { error: unknown; afterMs: number }
    expect(error).toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
    expect([waitMs, afterMs >= leastMs && afterMs < mostMs]).toEqual([waitMs, true])
    await locks.close()
  }
})

test('what no repeat mends is told at once', async () => {
  let grants = 0
  const { locks } = open({
    async leaseGrant() {
      grants += 1
      throw new EtcdError('refused', { subject: 'test', why: 'no right', status: grpcStatus.permissionDenied })
    },
  })
  await expect(locks.contend(ask(10_000))).rejects.toMatchObject({ code: 'LOCKSTEP_CONFIGURATION' })
  expect(grants).toBe(1)
  await locks.close()
})
