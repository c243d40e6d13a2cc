import { createServer, type Socket } from 'node:net'
import { FrameDecoder, framed } from '../src/wire/frames.ts'
import { JuteReader } from '../src/wire/jute-reader.ts'
import { JuteWriter } from '../src/wire/jute-writer.ts'
import { listening } from './tcp-proxy.ts'

export interface Hello {
  readonly lastZxid: bigint
  readonly timeoutMs: number
  readonly id: bigint
  readonly password: string
}

export interface Received {
  readonly xid: number
  readonly type: number
  readonly body: JuteReader
}

export interface Reply {
  readonly xid: number
  readonly zxid?: bigint
  readonly error?: number
  readonly write?: (out: JuteWriter) => void
}

/** One connection of a client, as a server sees it. The test decides every byte. */
export interface FakePeer {
  readonly hello: Hello
  /** The next request that is no heartbeat, a sync of the root: those are answered by themselves while `answersHeartbeats`. */
  next(): Promise<Received>
  /** What has come in and was not asked for by `next`. */
  pending(): number
  answersHeartbeats: boolean
  heartbeatError: number
  /** Those that were not answered. */
  readonly heartbeats: Received[]
  greet(greeting?: { timeoutMs?: number; id?: bigint; isReadOnly?: boolean }): void
  reply(reply: Reply): void
  /** A change of a watched node: 1 created, 2 deleted, 3 changed, 4 children. */
  notify(type: number, path: string): void
  bytes(bytes: Uint8Array): void
  destroy(): void
  readonly closed: Promise<void>
}

export interface FakeServer {
  readonly address: string
  /** How many connections have come so far. */
  accepted(): number
  /** The next connection, once it has said hello. */
  accept(): Promise<FakePeer>
  close(): Promise<void>
}

const syncType = 9
const headerBytes = 8
export const fakePassword = 'sixteen secret b'

export async function startFakeServer(): Promise<FakeServer> {
  const peers = queue<FakePeer>()
  const sockets = new Set<Socket>()
  let accepted = 0
  const server = createServer((socket) => {
    accepted += 1
    sockets.add(socket)
    socket.setNoDelay(true)
    servePeer(socket, (peer) => peers.put(peer))
  })
  return {
    address: await listening(server),
    accepted: () => accepted,
    accept: () => peers.take(),
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function servePeer(socket: Socket, arrived: (peer: FakePeer) => void): void {
  const frames = new FrameDecoder()
  const received = queue<Received>()
  const line: { xid: number; isBeat: boolean }[] = []
  let peer: FakePeer | undefined
  const take = (frame: Buffer): void => {
    if (peer === undefined) {
      peer = peerOf(socket, { hello: readHello(new JuteReader(frame)), received, replied })
      arrived(peer)
      return
    }
    const body = new JuteReader(frame)
    const request = { xid: body.int(), type: body.int(), body }
    const isBeat = isHeartbeat(request.type, frame)
    if (request.xid > 0) line.push({ xid: request.xid, isBeat })
    if (!isBeat) received.put(request)
    else if (!peer.answersHeartbeats) peer.heartbeats.push(request)
    answerBeats()
  }
  /** A server answers in order, so a heartbeat waits for what came before it. */
  const answerBeats = (): void => {
    const [first] = line
    if (peer?.answersHeartbeats && first?.isBeat) {
      peer.reply({ xid: first.xid, error: peer.heartbeatError, write: (out) => out.text('/') })
    }
  }
  const replied = (xid: number): void => {
    const place = line.findIndex((each) => each.xid === xid)
    if (place >= 0) line.splice(place, 1)
    answerBeats()
  }
  socket.on('data', (chunk: Buffer) => {
    frames.add(chunk)
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) take(frame)
  })
  socket.on('error', () => {})
}

interface PeerParts {
  readonly hello: Hello
  readonly received: Queue<Received>
  replied(xid: number): void
}

function peerOf(socket: Socket, { hello, received, replied }: PeerParts): FakePeer {
  const send = (record: JuteWriter): void => void socket.write(framed(record.finish()))
  return {
    hello,
    next: () => received.take(),
    pending: () => received.size(),
    answersHeartbeats: true,
    heartbeatError: 0,
    heartbeats: [],
    greet({ timeoutMs = hello.timeoutMs, id = 77n, isReadOnly = false } = {}) {
      const out = new JuteWriter().int(0).int(timeoutMs).long(id)
      send(out.bytes(Buffer.from(fakePassword)).bool(isReadOnly))
    },
    reply(reply) {
      send(replyRecord(reply))
      replied(reply.xid)
    },
    notify: (type, path) => send(new JuteWriter().int(-1).long(-1n).int(0).int(type).int(3).text(path)),
    bytes: (bytes) => void socket.write(bytes),
    destroy: () => void socket.destroy(),
    closed: new Promise((resolve) => socket.on('close', () => resolve())),
  }
}

export function replyRecord({ xid, zxid = 1n, error = 0, write }: Reply): JuteWriter {
  const out = new JuteWriter().int(xid).long(zxid).int(error)
  write?.(out)
  return out
}

/** A Stat whose every number can be told from the others. */
export function writeStat(out: JuteWriter): void {
  out.long(101n).long(102n).long(103n).long(104n).int(105).int(106).int(107).long(108n).int(109).int(110).long(111n)
}

function readHello(input: JuteReader): Hello {
  input.int()
  const lastZxid = input.long()
  const timeoutMs = input.int()
  return { lastZxid, timeoutMs, id: input.long(), password: input.bytes().toString() }
}

function isHeartbeat(type: number, frame: Buffer): boolean {
  return type === syncType && new JuteReader(frame.subarray(headerBytes)).text() === '/'
}

interface Queue<Item> {
  put(item: Item): void
  take(): Promise<Item>
  size(): number
}

function queue<Item>(): Queue<Item> {
  const items: Item[] = []
  const takers: ((item: Item) => void)[] = []
  return {
    put(item) {
      const taker = takers.shift()
      if (taker) taker(item)
      else items.push(item)
    },
    take() {
      const item = items.shift()
      return item === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(item)
    },
    size: () => items.length,
  }
}
