/** How requests end. A fake server says every byte, for orders that a real one shows once in a million. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { fakePassword, replyRecord, writeStat } from '../test/fake-server.ts'
import { closeFakes, connectToFake, endOf, openAgainstFake } from '../test/fake-session.ts'
import { until } from '../test/until.ts'
import { framed, requestBytesMax } from './wire/frames.ts'
import { JuteWriter } from './wire/jute-writer.ts'

afterEach(closeFakes)

describe('a request', () => {
  test('is answered, when every byte arrives alone', async () => {
    const { peer, zookeeper } = await openAgainstFake()
    const drip = async (record: JuteWriter): Promise<void> => {
      for (const byte of framed(record.finish())) {
        peer.bytes(Uint8Array.of(byte))
        await pause(0)
      }
    }
    await drip(new JuteWriter().int(0).int(3_000).long(5n).bytes(Buffer.from(fakePassword)).bool(false))
    const reading = zookeeper.getData('/a')
    const { xid } = await peer.next()
    await drip(replyRecord({ xid, write: (out) => writeStat(out.bytes(Buffer.from('data'))) }))
    const { data, stat } = await reading
    expect(data.toString()).toBe('data')
    expect(stat).toEqual({
      czxid: 101n,
      mzxid: 102n,
      ctime: 103,
      mtime: 104,
      version: 105,
      cversion: 106,
      aversion: 107,
      ephemeralOwner: 108n,
      dataLength: 109,
      numChildren: 110,
      pzxid: 111n,
    })
    expect(zookeeper.sessionId).toBe(5n)
  })

  test('before the first connection waits for it, and is sent once', async () => {
    const { peer, zookeeper } = await openAgainstFake()
    const created = zookeeper.create('/a')
    peer.greet()
    const { xid } = await peer.next()
    peer.reply({ xid, write: (out) => writeStat(out.text('/a')) })
    expect(await created).toMatchObject({ path: '/a', stat: { czxid: 101n } })
    expect(peer.pending()).toBe(0)
  })

  test('that no server takes ends at its deadline and was not sent', async () => {
    const { zookeeper } = await openAgainstFake({ connectTimeoutMs: 10_000 })
    const startedMs = performance.now()
    expect(await endOf(zookeeper.create('/a', { timeoutMs: 100 }))).toBe('NOT_SENT not-applied')
    expect(performance.now() - startedMs).toBeLessThan(2_000)
    expect(await endOf(zookeeper.whenConnected(50))).toBe('NOT_SENT not-applied')
  })

  test('that is not answered ends at its deadline, unknown, and its late answer is nobody else’s', async () => {
    const { peer, zookeeper } = await connectToFake()
    const first = endOf(zookeeper.create('/first', { timeoutMs: 100 }))
    const { xid } = await peer.next()
    expect(await first).toBe('TIMEOUT unknown')
    const second = zookeeper.create('/second')
    const later = await peer.next()
    peer.reply({ xid, write: (out) => writeStat(out.text('/first')) })
    peer.reply({ xid: later.xid, write: (out) => writeStat(out.text('/second')) })
    expect((await second).path).toBe('/second')
  })

  test('that was sent when the connection ended is unknown, and is not sent again', async () => {
    const { server, peer, zookeeper } = await connectToFake()
    const end = endOf(zookeeper.create('/a', { mode: 'ephemeral-sequential' }))
    await peer.next()
    peer.destroy()
    expect(await end).toBe('CONNECTION_LOSS unknown')
    const next = await server.accept()
    next.greet()
    await zookeeper.whenConnected()
    const after = zookeeper.sync('/only')
    const { xid, body } = await next.next()
    expect(body.text()).toBe('/only')
    next.reply({ xid, write: (out) => out.text('/only') })
    await after
  })

  test('of the outage waits, and leaves with the next connection', async () => {
    const { server, peer, zookeeper, states } = await connectToFake()
    peer.destroy()
    await until('it is suspended', () => zookeeper.state === 'suspended')
    const synced = zookeeper.sync('/a')
    const next = await server.accept()
    next.greet()
    const { xid } = await next.next()
    next.reply({ xid, write: (out) => out.text('/a') })
    await synced
    expect(states).toEqual(['connected', 'suspended', 'connected'])
  })

  test('is refused when too many are open, and the next one is not', async () => {
    const { peer, zookeeper } = await connectToFake({ openRequestsMax: 3 })
    const open = [1, 2, 3].map((index) => endOf(zookeeper.sync(`/${index}`)))
    expect(await endOf(zookeeper.sync('/4'))).toBe('NOT_SENT not-applied')
    const { xid } = await peer.next()
    peer.reply({ xid, write: (out) => out.text('/1') })
    expect(await open[0]).toBe('done')
    const fifth = endOf(zookeeper.sync('/5'))
    for (let index = 0; index < 3; index += 1) {
      const request = await peer.next()
      peer.reply({ xid: request.xid, write: (out) => out.text('/x') })
    }
    expect([await open[1], await open[2], await fifth]).toEqual(['done', 'done', 'done'])
  })

  test('that no server would take is refused here, for it would cost everybody the connection', async () => {
    const { peer, zookeeper, states } = await connectToFake()
    expect(await endOf(zookeeper.create('/a', { data: Buffer.alloc(requestBytesMax) }))).toBe(
      'BAD_ARGUMENTS not-applied',
    )
    for (const path of ['', 'a', '/a/', '//', '/a\0b']) {
      expect(await endOf(zookeeper.getData(path))).toBe('BAD_ARGUMENTS not-applied')
    }
    for (const timeoutMs of [0, -1, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(await endOf(zookeeper.sync('/a', { timeoutMs }))).toBe('BAD_ARGUMENTS not-applied')
    }
    expect([peer.pending(), states, zookeeper.watchCount]).toEqual([0, ['connected'], 0])
  })

  test('keeps what it was called with, whatever the caller does with the buffer', async () => {
    const { peer, zookeeper } = await openAgainstFake()
    const data = Buffer.from('before')
    const end = endOf(zookeeper.setData('/a', data))
    data.fill('x')
    peer.greet()
    const { xid, body } = await peer.next()
    expect([body.text(), body.bytes().toString()]).toEqual(['/a', 'before'])
    peer.reply({ xid, write: writeStat })
    expect(await end).toBe('done')
  })

  test('refused by the server has the name of the error, and the connection goes on', async () => {
    const { peer, zookeeper, states } = await connectToFake()
    for (const [error, end] of [
      [-110, 'NODE_EXISTS not-applied'],
      [-101, 'NO_NODE not-applied'],
      [-5, 'MARSHALLING_ERROR unknown'],
      [-4_711, 'SERVER_ERROR unknown'],
    ] as const) {
      const request = endOf(zookeeper.create('/a'))
      const { xid } = await peer.next()
      peer.reply({ xid, error })
      expect(await request).toBe(end)
    }
    expect(states).toEqual(['connected'])
  })

  test('64 at a time are answered each with its own', async () => {
    const { peer, zookeeper } = await connectToFake()
    const paths = Array.from({ length: 64 }, (_, index) => `/${index}`)
    const created = Promise.all(paths.map((path) => zookeeper.create(path)))
    for (const path of paths) {
      const { xid } = await peer.next()
      peer.reply({ xid, write: (out) => writeStat(out.text(path)) })
    }
    expect((await created).map(({ path }) => path)).toEqual(paths)
  })
})

describe('a connection ends, and the session goes on, when the server sends', () => {
  const broken: [string, (xid: number) => Uint8Array][] = [
    ['a frame of negative length', () => Buffer.from([255, 255, 255, 255])],
    ['a frame of 2 GB', () => Buffer.from([127, 255, 255, 255])],
    [
      'an answer to another request',
      (xid) => framed(replyRecord({ xid: xid + 1, write: (out) => writeStat(out.text('/a')) }).finish()),
    ],
    ['an answer that is too short', (xid) => framed(replyRecord({ xid, write: (out) => out.int(9) }).finish())],
    [
      'an answer that is too long',
      (xid) => framed(replyRecord({ xid, write: (out) => writeStat(out.text('/a').int(1).int(1)) }).finish()),
    ],
    ['a frame without a header', () => framed(Buffer.from([1, 2]))],
  ]
  test.for(broken)('%s', async ([, bytesFor]) => {
    const { server, peer, zookeeper, states } = await connectToFake()
    const end = endOf(zookeeper.create('/a'))
    const { xid } = await peer.next()
    peer.bytes(bytesFor(xid))
    expect(await end).toBe('CONNECTION_LOSS unknown')
    await peer.closed
    const next = await server.accept()
    next.greet()
    await zookeeper.whenConnected()
    expect(next.hello.id).toBe(77n)
    expect(states).toEqual(['connected', 'suspended', 'connected'])
  })

  test('an answer that nobody asked for', async () => {
    const { server, peer, zookeeper } = await connectToFake()
    peer.reply({ xid: 1 })
    await peer.closed
    const next = await server.accept()
    next.greet()
    await zookeeper.whenConnected()
  })

  test('half a frame: what came of it does not live on in the next connection', async () => {
    const { server, peer, zookeeper } = await connectToFake()
    const first = endOf(zookeeper.getData('/a'))
    const { xid } = await peer.next()
    const whole = framed(replyRecord({ xid, write: (out) => writeStat(out.bytes(Buffer.alloc(100))) }).finish())
    peer.bytes(whole.subarray(0, whole.length / 2))
    await pause(20)
    peer.destroy()
    expect(await first).toBe('CONNECTION_LOSS unknown')
    const next = await server.accept()
    next.greet()
    const second = zookeeper.getData('/a')
    const request = await next.next()
    next.reply({ xid: request.xid, write: (out) => writeStat(out.bytes(Buffer.from('whole'))) })
    expect((await second).data.toString()).toBe('whole')
  })
})

describe('close', () => {
  test('tells a watch whose read is answered while the session says goodbye: nothing else ever would', async () => {
    const { peer, zookeeper } = await connectToFake()
    const told: string[] = []
    const reading = zookeeper.getData('/a', { watch: ({ kind }) => told.push(kind) })
    const { xid } = await peer.next()
    const closing = zookeeper.close()
    const goodbye = await peer.next()
    peer.reply({ xid, write: (out) => writeStat(out.bytes(Buffer.from('data'))) })
    await reading
    expect([told, zookeeper.watchCount]).toEqual([['closed'], 0])
    peer.reply({ xid: goodbye.xid })
    expect(await closing).toBe(true)
  })

  test('ends what waits, and everything after it, when there has never been a connection', async () => {
    const { zookeeper, states } = await openAgainstFake()
    const waiting = [endOf(zookeeper.create('/a')), endOf(zookeeper.getData('/a', { watch: () => {} }))]
    const ready = endOf(zookeeper.whenConnected())
    expect(await zookeeper.close()).toBe(false)
    expect(await Promise.all([...waiting, ready])).toEqual(Array(3).fill('CLOSED not-applied'))
    const after = [zookeeper.create('/a'), zookeeper.exists('/a'), zookeeper.sync('/a'), zookeeper.multi([])]
    expect(await Promise.all([...after, zookeeper.whenConnected()].map(endOf))).toEqual(
      Array(5).fill('CLOSED not-applied'),
    )
    expect([zookeeper.state, states, zookeeper.watchCount]).toEqual(['closed', ['closed'], 0])
  })

  test('lets what was sent be answered, tells watches, and gives every caller the same answer', async () => {
    const { peer, zookeeper } = await connectToFake()
    const told: string[] = []
    const reading = zookeeper.getData('/a', { watch: ({ kind }) => told.push(kind) })
    const read = await peer.next()
    peer.reply({ xid: read.xid, write: (out) => writeStat(out.bytes(Buffer.from('1'))) })
    await reading
    const creating = endOf(zookeeper.create('/b'))
    const closing = zookeeper.close()
    expect(told).toEqual(['closed'])
    const [create, goodbye] = [await peer.next(), await peer.next()]
    expect(goodbye.type).toBe(-11)
    peer.reply({ xid: create.xid, write: (out) => writeStat(out.text('/b')) })
    peer.reply({ xid: goodbye.xid })
    expect(await closing).toBe(true)
    expect(await zookeeper.close()).toBe(true)
    expect(await creating).toBe('done')
    await peer.closed
  })

  test('settles when the server is silent, and connects nowhere any more', async () => {
    const { server, peer, zookeeper, states } = await connectToFake({ requestTimeoutMs: 200 })
    peer.answersHeartbeats = false
    const open = endOf(zookeeper.create('/a'))
    expect(await zookeeper.close()).toBe(false)
    expect(await open).toMatch(/^(?:TIMEOUT|CONNECTION_LOSS) unknown$/)
    await peer.closed
    await pause(300)
    expect([server.accepted(), states]).toEqual([1, ['connected', 'closed']])
  })

  test('settles when the connection is lost on the way, and connects nowhere any more', async () => {
    const { server, peer, zookeeper } = await connectToFake()
    const closing = zookeeper.close()
    await peer.next()
    peer.destroy()
    expect(await closing).toBe(false)
    await pause(300)
    expect(server.accepted()).toBe(1)
  })

  test('stops a client that looks for a server', async () => {
    const { server, peer, zookeeper } = await openAgainstFake()
    peer.destroy()
    await peer.closed
    await pause(10)
    expect(await zookeeper.close()).toBe(false)
    await pause(200)
    expect([server.accepted(), zookeeper.state]).toEqual([1, 'closed'])
  })
})
