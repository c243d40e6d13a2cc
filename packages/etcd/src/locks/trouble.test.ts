/** Answers that are lost or do not come, on a member that a test plays. */
import { Patience } from 'lockstep/lock-backend'
import type { LockAsk, LockMode } from 'lockstep/ports'
import { expect, test } from 'vitest'
import { fakeEtcd } from '../../test/fake-etcd.ts'
import { manualTime } from '../../test/manual-time.ts'
import { grpcStatus } from '../errors.ts'
import { type Etcd, EtcdError, etcdLocks, type TxnRequest } from '../index.ts'

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
  const { environment } = manualTime()
  const patience = new Patience({ waitMs: 100, ends: [AbortSignal.abort('enough')], environment })
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

test('a try whose session is over before it can be used fails, and does not go on for ever', async () => {
  let grants = 0
  const { time, locks } = open({
    async leaseGrant({ id = 0n, ttlSeconds }) {
      grants += 1
      if (grants > 20) throw new EtcdError('refused', { subject: 'test', why: 'far too often', status: 7 })
      time.stall(9_000)
      return { id, ttlSeconds }
    },
  })
  await expect(locks.contend(ask(0))).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
  await expect(locks.contend(ask(20_000))).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
  expect(grants).toBeLessThan(6)
  await locks.close()
})

test('an entry that is known to stand is withdrawn when the look at its queue fails, whatever the look fails with', async () => {
  const requests: TxnRequest[] = []
  const { time, locks } = open({
    async txn(request) {
      requests.push(request)
      const [first] = request.success
      const isLook = first?.kind === 'range'
      if (isLook) throw away()
      if (first?.kind !== 'put' || first.key.includes('withdrawn'))
        return { succeeded: true, revision: 9n, responses: [] }
      const own = { ...first, createRevision: 7n, modRevision: 7n, version: 1n, leaseId: first.leaseId ?? 0n }
      return { succeeded: false, revision: 8n, responses: [{ entries: [own], deleted: 0 }] }
    },
  })
  const failed = locks.contend(ask(300)).catch((error: { code: string }) => error.code)
  await time.advance(400)
  expect(await failed).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
  const puts = requests.flatMap(({ success }) => success).flatMap((each) => (each.kind === 'put' ? [each.key] : []))
  const entered = puts.filter((key) => !key.includes('withdrawn')).map((key) => key.split('/').at(-1))
  const withdrawn = puts.filter((key) => key.includes('withdrawn')).map((key) => key.split('/').at(-1))
  expect(withdrawn).toEqual(entered)
  await locks.close()
})

test('an entry that may be put once more is withdrawn at its release, and after a try that found somebody else', async () => {
  const withdrawn: string[] = []
  let isHeld = false
  const { locks } = open({
    async txn({ success }) {
      const [first, second] = success
      if (first?.kind === 'put' && second?.kind === 'delete') withdrawn.push(first.key)
      const another = { key: 'another', value: '', createRevision: 5n, modRevision: 5n, version: 1n, leaseId: 1n }
      const responses = [
        { entries: [], deleted: 0 },
        { entries: isHeld ? [another] : [], deleted: 1 },
      ]
      return { succeeded: !isHeld || second?.kind === 'delete', revision: 7n, responses, mayComeAgain: true }
    },
  })
  const hold = await locks.contend(ask(0))
  expect(withdrawn).toHaveLength(0)
  expect(await hold?.release()).toBe(true)
  expect(withdrawn).toHaveLength(1)
  isHeld = true
  expect(await locks.contend(ask(0))).toBe(null)
  await new Promise((resolve) => setImmediate(resolve))
  expect(withdrawn).toHaveLength(2)
  await locks.close()
})

const stands: Partial<Etcd> = {
  async txn() {
    const another = { key: 'another', value: '', createRevision: 5n, modRevision: 5n, version: 1n, leaseId: 1n }
    return {
      succeeded: true,
      revision: 7n,
      responses: [
        { entries: [], deleted: 0 },
        { entries: [another], deleted: 0 },
      ],
    }
  },
  watch: () => ({ seenRevision: 0n, close: () => {} }),
}

test('whoever is told that its wait is over stands in nobody’s way any more', async () => {
  let isGone = false
  const { time, locks } = open({
    ...stands,
    async delete() {
      await new Promise((resolve) => setImmediate(resolve))
      isGone = true
      return 1
    },
  })
  const contending = locks.contend(ask(100)).then((hold) => [hold, isGone])
  await time.advance(200)
  expect(await contending).toEqual([null, true])
  await locks.close()
})

test('what is still being taken away at the close leaves no timer', async () => {
  const { time, locks } = open({
    ...stands,
    async delete() {
      throw away()
    },
  })
  const contending = locks.contend(ask(100))
  await time.advance(5_000)
  expect(await contending).toBe(null)
  await locks.close()
  await new Promise((resolve) => setImmediate(resolve))
  expect(time.timers()).toBe(0)
})

test('a release without an answer is repeated for as long as the session lives, once at a time, and the caller may repeat it too', async () => {
  let isAway = true
  let isThere = true
  const deletes: number[] = []
  const { time, locks } = open({
    async delete() {
      deletes.push(time.now())
      if (isAway) throw away()
      const deleted = isThere ? 1 : 0
      isThere = false
      return deleted
    },
  })
  const hold = await locks.contend(ask(0))
  await expect(hold?.release()).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
  await expect(hold?.release()).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
  const startedMs = time.now()
  // Twice the TTL is behind what the caller repeats it for.
  await time.advance(30_000)
  expect(deletes.length).toBeGreaterThan(100)
  const inBackground = deletes.filter((atMs) => atMs > startedMs)
  expect(new Set(inBackground).size).toBe(inBackground.length)
  isAway = false
  await time.advance(1_000)
  expect(isThere).toBe(false)
  const answered = deletes.length
  expect(await hold?.release()).toBe(false)
  await time.advance(5_000)
  expect(deletes.length).toBe(answered + 1)
  await locks.close()
  expect(time.timers()).toBe(0)
})

test('a release that fails behind the end of its session is not repeated: the entry has gone with it', async () => {
  let deletes = 0
  const { time, locks } = open({
    leaseKeepAlive: async () => 0,
    async delete() {
      deletes += 1
      throw away()
    },
  })
  const hold = await locks.contend(ask(0))
  await time.advance(4_000)
  await expect(hold?.release()).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
  await time.advance(10_000)
  expect(deletes).toBe(1)
  await locks.close()
})

test('whoever stands in the queue keeps the place through trouble while its session lives; then 5 s are borne', async () => {
  let isAlive = true
  let hasEntered = false
  const { time, locks } = open({
    ...stands,
    async leaseGrant({ id = 0n, ttlSeconds }) {
      if (hasEntered) throw away()
      return { id, ttlSeconds }
    },
    leaseKeepAlive: async () => (isAlive ? 9 : 0),
    async txn(request) {
      if (hasEntered) throw away()
      hasEntered = true
      return (await stands.txn?.(request)) ?? Promise.reject(away())
    },
    delete: async () => 1,
  })
  let failedMs = 0
  const failed = locks.contend(ask(120_000)).catch((error: unknown) => {
    failedMs = time.now()
    return error
  })
  // The look of the net comes within two TTLs, and fails.
  await time.advance(40_000)
  expect(failedMs).toBe(0)
  isAlive = false
  const endedMs = time.now()
  await time.advance(20_000)
  expect(await failed).toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
  // It is found out by the next keep-alive, which comes after a third of the TTL.
  expect(failedMs - endedMs).toBeLessThan(3_000 + 5_000 + 1_000)
  await locks.close()
})
