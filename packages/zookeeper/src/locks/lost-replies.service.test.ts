/** Requests that go wrong at each step of a recipe, on a real server: nothing of ours may remain, and nobody may hold beside another. */
import type { LockBackend, LockMode } from 'lockstep/ports'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../../testkit/src/services/zookeeper.ts'
import { ask, endOfContend, type Faults, held, openLocks, withFaults } from '../../test/lock-lab.ts'
import { treeBelow } from '../../test/tree.ts'
import { until } from '../../test/until.ts'
import { openZooKeeper, type ZooKeeper, type ZooKeeperLocksOptions } from '../index.ts'

const root = '/lockstep/locks'
const modes: readonly LockMode[] = [{ kind: 'mutex' }, { kind: 'read' }, { kind: 'write' }, { kind: 'permit', of: 1 }]

if (testsWithZooKeeper())
  describe('a recipe whose requests go wrong', () => {
    let server: RunningZooKeeper
    let other: ZooKeeper
    let faults: Faults
    let locks: LockBackend
    let rival: LockBackend
    const opened: ZooKeeper[] = []
    const backends: LockBackend[] = []

    const open = (): ZooKeeper => {
      const zookeeper = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 10_000 })
      opened.push(zookeeper)
      return zookeeper
    }
    const locksOn = (zookeeper: ZooKeeper, options: Partial<ZooKeeperLocksOptions> = {}): LockBackend => {
      const backend = openLocks(zookeeper, options)
      backends.push(backend)
      return backend
    }
    const nothingLeft = () =>
      until('no node of ours remains', async () => (await treeBelow(other, root)).length === 0, 5_000)

    beforeAll(async () => {
      server = await startZooKeeper({ private: true, fsync: false })
      other = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000 })
    })
    afterAll(async () => {
      await other?.close()
      await server?.stop()
    })
    beforeEach(() => {
      faults = withFaults(open())
      locks = locksOn(faults.zookeeper)
      rival = locksOn(open())
    })
    afterEach(async () => {
      await nothingLeft()
      expect(opened.map(({ watchCount }) => watchCount)).toEqual(opened.map(() => 0))
      await Promise.all(backends.splice(0).map((each) => each.close()))
      await Promise.all(opened.splice(0).map((each) => each.close()))
    })

    test('CURATOR-45: a create whose reply is lost is found again and adopted, with its own czxid as the token', async () => {
      for (const mode of modes) {
        await (await held(rival.contend(ask('adopted', { mode })))).release()
        const before = faults.calls.length
        faults.loseReply('create')
        const hold = await held(locks.contend(ask('adopted', { mode })))
        expect(faults.calls.slice(before).filter((call) => call.startsWith('create'))).toHaveLength(1)
        const [path = ''] = await treeBelow(other, root)
        expect([await treeBelow(other, root), (await other.exists(path))?.czxid]).toEqual([[path], hold.token])
        expect(await hold.release()).toBe(true)
      }
    })

    test('a create that was never sent is sent again', async () => {
      faults.loseRequest('create')
      const hold = await held(locks.contend(ask('again')))
      expect((await treeBelow(other, root)).length).toBe(1)
      await hold.release()
    })

    test('CURATOR-190: every repeat has the same name before its number', async () => {
      for (let repeat = 0; repeat < 4; repeat += 1) faults.loseRequest('create')
      const hold = await held(locks.contend(ask('name', { owner: 'the-owner' })))
      const creates = faults.calls.filter((call) => call.includes('_c_'))
      expect(new Set(creates)).toEqual(new Set([`create ${root}/mutex/name/_c_the-owner-lock-`]))
      await hold.release()
    })

    test('CURATOR-79, -18, -41: whatever a request fails with, the cause is told and the place is given up', async () => {
      const blocker = await held(rival.contend(ask('fails')))
      for (const method of ['create', 'getChildren', 'getData'] as const) {
        faults.loseReply(method, 'SYSTEM_ERROR')
        const error = await locks.contend(ask('fails')).catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE', cause: { code: 'SYSTEM_ERROR' } })
        await until('its place is given up', async () => (await treeBelow(other, root)).length === 1)
      }
      await blocker.release()
    })

    test('CURATOR-489: an abort in each await of each mode leaves no node and no watch', async () => {
      for (const mode of modes) {
        const blocker = await held(
          rival.contend(ask('abort', { mode: mode.kind === 'read' ? { kind: 'write' } : mode })),
        )
        for (const method of ['create', 'getChildren', 'getData'] as const) {
          for (const moment of ['before', 'after'] as const) {
            if (mode.kind === 'permit' && method === 'getData') continue
            const abort = new AbortController()
            faults[moment](method, () => abort.abort('enough'))
            const end = await endOfContend(locks.contend(ask('abort', { mode, signal: abort.signal })))
            expect([mode.kind, method, moment, end]).toEqual([mode.kind, method, moment, 'enough'])
            await until('its place is given up', async () => (await treeBelow(other, root)).length === 1)
          }
        }
        await blocker.release()
      }
    })

    test('CURATOR-462: an abort in each await of the semaphore leaks no permit', async () => {
      const mode: LockMode = { kind: 'permit', of: 2 }
      const first = await held(rival.contend(ask('permits', { mode })))
      for (const method of ['create', 'getChildren', 'multi'] as const) {
        for (const moment of ['before', 'after'] as const) {
          const abort = new AbortController()
          faults[moment](method, () => abort.abort('enough'))
          expect(await endOfContend(locks.contend(ask('permits', { mode, signal: abort.signal })))).toBe('enough')
          await until('one permit is out', async () => (await treeBelow(other, root)).length === 1)
        }
      }
      const second = await held(locks.contend(ask('permits', { mode })))
      expect(await locks.contend(ask('permits', { mode, waitMs: 0 }))).toBe(null)
      await Promise.all([first.release(), second.release()])
    })

    test('a move whose reply is lost is one permit, and one read hold after a downgrade', async () => {
      const mode: LockMode = { kind: 'permit', of: 1 }
      faults.loseReply('multi')
      const permit = await held(locks.contend(ask('moved', { mode })))
      expect(await treeBelow(other, `${root}/semaphore`)).toHaveLength(1)
      await permit.release()
      const writer = await held(locks.contend(ask('moved', { mode: { kind: 'write' } })))
      faults.loseReply('multi')
      const reader = (await writer.downgrade?.()) ?? null
      expect([await treeBelow(other, root), reader !== null && reader.token > writer.token]).toEqual([
        [expect.stringContaining('__READ__')],
        true,
      ])
      expect([await writer.release(), await reader?.release()]).toEqual([false, true])
    })

    test('a downgrade that was applied without an answer is given up with the writer: no reader stays', async () => {
      const writer = await held(locks.contend(ask('unheard', { mode: { kind: 'write' } })))
      faults.loseReply('multi', 'SYSTEM_ERROR')
      await expect(writer.downgrade?.()).rejects.toMatchObject({ code: 'LOCKSTEP_LOCK_UNAVAILABLE' })
      expect(await treeBelow(other, root)).toEqual([expect.stringContaining('__READ__')])
      expect(await writer.release()).toBe(true)
      await nothingLeft()
    })

    test('CURATOR-621: a writer that waits does not slip in at a downgrade, and a reader that waits does', async () => {
      const name = 'downgrade'
      const writer = await held(locks.contend(ask(name, { mode: { kind: 'write' } })))
      const reading = rival.contend(ask(name, { mode: { kind: 'read' } }))
      await until('the reader waits', async () => (await treeBelow(other, root)).length === 2)
      let wrote = false
      const writing = rival.contend(ask(name, { mode: { kind: 'write' } })).finally(() => {
        wrote = true
      })
      await until('the writer waits', async () => (await treeBelow(other, root)).length === 3)
      const own = await writer.downgrade?.()
      const reader = await held(reading)
      expect([wrote, (await locks.inspect(name)).map(({ mode, waiters }) => [mode, waiters])]).toEqual([
        false,
        [
          ['read', 1],
          ['read', 1],
        ],
      ])
      await own?.release()
      expect(wrote).toBe(false)
      await reader.release()
      await (await held(writing)).release()
    })

    test('CURATOR-621: a writer that waits right behind the one that downgrades finds a reader before it', async () => {
      const mode: LockMode = { kind: 'write' }
      const writer = await held(locks.contend(ask('behind', { mode })))
      let wrote = false
      const writing = rival.contend(ask('behind', { mode })).finally(() => {
        wrote = true
      })
      await until('the writer waits', async () => (await treeBelow(other, root)).length === 2)
      const reader = (await writer.downgrade?.()) ?? null
      const last = await held(locks.contend(ask('elsewhere')))
      expect([wrote, await rival.contend(ask('behind', { mode, waitMs: 0 }))]).toEqual([false, null])
      expect([await last.release(), await reader?.release()]).toEqual([true, true])
      await (await held(writing)).release()
    })

    test('CURATOR-358: a predecessor that vanishes between the list and its watch leads to another list', async () => {
      const blocker = await held(rival.contend(ask('vanishes')))
      faults.before('getData', () => blocker.release())
      const hold = await held(locks.contend(ask('vanishes')))
      expect(hold.token).toBeGreaterThan(blocker.token)
      await hold.release()
    })

    test('a predecessor that only leaves the queue lets nobody in while the first one holds', async () => {
      const blocker = await held(rival.contend(ask('leaves')))
      const abort = new AbortController()
      const leaving = endOfContend(rival.contend(ask('leaves', { signal: abort.signal })))
      await until('it waits', async () => (await treeBelow(other, root)).length === 2)
      let granted = false
      const waiting = locks.contend(ask('leaves')).finally(() => {
        granted = true
      })
      await until('the last one waits', () => faults.calls.filter((call) => call.startsWith('getData')).length === 1)
      abort.abort('bye')
      expect(await leaving).toBe('bye')
      await until('it watches the holder', () => faults.calls.filter((call) => call.startsWith('getData')).length === 2)
      expect(granted).toBe(false)
      await blocker.release()
      await (await held(waiting)).release()
    })

    test('a place that was taken away while it waited is no hold: everything starts over', async () => {
      const blocker = await held(rival.contend(ask('gone')))
      const waiting = locks.contend(ask('gone'))
      await until('it waits', () => faults.calls.some((call) => call.startsWith('getData')))
      const [, own = ''] = (await treeBelow(other, root)).sort((a, b) => (a.slice(-10) < b.slice(-10) ? -1 : 1))
      await other.delete(own)
      await blocker.release()
      const hold = await held(waiting)
      const [path = ''] = await treeBelow(other, root)
      expect([path === own, (await other.exists(path))?.czxid]).toEqual([false, hold.token])
      await hold.release()
    })

    test('a delete that fails is tried again until the node is gone, and the release that was told so is repeated', async () => {
      const hold = await held(locks.contend(ask('delete')))
      faults.loseRequest('delete')
      faults.loseRequest('delete')
      expect(await hold.release().catch((error: { code: string }) => error.code)).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      await nothingLeft()
      const next = await held(locks.contend(ask('delete')))
      faults.loseReply('delete')
      expect(await next.release().catch((error: { code: string }) => error.code)).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
      expect(await next.release()).toBe(true)
    })

    test('CURATOR-537: a container that was removed and made again restarts the sequence, and the token grows on', async () => {
      const first = await held(locks.contend(ask('again')))
      await first.release()
      await nothingLeft()
      await other.delete(`${root}/mutex/again`)
      const second = await held(locks.contend(ask('again')))
      expect((await treeBelow(other, root))[0]).toMatch(/0000000000$/)
      expect(second.token).toBeGreaterThan(first.token)
      await second.release()
    })

    test('a wait of nothing takes no place in the queue while somebody holds', async () => {
      const blocker = await held(rival.contend(ask('try')))
      expect(await locks.contend(ask('try', { waitMs: 0 }))).toBe(null)
      expect(faults.calls.filter((call) => call.startsWith('create'))).toEqual([])
      await blocker.release()
    })

    test('CURATOR-518, -671: whoever was interrupted can ask again, and stands in the queue once', async () => {
      const blocker = await held(rival.contend(ask('requeue')))
      const abort = new AbortController()
      const first = endOfContend(locks.contend(ask('requeue', { signal: abort.signal })))
      await until('it waits', async () => (await treeBelow(other, root)).length === 2)
      abort.abort('interrupted')
      expect(await first).toBe('interrupted')
      const again = locks.contend(ask('requeue'))
      await until('it stands there once', async () => (await treeBelow(other, root)).length === 2)
      await blocker.release()
      await (await held(again)).release()
    })

    describe('ephemeral', () => {
      beforeEach(() => {
        locks = locksOn(faults.zookeeper, { recipe: 'ephemeral' })
        rival = locksOn(open(), { recipe: 'ephemeral' })
      })

      test('a create whose reply is lost is adopted by nonce and session', async () => {
        faults.loseReply('create')
        faults.loseReply('create')
        const hold = await held(locks.contend(ask('e-adopted')))
        expect((await other.exists(`${root}/mutex/e-adopted`))?.czxid).toBe(hold.token)
        expect(await hold.release()).toBe(true)
      })

      test('a repeated delete compares first, and never removes the next holder', async () => {
        const hold = await held(locks.contend(ask('e-shared')))
        const next = rival.contend(ask('e-shared'))
        faults.loseReply('delete')
        expect(await hold.release().catch((error: { code: string }) => error.code)).toBe('LOCKSTEP_LOCK_UNAVAILABLE')
        const held2 = await held(next)
        expect(await hold.release()).toBe(true)
        expect((await other.exists(`${root}/mutex/e-shared`))?.czxid).toBe(held2.token)
        expect(await held2.release()).toBe(true)
      })

      test('an abort in each await leaves no node and no watch', async () => {
        for (const moment of ['before', 'after'] as const) {
          const abort = new AbortController()
          faults[moment]('create', () => abort.abort('enough'))
          // A name of its own: what was sent all the same may come, and go, behind the abort.
          expect(await endOfContend(locks.contend(ask(`e-abort-${moment}`, { signal: abort.signal })))).toBe('enough')
          await nothingLeft()
        }
        const blocker = await held(rival.contend(ask('e-abort')))
        const abort = new AbortController()
        faults.after('getData', () => abort.abort('enough'))
        expect(await endOfContend(locks.contend(ask('e-abort', { signal: abort.signal })))).toBe('enough')
        await blocker.release()
      })

      test('has mutexes only, and says so', async () => {
        for (const mode of modes.slice(1)) {
          expect(await endOfContend(locks.contend(ask('none', { mode })))).toBe('LOCKSTEP_LOCK_UNSUPPORTED')
        }
        expect(locks.capabilities).toEqual({ fencing: 'consensus', fair: false, wakeUp: 'push', sharing: false })
      })

      test('the other recipe for the same name is refused, whoever came first', async () => {
        const queue = locksOn(open())
        const hold = await held(locks.contend(ask('mixed')))
        expect(await endOfContend(queue.contend(ask('mixed')))).toBe('LOCKSTEP_CONFIGURATION')
        await hold.release()
        const queued = await held(queue.contend(ask('mixed')))
        expect(await endOfContend(locks.contend(ask('mixed')))).toBe('LOCKSTEP_CONFIGURATION')
        await queued.release()
      })
    })
  })
