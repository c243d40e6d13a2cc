/** What a hold is told, in every order in which a session can change. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lockEnvironment } from '../../test/lock-lab.ts'
import { ZooKeeperError } from '../errors.ts'
import type { SessionListener, SessionState, ZooKeeper } from '../index.ts'
import { LockSession } from './lock-session.ts'
import { NodeHold } from './node-hold.ts'

const node = { path: '/locks/a', czxid: 7n }
/** Each look at the node, to be answered by the test. */
let looks: PromiseWithResolvers<unknown>[]
let session: { state: SessionState; provenUntilMs: number }
let change: (state: SessionState) => void
let deleted: string[]

const stat = (czxid: bigint, ephemeralOwner = 5n) => ({ data: Buffer.from(''), stat: { czxid, ephemeralOwner } })
const settled = () => vi.advanceTimersByTimeAsync(0)

function open(isStrict = false) {
  const listeners = new Set<SessionListener>()
  looks = []
  deleted = []
  session = { state: 'connected', provenUntilMs: performance.now() + 1_000 }
  change = (state) => {
    session.state = state
    for (const each of listeners)
      each({ state, cause: state === 'suspended' ? new ZooKeeperError('CONNECTION_LOSS') : null })
  }
  const zookeeper = Object.assign(session, {
    sessionId: 5n,
    timeoutMs: 1_000,
    onChange: (listener: SessionListener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    getData() {
      const look = Promise.withResolvers<unknown>()
      looks.push(look)
      return look.promise
    },
    sync: async () => {},
    delete: async (path: string) => void deleted.push(path),
  }) as unknown as ZooKeeper
  const locks = new LockSession({ zookeeper, environment: lockEnvironment, isStrict })
  const hold = new NodeHold({ session: locks, node, remove: () => locks.removePath(node.path) })
  const told: string[] = []
  hold.watch((state) => void told.push(state))
  return { locks, hold, told, listeners }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a suspended session puts a hold at risk, and the same node after a reconnect makes it held again', async () => {
  const { told } = open()
  change('suspended')
  change('connected')
  expect(told).toEqual(['at-risk'])
  looks[0]?.resolve(stat(7n))
  await settled()
  expect(told).toEqual(['at-risk', 'held'])
})

test('CURATOR-724: a node that is missing after a reconnect, or is another one, is a lost hold', async () => {
  for (const answer of ['missing', stat(8n), stat(7n, 6n)]) {
    const { told, hold } = open()
    change('suspended')
    change('connected')
    if (typeof answer === 'string') looks[0]?.reject(new ZooKeeperError('NO_NODE'))
    else looks[0]?.resolve(answer)
    await settled()
    expect([told, await hold.extend()]).toEqual([['at-risk', 'lost'], false])
  }
})

test('a suspended hold is lost when nobody has proven the session in time, though it was never told to be expired', async () => {
  const { told, hold } = open()
  change('suspended')
  await vi.advanceTimersByTimeAsync(980)
  expect(told).toEqual(['at-risk'])
  await vi.advanceTimersByTimeAsync(30)
  expect([told, deleted]).toEqual([['at-risk', 'lost'], [node.path]])
  change('connected')
  await settled()
  expect([told.length, await hold.extend(), await hold.release()]).toEqual([2, false, false])
})

test('CURATOR-525: lost is final; a reconnect that is told after it revives nothing', async () => {
  const { told } = open()
  change('suspended')
  change('connected')
  change('expired')
  looks[0]?.resolve(stat(7n))
  await settled()
  expect(told).toEqual(['at-risk', 'lost'])
})

test('CURATOR-696: the answer of an older connection is no news: only the last look makes it held', async () => {
  const { told } = open()
  change('suspended')
  change('connected')
  change('suspended')
  looks[0]?.resolve(stat(7n))
  await settled()
  expect(told).toEqual(['at-risk'])
  change('connected')
  looks[1]?.resolve(stat(7n))
  await settled()
  expect(told).toEqual(['at-risk', 'held'])
})

test('strictDisconnect: a lost connection is a lost hold, at once', () => {
  const { told } = open(true)
  change('suspended')
  expect(told).toEqual(['lost'])
})

test('a session that is lost while its hold is being handed out tells it afterwards, and never from inside of watch', async () => {
  const { locks } = open()
  change('suspended')
  const late = new NodeHold({ session: locks, node, remove: () => locks.removePath(node.path) })
  const told: string[] = []
  late.watch((state) => void told.push(state))
  expect(told).toEqual([])
  await settled()
  expect(told).toEqual(['at-risk'])
})

test('isAcquiredInThisProcess: after the end of the session nothing is held, and nothing is extended', async () => {
  const { hold, told } = open()
  change('expired')
  expect([hold.isOver, told, await hold.extend()]).toEqual([true, ['lost'], false])
})

test('close leaves no listener and no timer', async () => {
  const { locks, listeners } = open()
  change('suspended')
  await locks.close()
  expect([listeners.size, vi.getTimerCount()]).toEqual([0, 0])
})
