/** Three real members, and a leader that dies or stands still. */
import { createLocks } from 'lockstep'
import type { Locks } from 'lockstep/locks'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RunningEtcd, startEtcd, testsWithEtcd } from '../../../testkit/src/services/etcd.ts'
import { keysLeft, prefix, until } from '../../test/etcd-lab.ts'
import { type Etcd, etcdLocks, openEtcd } from '../index.ts'

if (testsWithEtcd())
  describe('locks on a cluster of etcd', () => {
    let cluster: RunningEtcd
    let observer: Etcd
    const opened: Locks[] = []
    const open = (): Locks => {
      const locks = createLocks(etcdLocks({ endpoints: cluster.endpoints }, { prefix, ttlMs: 5_000 }))
      opened.push(locks)
      return locks
    }
    beforeAll(async () => {
      cluster = await startEtcd({ members: 3, private: true })
      observer = openEtcd({ endpoints: cluster.endpoints })
    })
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((locks) => locks.close()))
    })
    afterAll(async () => {
      observer?.close()
      await cluster?.stop()
    })

    for (const [what, fail, mend] of [
      ['dies', 'kill', 'restart'],
      ['stands still', 'pause', 'resume'],
    ] as const)
      test(`a leader that ${what} costs the holder nothing, and the waiters are served in their order`, async () => {
        const name = `leader-${fail}`
        const lease = await open().acquire(name)
        const order: number[] = []
        const waiting: Promise<unknown>[] = []
        for (const index of [0, 1]) {
          waiting.push(
            open().withLock(name, ({ fencingToken }) => order.push(index, Number(fencingToken)), { wait: '20s' }),
          )
          await until('it stands in the queue', async () => (await keysLeft(observer, name)).length === index + 2)
        }
        const leader = await cluster.leader()
        await leader[fail]()
        await new Promise((resolve) => setTimeout(resolve, 2_000))
        lease.assertHeld()
        await lease.release()
        await Promise.all(waiting)
        await leader[mend]()
        expect([order[0], order[2]]).toEqual([0, 1])
        expect(Number(lease.fencingToken)).toBeLessThan(order[1] ?? 0)
        expect(order[1]).toBeLessThan(order[3] ?? 0)
        await until('nothing is left', async () => (await keysLeft(observer, name)).length === 0)
      })
  })
