/** Several sessions over an ensemble of three, whose leader and whose clients are killed. */
import { setTimeout as pause } from 'node:timers/promises'
import type { HoldState, LockBackend, LockHold } from 'lockstep/ports'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../../testkit/src/services/zookeeper.ts'
import { ask, held, openLocks } from '../../test/lock-lab.ts'
import { treeBelow } from '../../test/tree.ts'
import { until } from '../../test/until.ts'
import { openZooKeeper, type ZooKeeper } from '../index.ts'

const root = '/lockstep/locks'

if (testsWithZooKeeper())
  describe('locks on an ensemble', { timeout: 60_000 }, () => {
    let ensemble: RunningZooKeeper
    let other: ZooKeeper
    const opened: { zookeeper: ZooKeeper; locks: LockBackend }[] = []

    beforeAll(async () => {
      ensemble = await startZooKeeper({ members: 3, private: true, fsync: false })
      other = openZooKeeper({ servers: ensemble.servers, sessionTimeoutMs: 20_000 })
    }, 90_000)
    afterAll(async () => {
      await other?.close()
      await ensemble?.stop()
    })
    afterEach(async () => {
      for (const { zookeeper, locks } of opened.splice(0)) {
        await locks.close()
        expect(zookeeper.watchCount).toBe(0)
        await zookeeper.close()
      }
      await until('no node of ours remains', async () => (await treeBelow(other, root)).length === 0)
    })

    const open = async (sessionTimeoutMs = 8_000) => {
      const zookeeper = openZooKeeper({ servers: ensemble.servers, sessionTimeoutMs })
      await zookeeper.whenConnected(20_000)
      const process = { zookeeper, locks: openLocks(zookeeper) }
      opened.push(process)
      return process
    }
    const killLeader = async () => {
      const leader = await ensemble.leader()
      await leader.kill()
      return leader
    }
    const line = (count: number) =>
      until('they stand in line', async () => (await treeBelow(other, root)).length === count)

    test('one holds at a time, in the order of asking over three sessions, and tokens grow', async () => {
      const all = [await open(), await open(), await open()]
      const first = await held((await open()).locks.contend(ask('order')))
      const order: number[] = []
      const tokens = [first.token]
      let holders = 0
      const asks: Promise<void>[] = []
      for (let turn = 0; turn < 12; turn += 1) {
        const contending = held(all[turn % 3]?.locks.contend(ask('order')) ?? Promise.resolve(null))
        asks.push(
          contending.then(async (hold) => {
            holders += 1
            expect(holders).toBe(1)
            order.push(turn)
            tokens.push(hold.token)
            await pause(2)
            holders -= 1
            await hold.release()
          }),
        )
        await line(turn + 2)
      }
      await first.release()
      await Promise.all(asks)
      expect(order).toEqual([...Array(12).keys()])
      expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)))
      expect(new Set(tokens).size).toBe(13)
    })

    test('a leader that is killed costs neither the holder its hold nor the waiters their places', async () => {
      const [a, b, c] = [await open(), await open(), await open()]
      const hold = await held(a.locks.contend(ask('leader')))
      const told: HoldState[] = []
      hold.watch((state) => void told.push(state))
      const second = b.locks.contend(ask('leader'))
      await line(2)
      const third = c.locks.contend(ask('leader'))
      await line(3)
      const granted: string[] = []
      const note = (name: string) => (each: LockHold | null) => {
        granted.push(name)
        return held(Promise.resolve(each))
      }
      const [waiting2, waiting3] = [second.then(note('second')), third.then(note('third'))]
      const leader = await killLeader()
      await until('the holder is served again', async () => {
        return a.zookeeper.state === 'connected' && (await hold.extend(1).catch(() => false))
      })
      expect([granted, told.includes('lost'), told.at(-1) ?? 'held']).toEqual([[], false, 'held'])
      await leader.restart()
      expect(await hold.release()).toBe(true)
      const next = await waiting2
      expect(granted).toEqual(['second'])
      await next.release()
      await (await waiting3).release()
      expect(next.token).toBeGreaterThan(hold.token)
    })

    test('CURATOR-644, -645: fifty contenders, of which some are killed at random moments, go on and leave nothing', async () => {
      const sessions = await Promise.all(Array.from({ length: 5 }, () => open()))
      const killed = await Promise.all(Array.from({ length: 3 }, () => open()))
      const startedMs = performance.now()
      let holders = 0
      let grants = 0
      const last = { token: 0n }
      const contend = async (locks: LockBackend): Promise<void> => {
        const hold = await held(locks.contend(ask('fifty', { waitMs: 40_000 })))
        holders += 1
        expect([holders, hold.token > last.token]).toEqual([1, true])
        last.token = hold.token
        grants += 1
        await pause(1)
        holders -= 1
        await hold.release()
      }
      const living = Array.from({ length: 38 }, (_, index) => contend(sessions[index % 5]?.locks as LockBackend))
      const dying = Array.from({ length: 12 }, (_, index) => {
        const { locks } = killed[index % 3] as (typeof killed)[number]
        // Whoever of these is granted it, never gives it back.
        return locks.contend(ask('fifty', { waitMs: 40_000 })).catch(() => null)
      })
      for (const { zookeeper } of killed) {
        await pause(50 + Math.random() * 200)
        await zookeeper.close()
      }
      await Promise.all([...living, ...dying])
      expect(grants).toBe(38)
      expect(performance.now() - startedMs).toBeLessThan(20_000)
    })
  })
