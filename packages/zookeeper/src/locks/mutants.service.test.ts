/** Each known bug of the queue recipe shows in the way its name says; otherwise the suite would guard nothing. */
import { armMutant } from 'lockstep/testing'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type RunningZooKeeper, startZooKeeper, testsWithZooKeeper } from '../../../testkit/src/services/zookeeper.ts'
import { ask, endOfContend, held, openLocks, withFaults } from '../../test/lock-lab.ts'
import { treeBelow } from '../../test/tree.ts'
import { until } from '../../test/until.ts'
import { openZooKeeper, type ZooKeeper } from '../index.ts'

const root = '/lockstep/locks'

if (testsWithZooKeeper()) {
  let server: RunningZooKeeper
  let other: ZooKeeper
  const opened: ZooKeeper[] = []
  const open = (): ZooKeeper => {
    const zookeeper = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 10_000 })
    opened.push(zookeeper)
    return zookeeper
  }

  beforeAll(async () => {
    server = await startZooKeeper({ private: true, fsync: false })
    other = openZooKeeper({ servers: server.servers, sessionTimeoutMs: 20_000 })
  })
  afterAll(async () => {
    await other?.close()
    await server?.stop()
  })
  afterEach(async () => {
    armMutant(null)
    await Promise.all(opened.splice(0).map((each) => each.close()))
  })

  /** A waiter gives up while the first one holds. Who stood behind it is woken, and must not take that for its turn. */
  async function predecessorLeaves(mutant: string | null) {
    armMutant(mutant)
    const name = `leaves-${mutant}`
    const rival = openLocks(open())
    const faults = withFaults(open())
    const watches = () => faults.calls.filter((call) => call.startsWith('getData')).length
    const holder = await held(rival.contend(ask(name)))
    const abort = new AbortController()
    const leaving = endOfContend(rival.contend(ask(name, { signal: abort.signal })))
    await until('it waits', async () => (await treeBelow(other, root)).length === 2)
    let isGranted = false
    const waiting = held(openLocks(faults.zookeeper).contend(ask(name))).finally(() => {
      isGranted = true
    })
    await until('the last one waits', () => watches() === 1)
    abort.abort('bye')
    await leaving
    await until('it watches the holder, or holds', () => isGranted || watches() === 2)
    const holders = isGranted ? 2 : 1
    await holder.release()
    await (await waiting).release()
    return { holders }
  }

  test('without another list after a wake-up, two hold when somebody leaves the queue', async () => {
    expect(await predecessorLeaves(null)).toEqual({ holders: 1 })
    expect(await predecessorLeaves('W6-no-list-again')).toEqual({ holders: 2 })
  })

  /** The server has made the node, and its answer is lost. */
  async function createIsUnheard(mutant: string | null) {
    armMutant(mutant)
    const faults = withFaults(open())
    const locks = openLocks(faults.zookeeper)
    await (await held(locks.contend(ask('unheard')))).release()
    faults.loseReply('create')
    const hold = await locks.contend(ask('unheard', { waitMs: 1_000 }))
    await hold?.release()
    const orphans = await treeBelow(other, root)
    return { isHeld: hold !== null, orphans: orphans.length }
  }

  test('CURATOR-45: without a look for its id, a create whose answer is lost leaves a node that blocks the name', async () => {
    expect(await createIsUnheard(null)).toEqual({ isHeld: true, orphans: 0 })
    expect(await createIsUnheard('W7-no-protected-create')).toEqual({ isHeld: false, orphans: 1 })
  })
}
