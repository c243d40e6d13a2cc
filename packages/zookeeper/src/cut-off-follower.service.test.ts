/**
 * A follower that has lost its leader goes on answering pings and reads for `syncLimit` ticks, here 5 s, while the leader ends the
 * sessions behind it. Whoever takes these answers for life holds a lock that somebody else has.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testsWithZooKeeper } from '../../testkit/src/services/zookeeper.ts'
import { type CutOffFollower, startCutOffFollower } from '../test/cut-off-follower.ts'
import { endOf } from '../test/fake-session.ts'
import { nextState, until } from '../test/until.ts'
import { openZooKeeper, type ZooKeeper } from './index.ts'

if (testsWithZooKeeper())
  describe('behind a follower that has lost its leader', { timeout: 60_000 }, () => {
    let ensemble: CutOffFollower
    const opened: ZooKeeper[] = []

    beforeAll(async () => {
      ensemble = await startCutOffFollower()
    }, 90_000)
    afterAll(() => ensemble?.stop())
    afterEach(async () => {
      ensemble.heal()
      await Promise.all(opened.splice(0).map((each) => each.close()))
      await until('the follower serves', async () => (await ensemble.follower.mode()) === 'follower')
    })

    const open = async (servers: string, sessionTimeoutMs: number): Promise<ZooKeeper> => {
      // Without chance the servers are tried as they stand.
      const random = { fraction: () => 0 }
      const zookeeper = openZooKeeper({ servers, sessionTimeoutMs, environment: { random } })
      opened.push(zookeeper)
      await zookeeper.whenConnected(20_000)
      return zookeeper
    }
    const elsewhere = (): string => ensemble.others.map(({ address }) => address).join(',')

    test('a session is not proven any more when the leader gives its nodes to somebody else', async () => {
      const mine = await open(ensemble.follower.address, 2_000)
      const other = await open(elsewhere(), 20_000)
      const { stat } = await mine.create('/held', { mode: 'ephemeral' })
      await until('the other one sees it', async () => (await other.exists('/held')) !== null)
      const suspended = nextState(mine, 'suspended')
      ensemble.cutOff()
      const expired = until('the leader has ended it', async () => (await other.exists('/held')) === null)
      await suspended
      expect(mine.provenUntilMs).toBeGreaterThan(performance.now())
      await expired
      expect(mine.provenUntilMs).toBeLessThan(performance.now())
      const taken = await other.create('/held', { mode: 'ephemeral' })
      expect(taken.stat.czxid).toBeGreaterThan(stat.czxid)
      // It serves on: nothing but its silence towards the leader tells.
      expect(await ensemble.follower.mode()).toBe('follower')
    })

    test('a session goes over to another member in time, with its nodes', async () => {
      const mine = await open(`${ensemble.follower.address},${elsewhere()}`, 6_000)
      expect(mine.server).toBe(ensemble.follower.address)
      const { stat } = await mine.create('/kept', { mode: 'ephemeral' })
      let spareMs: number | undefined
      mine.onChange(({ state }) => {
        if (state === 'suspended') spareMs = mine.provenUntilMs - performance.now()
      })
      ensemble.cutOff()
      const lost = endOf(mine.setData('/kept', 'lost', { timeoutMs: 30_000 }))
      await until('it is suspended', () => spareMs !== undefined)
      await mine.whenConnected(20_000)
      expect(await lost).toBe('CONNECTION_LOSS unknown')
      expect(ensemble.others.map(({ address }) => address)).toContain(mine.server)
      expect((await mine.exists('/kept'))?.czxid).toBe(stat.czxid)
      expect(spareMs).toBeGreaterThan(0)
      expect(mine.provenUntilMs).toBeGreaterThan(performance.now() + 4_000)
    })
  })
