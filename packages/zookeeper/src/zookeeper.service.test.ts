/** Every request against a real server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../testkit/src/services/zookeeper.ts'
import { endOf } from '../test/fake-session.ts'
import { until } from '../test/until.ts'
import {
  allPermissions,
  creatorAcl,
  digestId,
  openAcl,
  openZooKeeper,
  type WatchEvent,
  type ZooKeeper,
  type ZooKeeperOptions,
} from './index.ts'

if (testsWithZooKeeper())
  describe('a ZooKeeper', () => {
    let server: RunningZooKeeper
    let zookeeper: ZooKeeper
    let root: string
    let tests = 0
    const opened: ZooKeeper[] = []

    beforeAll(async () => {
      server = await startZooKeeper({ javaOptions: ['-Dznode.container.checkIntervalMs=200'], private: true })
      zookeeper = open()
    })
    afterAll(async () => {
      await zookeeper?.close()
      await server?.stop()
    })
    afterEach(async () => {
      await Promise.all(opened.splice(1).map((each) => each.close()))
    })

    const open = (options: Partial<ZooKeeperOptions> = {}): ZooKeeper => {
      const client = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000, ...options })
      opened.push(client)
      return client
    }
    /** An empty place for each test. */
    const newRoot = async (): Promise<string> => {
      tests += 1
      root = `/test-${tests}`
      await zookeeper.create(root)
      return root
    }
    /** `wchs` would count those on data only. */
    const watchesOnServer = async (): Promise<number> =>
      Number(/zk_watch_count\s+(\d+)/.exec((await server.members[0]?.ask('mntr')) ?? '')?.[1])

    test('keeps data, versions and the Stat of a node', async () => {
      const path = `${await newRoot()}/node`
      const { stat, ...created } = await zookeeper.create(path, { data: 'first' })
      expect(created).toEqual({ path })
      expect(stat).toMatchObject({ version: 0, ephemeralOwner: 0n, dataLength: 5, numChildren: 0 })
      expect(Math.abs(stat.ctime - Date.now())).toBeLessThan(60_000)
      expect(await zookeeper.getData(path)).toEqual({ data: Buffer.from('first'), stat })
      const changed = await zookeeper.setData(path, Buffer.from([0, 1, 255]), { version: 0 })
      expect(changed).toMatchObject({ version: 1, czxid: stat.czxid, dataLength: 3 })
      expect(changed.mzxid).toBeGreaterThan(stat.mzxid)
      expect((await zookeeper.getData(path)).data).toEqual(Buffer.from([0, 1, 255]))
      expect(await endOf(zookeeper.setData(path, '', { version: 0 }))).toBe('BAD_VERSION not-applied')
      expect(await endOf(zookeeper.delete(path, { version: 0 }))).toBe('BAD_VERSION not-applied')
      await zookeeper.delete(path, { version: 1 })
      expect(await zookeeper.exists(path)).toBe(null)
    })

    test('gives a later node a larger czxid, also under the same name', async () => {
      const path = `${await newRoot()}/node`
      const first = await zookeeper.create(path, { mode: 'ephemeral' })
      await zookeeper.delete(path)
      const second = await zookeeper.create(path, { mode: 'ephemeral' })
      expect(second.stat.czxid).toBeGreaterThan(first.stat.czxid)
      expect(second.stat.ephemeralOwner).toBe(zookeeper.sessionId)
      expect(second.stat.czxid).toBe((await zookeeper.exists(path))?.czxid)
    })

    test('numbers sequential nodes, and keeps ephemeral ones as long as the session', async () => {
      const path = await newRoot()
      const other = open()
      const made = [
        await other.create(`${path}/e`, { mode: 'ephemeral' }),
        await other.create(`${path}/s-`, { mode: 'persistent-sequential' }),
        await other.create(`${path}/es-`, { mode: 'ephemeral-sequential' }),
        await other.create(`${path}/`, { mode: 'ephemeral-sequential' }),
      ]
      expect(made.map(({ path: each }) => each.slice(path.length + 1))).toEqual([
        'e',
        's-0000000001',
        'es-0000000002',
        '0000000003',
      ])
      const owner = other.sessionId
      expect(made.map(({ stat }) => stat.ephemeralOwner)).toEqual([owner, 0n, owner, owner])
      expect((await zookeeper.getChildren(path)).stat.numChildren).toBe(4)
      expect(await other.close()).toBe(true)
      expect((await zookeeper.getChildren(path)).children).toEqual(['s-0000000001'])
    })

    test('removes a container after its last child', async () => {
      const path = `${await newRoot()}/container`
      const { stat } = await zookeeper.create(path, { mode: 'container', data: 'kept' })
      expect(stat).toMatchObject({ dataLength: 4 })
      const child = await zookeeper.create(`${path}/lock-`, { mode: 'ephemeral-sequential' })
      await zookeeper.delete(child.path)
      await until('the container is gone', async () => (await zookeeper.exists(path)) === null)
      expect(await endOf(zookeeper.create(`${path}/lock-`, { mode: 'ephemeral-sequential' }))).toBe(
        'NO_NODE not-applied',
      )
    })

    test('names what is wrong', async () => {
      const path = await newRoot()
      await zookeeper.create(`${path}/full`)
      await zookeeper.create(`${path}/full/child`)
      await zookeeper.create(`${path}/e`, { mode: 'ephemeral' })
      const ends = await Promise.all(
        [
          zookeeper.create(`${path}/full`),
          zookeeper.create(`${path}/missing/child`),
          zookeeper.create(`${path}/e/child`),
          zookeeper.delete(`${path}/full`),
          zookeeper.delete(`${path}/missing`),
          zookeeper.getData(`${path}/missing`),
          zookeeper.getChildren(`${path}/missing`),
          zookeeper.create(`${path}/acl`, { acl: [] }),
          zookeeper.create(`${path}/..`),
        ].map(endOf),
      )
      expect(ends.map((end) => end.replace(' not-applied', ''))).toEqual([
        'NODE_EXISTS',
        'NO_NODE',
        'NO_CHILDREN_FOR_EPHEMERALS',
        'NOT_EMPTY',
        'NO_NODE',
        'NO_NODE',
        'NO_NODE',
        'INVALID_ACL',
        'BAD_ARGUMENTS',
      ])
    })

    test('does a multi whole or not at all', async () => {
      const path = await newRoot()
      const { stat } = await zookeeper.create(`${path}/fence`, { data: '1' })
      const results = await zookeeper.multi([
        { kind: 'check', path: `${path}/fence`, version: 0 },
        { kind: 'create', path: `${path}/n-`, mode: 'ephemeral-sequential', data: 'new' },
        { kind: 'setData', path: `${path}/fence`, data: '2', version: 0 },
        { kind: 'create', path: `${path}/gone` },
        { kind: 'delete', path: `${path}/gone`, version: 0 },
      ])
      expect(results.map(({ kind }) => kind)).toEqual(['check', 'create', 'setData', 'create', 'delete'])
      expect(results[1]).toMatchObject({ path: `${path}/n-0000000001` })
      const fence = await zookeeper.exists(`${path}/fence`)
      const made = await zookeeper.exists(`${path}/n-0000000001`)
      expect(results[2]).toEqual({ kind: 'setData', stat: fence })
      expect([fence?.mzxid, fence?.version]).toEqual([made?.czxid, 1])
      expect(fence?.czxid).toBe(stat.czxid)

      const refused = zookeeper.multi([
        { kind: 'create', path: `${path}/never` },
        { kind: 'check', path: `${path}/fence`, version: 0 },
        { kind: 'delete', path: `${path}/missing` },
      ])
      await expect(refused).rejects.toMatchObject({ code: 'BAD_VERSION', outcome: 'not-applied', index: 1 })
      expect(await zookeeper.exists(`${path}/never`)).toBe(null)
      expect(await zookeeper.multi([])).toEqual([])
      expect(await zookeeper.multi([{ kind: 'create', path: `${path}/c`, mode: 'container' }])).toHaveLength(1)
    })

    test('keeps a node for whom its ACL names', async () => {
      const path = await newRoot()
      const [ann, bob, nobody] = [open(), open(), open()]
      await ann.addAuth({ scheme: 'digest', secret: 'ann:secret' })
      await bob.addAuth({ scheme: 'digest', secret: 'bob:secret' })
      await ann.create(`${path}/anns`, { data: 'private', acl: creatorAcl })
      expect(await ann.getAcl(`${path}/anns`)).toMatchObject({
        acl: [{ permissions: allPermissions, scheme: 'digest', id: digestId('ann', 'secret') }],
      })
      for (const stranger of [bob, nobody]) {
        expect(await endOf(stranger.getData(`${path}/anns`))).toBe('NO_AUTH not-applied')
        expect(await endOf(stranger.setData(`${path}/anns`, 'x'))).toBe('NO_AUTH not-applied')
      }
      const shared = [
        { permissions: ['read' as const], scheme: 'world', id: 'anyone' },
        { permissions: ['write' as const, 'admin' as const], scheme: 'digest', id: digestId('bob', 'secret') },
      ]
      const { aversion } = await ann.setAcl(`${path}/anns`, shared, { version: 0 })
      expect(aversion).toBe(1)
      expect((await nobody.getData(`${path}/anns`)).data.toString()).toBe('private')
      expect(await endOf(nobody.setData(`${path}/anns`, 'x'))).toBe('NO_AUTH not-applied')
      await bob.setData(`${path}/anns`, 'by bob')
      expect((await bob.getAcl(`${path}/anns`)).acl).toEqual(shared)
      await bob.setAcl(`${path}/anns`, openAcl)
      await nobody.setData(`${path}/anns`, 'by anybody')
      expect(await endOf(nobody.create(`${path}/x`, { acl: creatorAcl }))).toBe('INVALID_ACL not-applied')
    })

    test('closes the session of credentials that it refuses', async () => {
      const client = open({ credentials: [{ scheme: 'nonsense', secret: 'x' }] })
      await until('it is closed', () => client.state === 'closed')
      expect(await endOf(client.sync('/'))).toBe('AUTH_FAILED not-applied')
    })

    test('answers 64 requests at a time in their order', async () => {
      const path = await newRoot()
      const names = Array.from({ length: 64 }, (_, index) => `${path}/${String(index).padStart(2, '0')}`)
      const order: string[] = []
      const created = await Promise.all(
        names.map(async (name) => {
          const node = await zookeeper.create(name, { mode: 'ephemeral', data: name })
          order.push(node.path)
          return node
        }),
      )
      expect(order).toEqual(names)
      const tokens = created.map(({ stat }) => stat.czxid)
      expect(tokens.every((token, index) => index === 0 || token > (tokens[index - 1] ?? token))).toBe(true)
      const read = await Promise.all(names.map((name) => zookeeper.getData(name)))
      expect(read.map(({ data }) => data.toString())).toEqual(names)
    })

    test('takes and gives large data, and a request that it would not take does not reach it', async () => {
      const path = await newRoot()
      const large = Buffer.alloc(1_000_000, 'lock')
      await zookeeper.create(`${path}/large`, { data: large })
      expect((await zookeeper.getData(`${path}/large`)).data.equals(large)).toBe(true)
      const changes: string[] = []
      const end = zookeeper.onChange(({ state }) => void changes.push(state))
      expect(await endOf(zookeeper.create(`${path}/x`, { data: Buffer.alloc(1_048_576) }))).toBe(
        'BAD_ARGUMENTS not-applied',
      )
      const many = Array.from({ length: 2_000 }, (_, index) => `${'n'.repeat(150)}-${index}`)
      await Promise.all(many.map((name) => zookeeper.create(`${path}/${name}`)))
      expect(new Set((await zookeeper.getChildren(path)).children)).toEqual(new Set([...many, 'large']))
      expect(changes).toEqual([])
      end()
    })

    describe('tells a watch', () => {
      const toldOf = () => {
        const told: string[] = []
        return { told, watch: ({ kind, path }: WatchEvent) => void told.push(`${kind} ${path.slice(root.length)}`) }
      }

      test('once, of the change that comes next', async () => {
        const path = `${await newRoot()}/node`
        const other = open()
        const [creation, change, children, deletion] = [toldOf(), toldOf(), toldOf(), toldOf()]
        expect(await zookeeper.exists(path, { watch: creation.watch })).toBe(null)
        await other.create(path)
        await until('the creation is told', () => creation.told.length > 0)
        await zookeeper.getData(path, { watch: change.watch })
        await zookeeper.getChildren(path, { watch: children.watch })
        await other.setData(path, '1')
        await other.setData(path, '2')
        await until('the change is told', () => change.told.length > 0)
        await other.create(`${path}/child`)
        await until('the child is told', () => children.told.length > 0)
        await zookeeper.exists(path, { watch: deletion.watch })
        await zookeeper.getChildren(path, { watch: deletion.watch })
        await other.delete(`${path}/child`)
        await until('the child is told', () => deletion.told.length > 0)
        await other.delete(path)
        await until('the deletion is told', () => deletion.told.length > 1)
        await zookeeper.sync(path)
        expect([creation.told, change.told, children.told, deletion.told]).toEqual([
          ['created /node'],
          ['changed /node'],
          ['children-changed /node'],
          ['children-changed /node', 'deleted /node'],
        ])
        expect(zookeeper.watchCount).toBe(0)
      })

      test('before the answer that shows what has changed', async () => {
        const path = `${await newRoot()}/node`
        const other = open()
        await zookeeper.create(path, { data: '0' })
        for (let round = 1; round <= 50; round += 1) {
          let isTold = false
          await zookeeper.getData(path, {
            watch: () => {
              isTold = true
            },
          })
          const writing = other.setData(path, String(round))
          for (;;) {
            const { data } = await zookeeper.getData(path)
            if (data.toString() === String(round)) break
          }
          expect(isTold).toBe(true)
          await writing
        }
      })

      test('through one watch on the server, however many listen; with the last of them it goes', async () => {
        const path = `${await newRoot()}/node`
        const client = open()
        await client.create(path)
        const watchers = [toldOf(), toldOf(), toldOf()]
        for (const { watch } of watchers) await client.getData(path, { watch })
        await client.getChildren(path, { watch: watchers[0]?.watch ?? (() => {}) })
        await client.exists(`${path}-missing`, { watch: watchers[0]?.watch ?? (() => {}) })
        expect(await watchesOnServer()).toBe(3)
        expect(client.watchCount).toBe(3)
        for (const { watch } of watchers) {
          client.unwatch(path, watch)
          client.unwatch(`${path}-missing`, watch)
        }
        await client.sync('/')
        expect(await watchesOnServer()).toBe(0)
        await client.setData(path, 'x')
        await client.sync('/')
        expect([client.watchCount, watchers.flatMap(({ told }) => told)]).toEqual([0, []])
      })

      test('of the end when its session is closed', async () => {
        const path = `${await newRoot()}/node`
        const client = open()
        await client.create(path)
        const { told, watch } = toldOf()
        await client.getData(path, { watch })
        await client.close()
        expect([told, client.watchCount]).toEqual([['closed /node'], 0])
        expect(await watchesOnServer()).toBe(0)
      })
    })
  })
