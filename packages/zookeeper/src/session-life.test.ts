/** Re-attachment, expiry, watches and proof of a session, against a server whose every byte the test says. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type FakePeer, fakePassword, startFakeServer, writeStat } from '../test/fake-server.ts'
import { closeFakes, connectToFake, endOf, openAgainstFake } from '../test/fake-session.ts'
import { until } from '../test/until.ts'
import { openZooKeeper, type WatchListener, type ZooKeeper } from './index.ts'

afterEach(closeFakes)

/** Reads with a watch, and answers it: null for a missing node. */
async function watchOn(
  peer: FakePeer,
  read: Promise<unknown>,
  answer: { zxid: bigint; missing?: boolean; list?: boolean },
) {
  const { xid } = await peer.next()
  const { zxid, missing, list } = answer
  if (missing) peer.reply({ xid, zxid, error: -101 })
  else peer.reply({ xid, zxid, write: (out) => writeStat(list ? out.int(0) : out.bytes(Buffer.from('data'))) })
  await read
}

async function answerSync(peer: FakePeer, zookeeper: ZooKeeper, reply: { error?: number } = {}): Promise<string> {
  const end = endOf(zookeeper.sync('/a'))
  const { xid } = await peer.next()
  peer.reply({ xid, ...reply, write: (out) => void (reply.error ?? out.text('/a')) })
  return end
}

describe('a lost connection', () => {
  test('is followed by the next one to the same session, with its password and the last zxid', async () => {
    const { server, peer, zookeeper } = await openAgainstFake()
    expect(peer.hello).toEqual({ lastZxid: 0n, timeoutMs: 3_000, id: 0n, password: '\0'.repeat(16) })
    peer.greet({ id: 2n ** 62n, timeoutMs: 2_500 })
    await zookeeper.whenConnected()
    expect(zookeeper.timeoutMs).toBe(2_500)
    const synced = zookeeper.sync('/a')
    const { xid } = await peer.next()
    peer.reply({ xid, zxid: 2n ** 40n, write: (out) => out.text('/a') })
    await synced
    peer.destroy()
    const next = await server.accept()
    expect(next.hello).toEqual({ lastZxid: 2n ** 40n, timeoutMs: 3_000, id: 2n ** 62n, password: fakePassword })
  })

  test('leads to the next server at once, and a server that never greets is left', async () => {
    const [first, second] = [await startFakeServer(), await startFakeServer()]
    const random = { fraction: () => 0 }
    const zookeeper = openZooKeeper({
      servers: [first.address, second.address],
      sessionTimeoutMs: 3_000,
      connectTimeoutMs: 100,
      environment: { random },
    })
    const silent = await first.accept()
    await silent.closed
    const peer = await second.accept()
    peer.greet()
    await zookeeper.whenConnected()
    expect(zookeeper.server).toBe(second.address)
    peer.destroy()
    const back = await first.accept()
    back.greet()
    await zookeeper.whenConnected()
    expect(zookeeper.server).toBe(first.address)
    await Promise.all([first.close(), second.close(), zookeeper.close()])
  })

  test('to a server that is slow to greet gets more time with every round', async () => {
    const { server, peer, zookeeper } = await openAgainstFake({ sessionTimeoutMs: 3_000, connectTimeoutMs: 50 })
    const livedMs: number[] = []
    for (let next = peer; livedMs.length < 3; next = await server.accept()) {
      const startedMs = performance.now()
      await next.closed
      livedMs.push(performance.now() - startedMs)
    }
    const [first = 0, second = 0, third = 0] = livedMs
    expect([first > 30, second > 80, third > 180, third < 1_500]).toEqual([true, true, true, true])
    expect(zookeeper.state).toBe('suspended')
  })

  test('at once after every greeting is paced, though each greeting was a success', async () => {
    const { server, peer } = await openAgainstFake()
    let isOver = false
    const serve = async (): Promise<void> => {
      for (let each = peer; !isOver; each = await server.accept()) {
        each.greet()
        each.destroy()
      }
    }
    const serving = serve()
    await pause(500)
    isOver = true
    // Without a pause it would be hundreds.
    expect(server.accepted()).toBeLessThan(12)
    expect(server.accepted()).toBeGreaterThan(2)
    await serving
  })

  test('that nobody told of is found by silence of half the session timeout', async () => {
    const { peer, zookeeper, states } = await openAgainstFake({ sessionTimeoutMs: 1_200 })
    peer.answersHeartbeats = false
    peer.greet()
    await zookeeper.whenConnected()
    const startedMs = performance.now()
    expect(await endOf(zookeeper.sync('/a', { timeoutMs: 10_000 }))).toBe('CONNECTION_LOSS unknown')
    expect(performance.now() - startedMs).toBeGreaterThan(500)
    expect(states).toEqual(['connected', 'suspended'])
    // Still before anybody else can have got what the session holds.
    expect(zookeeper.provenUntilMs).toBeGreaterThan(performance.now())
  })

  test('is none when only this process stood still and the answers lie unread', async () => {
    const { peer, zookeeper, states } = await openAgainstFake({ sessionTimeoutMs: 600 })
    peer.greet()
    await zookeeper.whenConnected()
    await pause(150)
    // In this process the fake server stands still as well; its socket does not.
    const endMs = performance.now() + 450
    while (performance.now() < endMs);
    await pause(300)
    expect(states).toEqual(['connected'])
  })

  test('to a server that only reads is none at all', async () => {
    const { server, peer, zookeeper, states } = await openAgainstFake()
    peer.greet({ isReadOnly: true })
    await peer.closed
    const next = await server.accept()
    next.greet()
    await zookeeper.whenConnected()
    expect(states).toEqual(['connected'])
  })
})

describe('expiry', () => {
  test('comes with a greeting, ends everything that waits, and is final', async () => {
    const { server, peer, zookeeper, states } = await connectToFake()
    const told: string[] = []
    const listener: WatchListener = ({ kind, path }) => told.push(`${kind} ${path}`)
    await watchOn(peer, zookeeper.getData('/a', { watch: listener }), { zxid: 1n })
    peer.destroy()
    await until('it is suspended', () => zookeeper.state === 'suspended')
    const waiting = endOf(zookeeper.create('/a'))
    const next = await server.accept()
    expect(told).toEqual([])
    next.greet({ timeoutMs: 0, id: 0n })
    expect(await waiting).toBe('SESSION_EXPIRED not-applied')
    await next.closed
    await pause(150)
    expect([states, told]).toEqual([['connected', 'suspended', 'expired'], ['expired /a']])
    expect(server.accepted()).toBe(2)
    expect(await endOf(zookeeper.exists('/a'))).toBe('SESSION_EXPIRED not-applied')
    expect(await endOf(zookeeper.whenConnected())).toBe('SESSION_EXPIRED not-applied')
    // The server has ended it: that is what close is for.
    expect(await zookeeper.close()).toBe(true)
    expect(zookeeper.state).toBe('expired')
  })

  test('comes with an answer: that request did not happen, and nobody knows of those behind it', async () => {
    const { server, peer, zookeeper, states } = await connectToFake()
    const ends = [endOf(zookeeper.create('/a')), endOf(zookeeper.create('/b'))]
    const { xid } = await peer.next()
    peer.reply({ xid, error: -112 })
    expect(await Promise.all(ends)).toEqual(['SESSION_EXPIRED not-applied', 'SESSION_EXPIRED unknown'])
    expect(states).toEqual(['connected', 'expired'])
    await peer.closed
    await pause(100)
    expect(server.accepted()).toBe(1)
  })

  test('comes with the answer to a heartbeat', async () => {
    const { peer, zookeeper } = await openAgainstFake({ sessionTimeoutMs: 1_200 })
    peer.answersHeartbeats = false
    peer.greet()
    await zookeeper.whenConnected()
    await until('there is a heartbeat', () => peer.heartbeats.length > 0)
    peer.reply({ xid: peer.heartbeats[0]?.xid ?? 0, error: -112 })
    await until('it is expired', () => zookeeper.state === 'expired')
  })

  test('is told before anything else can be, also to who opens a new session at once', async () => {
    const { server, peer, zookeeper } = await connectToFake()
    const told: string[] = []
    let second: ZooKeeper | undefined
    zookeeper.onChange(({ state }) => {
      told.push(`first ${state}`)
      if (state !== 'expired') return
      second = openZooKeeper({ servers: server.address })
      second.onChange((change) => void told.push(`second ${change.state}`))
    })
    peer.destroy()
    const reattached = await server.accept()
    reattached.greet({ timeoutMs: 0 })
    const fresh = await server.accept()
    expect(fresh.hello.id).toBe(0n)
    fresh.greet({ id: 78n })
    await second?.whenConnected()
    await pause(50)
    expect(told).toEqual(['first suspended', 'first expired', 'second connected'])
    expect([zookeeper.sessionId, second?.sessionId]).toEqual([77n, 78n])
    const closing = second?.close()
    await server.close()
    await closing
  })
})

describe('after a reconnect', () => {
  test('credentials come first, then watches by the zxid of before, then what waited', async () => {
    const credentials = [{ scheme: 'digest', secret: 'ann:secret' }]
    const { server, peer, zookeeper } = await connectToFake({ credentials })
    expect(await peer.next()).toMatchObject({ xid: -4, type: 100 })
    peer.reply({ xid: -4 })
    const added = zookeeper.addAuth({ scheme: 'digest', secret: 'bob:secret' })
    expect(await peer.next()).toMatchObject({ xid: -4, type: 100 })
    peer.reply({ xid: -4 })
    await added
    const watch: WatchListener = () => {}
    await watchOn(peer, zookeeper.getData('/data', { watch }), { zxid: 40n })
    await watchOn(peer, zookeeper.exists('/missing', { watch }), { zxid: 41n, missing: true })
    await watchOn(peer, zookeeper.getChildren('/parent', { watch }), { zxid: 42n, list: true })
    peer.destroy()
    await until('it is suspended', () => zookeeper.state === 'suspended')
    const waiting = endOf(zookeeper.sync('/a'))
    const next = await server.accept()
    next.greet()
    const secrets: string[] = []
    for (let count = 0; count < 2; count += 1) {
      const { xid, body } = await next.next()
      expect([xid, body.int(), body.text()]).toEqual([-4, 0, 'digest'])
      secrets.push(body.bytes().toString())
    }
    expect(secrets).toEqual(['ann:secret', 'bob:secret'])
    const { xid, type, body } = await next.next()
    expect([xid, type, body.long()]).toEqual([-8, 101, 42n])
    const lists = [1, 2, 3].map(() => body.list(() => body.text()))
    expect(lists).toEqual([['/data'], ['/missing'], ['/parent']])
    const last = await next.next()
    next.reply({ xid: -4 })
    next.reply({ xid: -4 })
    next.reply({ xid: -8, zxid: 50n })
    next.reply({ xid: last.xid, write: (out) => out.text('/a') })
    expect(await waiting).toBe('done')
  })

  test('a watch that fired, was taken back or never set is not set again', async () => {
    const { server, peer, zookeeper } = await connectToFake()
    const watch: WatchListener = () => {}
    await watchOn(peer, zookeeper.getData('/fired', { watch }), { zxid: 1n })
    await watchOn(peer, zookeeper.getData('/unwatched', { watch }), { zxid: 1n })
    peer.notify(3, '/fired')
    const failed = endOf(zookeeper.getData('/refused', { watch }))
    peer.reply({ xid: (await peer.next()).xid, error: -102 })
    expect(await failed).toBe('NO_AUTH not-applied')
    zookeeper.unwatch('/unwatched', watch)
    expect(await peer.next()).toMatchObject({ type: 18 })
    expect(zookeeper.watchCount).toBe(0)
    peer.destroy()
    const next = await server.accept()
    next.greet()
    const synced = zookeeper.sync('/a')
    const { xid, type } = await next.next()
    expect(type).toBe(9)
    next.reply({ xid, write: (out) => out.text('/a') })
    await synced
  })

  test('watches that the server will not set end the connection, for they would never fire', async () => {
    const { server, peer, zookeeper, states } = await connectToFake()
    await watchOn(peer, zookeeper.getData('/a', { watch: () => {} }), { zxid: 1n })
    peer.destroy()
    const next = await server.accept()
    next.greet()
    const { xid } = await next.next()
    next.reply({ xid, error: -5 })
    await next.closed
    const third = await server.accept()
    third.greet()
    expect(await third.next()).toMatchObject({ type: 101 })
    expect(states).toEqual(['connected', 'suspended', 'connected', 'suspended', 'connected'])
  })
})

describe('a watch', () => {
  test('set by an answer is told of the change in the same chunk', async () => {
    const { peer, zookeeper } = await connectToFake()
    const told: string[] = []
    const reading = zookeeper.getData('/a', { watch: ({ kind }) => told.push(kind) })
    const { xid } = await peer.next()
    peer.reply({ xid, write: (out) => writeStat(out.bytes(Buffer.from('1'))) })
    peer.notify(2, '/a')
    await reading
    await until('the change is told', () => told.length > 0)
    expect([told, zookeeper.watchCount]).toEqual([['deleted'], 0])
  })

  test('of a read whose deadline passed is not told, and does not hold another one', async () => {
    const { peer, zookeeper } = await connectToFake()
    const told: string[] = []
    const end = endOf(zookeeper.getData('/a', { watch: ({ kind }) => told.push(kind), timeoutMs: 50 }))
    const { xid } = await peer.next()
    expect(await end).toBe('TIMEOUT unknown')
    peer.reply({ xid, write: (out) => writeStat(out.bytes(Buffer.from('1'))) })
    peer.notify(2, '/a')
    expect(await answerSync(peer, zookeeper)).toBe('done')
    expect([told, zookeeper.watchCount]).toEqual([[], 0])
  })

  test('that nobody waits for any more stays on the server while another read asks for it', async () => {
    const { peer, zookeeper } = await connectToFake()
    const told: string[] = []
    const [first, second]: WatchListener[] = [() => told.push('first'), () => told.push('second')]
    await watchOn(peer, zookeeper.getData('/a', { watch: first ?? (() => {}) }), { zxid: 1n })
    const reading = zookeeper.getData('/a', { watch: second ?? (() => {}) })
    zookeeper.unwatch('/a', first ?? (() => {}))
    await watchOn(peer, reading, { zxid: 1n })
    expect(peer.pending()).toBe(0)
    peer.notify(3, '/a')
    await until('the change is told', () => told.length > 0)
    expect(told).toEqual(['second'])
  })

  test('told of something that no watch knows changes nothing', async () => {
    const { peer, zookeeper, states } = await connectToFake()
    for (const type of [-1, 0, 5, 99]) peer.notify(type, '/a')
    peer.notify(3, '/unwatched')
    expect(await answerSync(peer, zookeeper)).toBe('done')
    expect(states).toEqual(['connected'])
  })
})

describe('provenUntilMs', () => {
  test('counts from the sending of the hello, not from the greeting', async () => {
    const startedMs = performance.now()
    const { peer, zookeeper } = await openAgainstFake()
    expect(zookeeper.provenUntilMs).toBe(Number.NEGATIVE_INFINITY)
    const arrivedMs = performance.now()
    await pause(100)
    peer.greet({ timeoutMs: 2_000 })
    await zookeeper.whenConnected()
    expect(zookeeper.provenUntilMs).toBeGreaterThan(startedMs + 2_000)
    expect(zookeeper.provenUntilMs).toBeLessThan(arrivedMs + 2_000)
  })

  test('grows by itself on an idle connection, and stands still while nobody answers', async () => {
    const { peer, zookeeper } = await connectToFake({ sessionTimeoutMs: 1_200 })
    const atFirstMs = zookeeper.provenUntilMs
    await until('heartbeats are answered', () => zookeeper.provenUntilMs > atFirstMs + 350)
    peer.answersHeartbeats = false
    await pause(50)
    const lastMs = zookeeper.provenUntilMs
    await until('it is suspended', () => zookeeper.state === 'suspended')
    expect(zookeeper.provenUntilMs).toBe(lastMs)
    expect(lastMs).toBeGreaterThan(performance.now())
  })

  test('grows while a client only reads', async () => {
    const { peer, zookeeper } = await connectToFake({ sessionTimeoutMs: 1_200 })
    const atFirstMs = zookeeper.provenUntilMs
    while (zookeeper.provenUntilMs < atFirstMs + 300) {
      await watchOn(peer, zookeeper.getData('/a'), { zxid: 1n })
      await pause(5)
    }
    expect(zookeeper.provenUntilMs).toBeGreaterThan(performance.now())
  })

  test('grows by a refusal of a write, and not by a read, by trouble of a server or by a session seen elsewhere', async () => {
    const { peer, zookeeper } = await connectToFake({ sessionTimeoutMs: 3_000 })
    peer.heartbeatError = -1
    const grownBy = async (request: Promise<unknown>, error: number): Promise<boolean> => {
      const [beforeMs, end] = [zookeeper.provenUntilMs, endOf(request)]
      peer.reply({ xid: (await peer.next()).xid, error })
      await end
      return zookeeper.provenUntilMs > beforeMs
    }
    await pause(200)
    expect(await grownBy(zookeeper.getData('/a'), -101)).toBe(false)
    await pause(850)
    expect(await grownBy(zookeeper.getData('/a'), -101)).toBe(false)
    for (const error of [-1, -7, -118, -127]) expect(await grownBy(zookeeper.sync('/a'), error)).toBe(false)
    expect(await grownBy(zookeeper.create('/a'), -110)).toBe(true)
  })
})

test('credentials that the server refuses close the session, whoever gave them', async () => {
  const { server, peer, zookeeper, states } = await connectToFake()
  const end = endOf(zookeeper.addAuth({ scheme: 'nonsense', secret: '' }))
  await peer.next()
  peer.reply({ xid: -4, error: -115 })
  peer.destroy()
  expect(await end).toBe('AUTH_FAILED not-applied')
  expect(await endOf(zookeeper.sync('/a'))).toBe('AUTH_FAILED not-applied')
  await pause(100)
  expect([states, server.accepted(), await zookeeper.close()]).toEqual([['connected', 'closed'], 1, false])
})

test('another object takes a session over by its key', async () => {
  const { server, peer, zookeeper } = await connectToFake()
  const second = openZooKeeper({ servers: server.address, takeOver: zookeeper.sessionKey })
  const { hello } = await server.accept()
  expect([hello.id, hello.password]).toEqual([77n, fakePassword])
  peer.destroy()
  await Promise.all([second.close(), zookeeper.close()])
})
