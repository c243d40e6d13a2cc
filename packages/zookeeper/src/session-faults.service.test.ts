/** One real server behind a network that fails, and that is killed itself. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../testkit/src/services/zookeeper.ts'
import { endOf } from '../test/fake-session.ts'
import { startTcpProxy, type TcpProxy } from '../test/tcp-proxy.ts'
import { nextState, until } from '../test/until.ts'
import { openZooKeeper, type WatchEvent, type ZooKeeper, type ZooKeeperOptions } from './index.ts'

if (testsWithZooKeeper())
  describe('a session through a failing network', () => {
    let server: RunningZooKeeper
    let proxy: TcpProxy
    /** Straight to the server: what others see. */
    let other: ZooKeeper
    let root: string
    let tests = 0
    const opened: ZooKeeper[] = []

    beforeAll(async () => {
      server = await startZooKeeper({ private: true })
      other = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000 })
    })
    afterAll(async () => {
      await other?.close()
      await server?.stop()
    })
    beforeEach(async () => {
      proxy = await startTcpProxy(server.servers)
      tests += 1
      root = `/faults-${tests}`
      await other.create(root)
    })
    afterEach(async () => {
      proxy.heal()
      await Promise.all(opened.splice(0).map((each) => each.close()))
      await proxy.close()
    })

    const open = async (options: Partial<ZooKeeperOptions> = {}) => {
      const zookeeper = openZooKeeper({ servers: proxy.address, sessionTimeoutMs: 3_000, ...options })
      opened.push(zookeeper)
      const states: string[] = []
      zookeeper.onChange(({ state }) => void states.push(state))
      await zookeeper.whenConnected(10_000)
      return { zookeeper, states }
    }

    test('stays the same through a cut connection, with its ephemeral nodes', async () => {
      const { zookeeper, states } = await open()
      const { sessionId } = zookeeper
      const { stat } = await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      for (let round = 0; round < 5; round += 1) {
        const suspended = nextState(zookeeper, 'suspended')
        proxy.cut()
        await suspended
        await zookeeper.whenConnected()
      }
      expect(zookeeper.sessionId).toBe(sessionId)
      expect(await other.exists(`${root}/mine`)).toEqual(stat)
      expect(states.filter((state) => state === 'suspended')).toHaveLength(5)
      expect(await zookeeper.close()).toBe(true)
      expect(await other.exists(`${root}/mine`)).toBe(null)
    })

    test('that is black-holed is suspended before it can expire, and re-attached when the network is back', async () => {
      const { zookeeper, states } = await open()
      await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      proxy.blackHole('everything')
      const suspended = nextState(zookeeper, 'suspended')
      const lost = endOf(zookeeper.setData(root, 'lost', { timeoutMs: 60_000 }))
      await suspended
      expect(await lost).toBe('CONNECTION_LOSS unknown')
      expect(zookeeper.provenUntilMs).toBeGreaterThan(performance.now())
      const waiting = endOf(zookeeper.setData(root, 'later', { timeoutMs: 60_000 }))
      proxy.heal()
      expect(await waiting).toBe('done')
      expect(states).toEqual(['connected', 'suspended', 'connected'])
      expect(await other.exists(`${root}/mine`)).not.toBe(null)
    })

    test('whose outage is longer than its timeout expires, is told so by the server, and leaves nothing', async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 1_000 })
      await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      const told: string[] = []
      await zookeeper.getData(root, { watch: ({ kind }) => told.push(kind) })
      proxy.blackHole('everything')
      await until('the server has ended it', async () => (await other.exists(`${root}/mine`)) === null)
      // Nobody else could have it before this moment.
      expect(zookeeper.provenUntilMs).toBeLessThan(performance.now())
      expect([zookeeper.state, told]).toEqual(['suspended', []])
      const waiting = endOf(zookeeper.create(`${root}/mine`, { mode: 'ephemeral', timeoutMs: 60_000 }))
      proxy.heal()
      expect(await waiting).toBe('SESSION_EXPIRED not-applied')
      expect([states, told]).toEqual([['connected', 'suspended', 'expired'], ['expired']])
      expect(await other.exists(`${root}/mine`)).toBe(null)
      // A new object is a new session, and goes on.
      const { zookeeper: fresh } = await open()
      expect(fresh.sessionId).not.toBe(zookeeper.sessionId)
      await fresh.create(`${root}/mine`, { mode: 'ephemeral' })
    })

    test('keeps alive through pings alone, far longer than its timeout', async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 1_500 })
      await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      await pause(4_000)
      expect(states).toEqual(['connected'])
      expect(await other.exists(`${root}/mine`)).not.toBe(null)
      expect(zookeeper.provenUntilMs).toBeGreaterThan(performance.now() + 500)
    })

    test('hears once, after a reconnect, of what happened meanwhile, and of nothing that did not', async () => {
      const { zookeeper } = await open({ sessionTimeoutMs: 20_000 })
      for (const name of ['changed', 'deleted', 'parent', 'still']) await other.create(`${root}/${name}`)
      const told: string[] = []
      const watch = ({ kind, path }: WatchEvent) => void told.push(`${path.slice(root.length + 1)} ${kind}`)
      for (const name of ['changed', 'deleted', 'still']) await zookeeper.getData(`${root}/${name}`, { watch })
      await zookeeper.getChildren(`${root}/parent`, { watch })
      for (const name of ['created', 'missing']) await zookeeper.exists(`${root}/${name}`, { watch })
      proxy.blackHole('everything')
      const suspended = nextState(zookeeper, 'suspended')
      proxy.cut()
      await suspended
      await other.setData(`${root}/changed`, '1')
      await other.setData(`${root}/changed`, '2')
      await other.delete(`${root}/deleted`)
      await other.create(`${root}/parent/child`)
      await other.create(`${root}/created`)
      expect(told).toEqual([])
      proxy.heal()
      await zookeeper.whenConnected()
      await zookeeper.sync('/')
      expect(told.sort()).toEqual(['changed changed', 'created created', 'deleted deleted', 'parent children-changed'])
      expect(zookeeper.watchCount).toBe(2)
      await other.setData(`${root}/still`, 'x')
      await other.create(`${root}/missing`)
      await until('the last two are told', () => told.length === 6)
      expect(told.slice(4)).toEqual(['still changed', 'missing created'])
    })

    test('sets thousands of watches again', { timeout: 60_000 }, async () => {
      const { zookeeper } = await open({ sessionTimeoutMs: 20_000 })
      const paths = Array.from({ length: 3_000 }, (_, index) => `${root}/${'w'.repeat(150)}-${index}`)
      let told = 0
      const watch = () => {
        told += 1
      }
      await Promise.all(paths.map((path) => zookeeper.exists(path, { watch })))
      const suspended = nextState(zookeeper, 'suspended')
      proxy.cut()
      await suspended
      await zookeeper.whenConnected()
      const [first = '', last = ''] = [paths[0], paths.at(-1)]
      for (const path of [first, last]) await other.create(path)
      await until('both are told', () => told === 2)
      expect(zookeeper.watchCount).toBe(2_998)
    })

    test('sends its credentials again', async () => {
      const { zookeeper } = await open()
      await zookeeper.addAuth({ scheme: 'digest', secret: 'ann:secret' })
      await zookeeper.create(`${root}/anns`, {
        acl: [{ permissions: ['read'], scheme: 'auth', id: '' }],
        data: 'private',
      })
      const suspended = nextState(zookeeper, 'suspended')
      proxy.cut()
      await suspended
      expect((await zookeeper.getData(`${root}/anns`)).data.toString()).toBe('private')
    })

    test('does not know of what was applied and not answered; reading shows it, and nothing is sent twice', async () => {
      const { zookeeper } = await open()
      proxy.blackHole('answers')
      const end = endOf(
        zookeeper.create(`${root}/n-`, { mode: 'ephemeral-sequential', data: 'nonce', timeoutMs: 60_000 }),
      )
      await until('the server has made the node', async () => (await other.getChildren(root)).children.length === 1)
      proxy.cut()
      proxy.heal()
      expect(await end).toBe('CONNECTION_LOSS unknown')
      const { children } = await zookeeper.getChildren(root)
      expect(children).toEqual(['n-0000000000'])
      const { data, stat } = await zookeeper.getData(`${root}/n-0000000000`)
      expect([data.toString(), stat.ephemeralOwner]).toEqual(['nonce', zookeeper.sessionId])
    })

    test('ends every request by its deadline, sent or not, whatever the network does', async () => {
      const { zookeeper } = await open({ sessionTimeoutMs: 20_000 })
      proxy.blackHole('everything')
      const startedMs = performance.now()
      const sent = Array.from({ length: 32 }, () => endOf(zookeeper.setData(root, 'x', { timeoutMs: 300 })))
      expect(new Set(await Promise.all(sent))).toEqual(new Set(['TIMEOUT unknown']))
      const suspended = nextState(zookeeper, 'suspended')
      proxy.cut()
      await suspended
      const kept = Array.from({ length: 32 }, () => endOf(zookeeper.setData(root, 'x', { timeoutMs: 300 })))
      expect(new Set(await Promise.all(kept))).toEqual(new Set(['NOT_SENT not-applied']))
      expect(performance.now() - startedMs).toBeLessThan(5_000)
    })

    test('is taken over by another connection, and ended by it: the first one is told that it expired', async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 20_000 })
      await zookeeper.create(`${root}/mine`, { mode: 'ephemeral' })
      const thief = openZooKeeper({ servers: server.servers, takeOver: zookeeper.sessionKey, sessionTimeoutMs: 20_000 })
      proxy.blackHole('everything')
      await thief.whenConnected()
      expect(thief.sessionId).toBe(zookeeper.sessionId)
      expect((await thief.exists(`${root}/mine`))?.ephemeralOwner).toBe(thief.sessionId)
      expect(await thief.close()).toBe(true)
      expect(await other.exists(`${root}/mine`)).toBe(null)
      proxy.heal()
      await until('the first one is expired', () => zookeeper.state === 'expired')
      expect(states.at(-1)).toBe('expired')
    })

    test('with a wrong password is no session', async () => {
      const { zookeeper } = await open({ sessionTimeoutMs: 20_000 })
      const key = { id: zookeeper.sessionId, password: new Uint8Array(16) }
      const thief = openZooKeeper({ servers: server.servers, takeOver: key })
      expect(await endOf(thief.sync('/'))).toBe('SESSION_EXPIRED not-applied')
      // The server cuts the real one off before it looks at the password.
      await until('the real one goes on', async () => (await endOf(zookeeper.sync('/'))) === 'done')
      expect(zookeeper.sessionId).toBe(key.id)
    })

    test('lives on when the server is killed and comes back; what was acknowledged is there', {
      timeout: 60_000,
    }, async () => {
      const { zookeeper, states } = await open({ sessionTimeoutMs: 20_000 })
      const { sessionId } = zookeeper
      const made: string[] = []
      const ends: string[] = []
      let isOver = false
      const create = async (): Promise<void> => {
        while (!isOver && zookeeper.state !== 'closed') {
          const created = zookeeper.create(`${root}/n-`, { mode: 'ephemeral-sequential', timeoutMs: 30_000 })
          ends.push(await endOf(created.then(({ path }) => made.push(path.slice(root.length + 1)))))
        }
      }
      const creating = Array.from({ length: 64 }, create)
      await until('a few are made', () => made.length > 200)
      const before = [...made]
      const suspended = nextState(zookeeper, 'suspended')
      await server.members[0]?.kill()
      await suspended
      await server.members[0]?.restart()
      await until('more are made', () => made.length > before.length + 200)
      isOver = true
      await Promise.all(creating)
      expect([zookeeper.sessionId, states]).toEqual([sessionId, ['connected', 'suspended', 'connected']])
      const { children } = await zookeeper.getChildren(root)
      expect(made.filter((name) => !children.includes(name))).toEqual([])
      const unknown = ends.filter((end) => end === 'CONNECTION_LOSS unknown').length
      expect(ends.length).toBe(made.length + unknown)
      expect(unknown).toBeLessThanOrEqual(64)
      // Whatever is there besides was one of those whose answer was lost.
      expect(children.length - made.length).toBeLessThanOrEqual(unknown)
    })
  })
