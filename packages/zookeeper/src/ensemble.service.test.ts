/** A real ensemble of three, of which one is killed or stands still. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type RunningZooKeeper,
  startZooKeeper,
  testsWithZooKeeper,
  type ZooKeeperMember,
} from '../../testkit/src/services/zookeeper.ts'
import { endOf } from '../test/fake-session.ts'
import { until } from '../test/until.ts'
import { openZooKeeper, type ZooKeeper, type ZooKeeperOptions } from './index.ts'

if (testsWithZooKeeper())
  describe('an ensemble', { timeout: 90_000 }, () => {
    let ensemble: RunningZooKeeper
    const opened: ZooKeeper[] = []
    let tests = 0

    beforeAll(async () => {
      ensemble = await startZooKeeper({ members: 3, private: true })
    }, 90_000)
    afterAll(() => ensemble?.stop())
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()))
    })

    const open = async (options: Partial<ZooKeeperOptions> = {}) => {
      const zookeeper = openZooKeeper({ servers: ensemble.servers, sessionTimeoutMs: 6_000, ...options })
      opened.push(zookeeper)
      const states: string[] = []
      zookeeper.onChange(({ state }) => void states.push(state))
      await zookeeper.whenConnected(20_000)
      return { zookeeper, states }
    }
    const newRoot = async (zookeeper: ZooKeeper): Promise<string> => {
      tests += 1
      const { path } = await zookeeper.create(`/ensemble-${tests}`, { timeoutMs: 20_000 })
      return path
    }
    const memberOf = (zookeeper: ZooKeeper): ZooKeeperMember => {
      const member = ensemble.members.find(({ address }) => address === zookeeper.server)
      if (member === undefined) throw new Error(`It is connected to ${zookeeper.server}, which is no member.`)
      return member
    }
    const others = (member: ZooKeeperMember): ZooKeeperMember[] => ensemble.members.filter((each) => each !== member)
    const serves = async (member: ZooKeeperMember): Promise<boolean> => (await member.mode()) !== null

    test('spreads its clients over its members', async () => {
      const clients = await Promise.all(Array.from({ length: 24 }, () => open()))
      expect(new Set(clients.map(({ zookeeper }) => zookeeper.server)).size).toBe(3)
    })

    test('goes on when its leader is killed: same session, same nodes, and every request ends', async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 20_000 })
      const root = await newRoot(zookeeper)
      const { sessionId } = zookeeper
      const mine = await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      const told: string[] = []
      await zookeeper.getData(`${root}/mine`, { watch: ({ kind }) => told.push(kind) })
      const made: string[] = []
      const ends: string[] = []
      let isOver = false
      const create = async (): Promise<void> => {
        while (!isOver && zookeeper.state !== 'closed') {
          const created = zookeeper.create(`${root}/n-`, { mode: 'ephemeral-sequential', timeoutMs: 20_000 })
          ends.push(await endOf(created.then(({ path }) => made.push(path.slice(root.length + 1)))))
        }
      }
      const creating = Array.from({ length: 64 }, create)
      await until('some are made', () => made.length > 200)
      const leader = await ensemble.leader()
      await leader.kill()
      // Every member cuts its clients off when its leader is gone.
      await until('it is suspended', () => states.includes('suspended'))
      const madeBefore = made.length
      await until('more are made', () => made.length > madeBefore + 200, 40_000)
      isOver = true
      await Promise.all(creating)
      await leader.restart()

      expect(zookeeper.sessionId).toBe(sessionId)
      expect(new Set(ends)).toEqual(new Set(['done', 'CONNECTION_LOSS unknown']))
      await zookeeper.sync('/')
      const { children } = await zookeeper.getChildren(root)
      expect(made.filter((name) => !children.includes(name))).toEqual([])
      const unknown = ends.filter((end) => end !== 'done').length
      expect(children.length - made.length - 1).toBeLessThanOrEqual(unknown)
      expect(await zookeeper.exists(`${root}/mine`)).toEqual(mine.stat)
      expect(told).toEqual([])
      await zookeeper.setData(`${root}/mine`, 'x')
      await until('the watch is told', () => told.length === 1)
    })

    test('takes a session over to another member within its timeout when its own is killed', async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 20_000 })
      const root = await newRoot(zookeeper)
      await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      const member = memberOf(zookeeper)
      const written = await zookeeper.setData(root, 'seen')
      await member.kill()
      // What this session has seen, it sees again: no member that is behind takes it.
      const { data, stat } = await zookeeper.getData(root, { timeoutMs: 20_000 })
      expect([data.toString(), stat.mzxid]).toEqual(['seen', written.mzxid])
      expect(zookeeper.server).not.toBe(member.address)
      expect(await zookeeper.exists(`${root}/mine`, { timeoutMs: 20_000 })).not.toBe(null)
      expect(states).toContain('suspended')
      expect(states).not.toContain('expired')
      await member.restart()
    })

    test('takes a session over when its own member stands still: silence is enough', async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 6_000 })
      const root = await newRoot(zookeeper)
      await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      const member = memberOf(zookeeper)
      const startedMs = performance.now()
      await member.pause()
      try {
        const lost = endOf(zookeeper.setData(root, 'lost', { timeoutMs: 60_000 }))
        await until('it is suspended', () => states.includes('suspended'))
        expect(await lost).toBe('CONNECTION_LOSS unknown')
        expect(performance.now() - startedMs).toBeLessThan(6_000)
        await zookeeper.sync('/', { timeoutMs: 20_000 })
        expect(zookeeper.server).not.toBe(member.address)
        expect(await zookeeper.exists(`${root}/mine`)).not.toBe(null)
        expect(states).not.toContain('expired')
      } finally {
        member.goOn()
      }
      await until('the member serves again', () => serves(member))
    })

    test('without a majority answers nothing: requests end by their deadline, and the session lives on after it', async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 20_000 })
      const root = await newRoot(zookeeper)
      await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      const [first, second] = others(memberOf(zookeeper))
      await Promise.all([first?.kill(), second?.kill()])
      const ends = await Promise.all(
        Array.from({ length: 16 }, () => endOf(zookeeper.setData(root, 'x', { timeoutMs: 500 }))),
      )
      for (const end of ends) {
        expect(['CONNECTION_LOSS unknown', 'TIMEOUT unknown', 'NOT_SENT not-applied']).toContain(end)
      }
      await Promise.all([first?.restart(), second?.restart()])
      expect(await endOf(zookeeper.setData(root, 'y', { timeoutMs: 40_000 }))).toBe('done')
      expect(states).not.toContain('expired')
      expect(await zookeeper.exists(`${root}/mine`)).not.toBe(null)
    })

    // Not behind the leader: it answers a sync of its own clients at once, though older commits may still be on their way to itself.
    test('shows, after a sync through a follower, what another member has acknowledged', async () => {
      const leader = await ensemble.leader()
      const [first, second] = others(leader)
      const writer = await open({ servers: first?.address ?? '' })
      const reader = await open({ servers: second?.address ?? '' })
      const root = await newRoot(writer.zookeeper)
      for (let round = 1; round <= 100; round += 1) {
        const { mzxid } = await writer.zookeeper.setData(root, String(round))
        await reader.zookeeper.sync(root)
        const { data, stat } = await reader.zookeeper.getData(root)
        expect([data.toString(), stat.mzxid]).toEqual([String(round), mzxid])
      }
    })

    test('hands a name from one session to the next with a larger token', async () => {
      const clients = await Promise.all([open(), open(), open()])
      const root = await newRoot(clients[0]?.zookeeper ?? Promise.reject())
      const tokens: bigint[] = []
      await Promise.all(
        clients.map(async ({ zookeeper }) => {
          for (let round = 0; round < 10; round += 1) {
            const { path, stat } = await takeTurn(zookeeper, `${root}/lock-`)
            tokens.push(stat.czxid)
            await zookeeper.delete(path)
          }
        }),
      )
      expect(tokens).toHaveLength(30)
      expect(tokens.every((token, index) => index === 0 || token > (tokens[index - 1] ?? token))).toBe(true)
      expect(clients.map(({ zookeeper }) => zookeeper.watchCount)).toEqual([0, 0, 0])
    })
  })

/** The queue of a lock in a few lines: the lowest number has its turn, everybody else watches the one before. */
async function takeTurn(zookeeper: ZooKeeper, prefix: string) {
  const mine = await zookeeper.create(prefix, { mode: 'ephemeral-sequential' })
  const root = prefix.slice(0, prefix.lastIndexOf('/'))
  for (;;) {
    const names = [...(await zookeeper.getChildren(root)).children].sort()
    const before = names[names.indexOf(mine.path.slice(root.length + 1)) - 1]
    if (before === undefined) return mine
    const { promise, resolve } = Promise.withResolvers<void>()
    const read = zookeeper.getData(`${root}/${before}`, { watch: () => resolve() })
    if ((await endOf(read)) === 'done') await promise
  }
}
