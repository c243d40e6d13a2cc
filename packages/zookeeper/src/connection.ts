import type { Socket } from 'node:net'
import type { Timer } from 'lockstep/ports'
import type { ClientEnvironment } from './environment.ts'
import { isZooKeeperError, serverError, ZooKeeperError } from './errors.ts'
import { startHeartbeat } from './heartbeat.ts'
import type { OpenRequest } from './open-request.ts'
import type { Touch } from './proof.ts'
import { type Server, serverName } from './servers.ts'
import { isWithItself, openSocket, type TlsOptions } from './socket.ts'
import { authXid } from './wire/auth.ts'
import { FrameDecoder, framed } from './wire/frames.ts'
import { type Greeting, readGreeting } from './wire/handshake.ts'
import { JuteReader } from './wire/jute-reader.ts'
import { readWatchedChange, type WatchedChange } from './wire/watch-records.ts'

export interface ConnectionEvents {
  greeted(greeting: Greeting, touch: Touch): void
  /** The server has heard of us. */
  touched(touch: Touch, byLeader: boolean): void
  /** It is time to ask the leader for something. */
  beat(): void
  sawZxid(zxid: bigint): void
  changed(change: WatchedChange): void
  /** The server says that the session, or who it claims to be, is nothing to it. */
  rejected(error: ZooKeeperError): void
  /** The last event, once. */
  ended(cause: ZooKeeperError): void
}

export interface ConnectionOptions {
  readonly server: Server
  readonly tls: TlsOptions | undefined
  /** From the first byte of TCP to the server's greeting. */
  readonly greetingTimeoutMs: number
  /** The record that asks for a session. */
  readonly hello: Buffer
  readonly environment: ClientEnvironment
  readonly events: ConnectionEvents
}

interface ReplyHeader {
  readonly xid: number
  readonly zxid: bigint
  readonly errorNumber: number
}

const notificationXid = -1
const xidMax = 2_147_483_647
const sessionExpiredNumber = -112
const sessionMovedNumber = -118
/** Errors between this number and the one above are the tree's answers; the others are troubles of a server. */
const apiErrorNumber = -100

/**
 * One TCP connection, from its opening to its end; a new server is a new one. Nothing of it, half a frame included, outlives it.
 *
 *   opening   no bytes yet. Moves: the socket → greeting.
 *   greeting  a session is asked for. Moves: the answer → open.
 *   open      requests leave and are answered in the same order.
 *   ended     final. Whatever was sent and not answered has failed, and nobody knows whether it happened.
 *
 * Any phase ends by the socket, by silence, by a frame that cannot be read, or by `end`.
 */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #events: ConnectionEvents
  readonly #environment: ClientEnvironment
  readonly #socket: Socket
  readonly #frames = new FrameDecoder()
  /** In the order of their answers. */
  #sent: OpenRequest[] = []
  /** Answered out of that order: the server reads credentials before it queues requests. */
  #authenticating: OpenRequest[] = []
  #phase: 'opening' | 'greeting' | 'open' | 'ended' = 'opening'
  #timer: Timer
  #lastXid = 0
  #sentAtMs = 0
  #askedLeaderAtMs = 0
  #leaderAnsweredAtMs = 0
  #isCorked = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#events = options.events
    this.#environment = options.environment
    // First, for TLS options that are wrong throw.
    this.#socket = openSocket(options.server, options.tls, () => this.#greet())
    this.#timer = options.environment.timers.after(options.greetingTimeoutMs, () =>
      this.#lose(`no session within ${Math.round(options.greetingTimeoutMs)} ms`),
    )
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    this.#socket.on('error', (error) => this.#lose(error.message, error))
    this.#socket.on('end', () => this.#lose('the server has ended it'))
    this.#socket.on('close', () => this.#lose('it was closed'))
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  send(request: OpenRequest): void {
    const xid = request.xid ?? this.#nextXid()
    request.frame.writeInt32BE(xid, 4)
    ;(xid === authXid ? this.#authenticating : this.#sent).push(request)
    this.#write(request.frame)
    request.sent(this.#sentAtMs)
    if (request.asksLeader) this.#askedLeaderAtMs = this.#sentAtMs
  }

  end(cause: ZooKeeperError): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#timer.cancel()
    this.#socket.destroy()
    const open = [...this.#sent, ...this.#authenticating]
    this.#sent = []
    this.#authenticating = []
    const code = cause.code === 'SESSION_EXPIRED' ? cause.code : 'CONNECTION_LOSS'
    for (const request of open) request.fail(code, { cause, outcome: 'unknown' })
    this.#events.ended(cause)
  }

  #lose(why: string, cause?: unknown): void {
    const subject = serverName(this.#options.server)
    this.end(new ZooKeeperError('CONNECTION_LOSS', { subject, why: `the connection is lost: ${why}`, cause }))
  }

  #greet(): void {
    if (this.#phase !== 'opening') return
    if (isWithItself(this.#socket)) {
      this.#lose('nobody listens, and the system has connected the socket with itself')
      return
    }
    this.#phase = 'greeting'
    this.#write(framed(this.#options.hello))
  }

  #write(frame: Buffer): void {
    this.#sentAtMs = this.#environment.clock.monotonicMs()
    // What is sent in one turn leaves as one packet: many callers go on together when many answers came together.
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(frame)
  }

  #receive(chunk: Buffer): void {
    try {
      this.#frames.add(chunk)
      while (this.#phase !== 'ended') {
        const frame = this.#frames.next()
        if (frame === undefined) return
        this.#read(new JuteReader(frame))
      }
    } catch (error) {
      if (!isZooKeeperError(error)) throw error
      this.#lose(error.message, error)
    }
  }

  #read(input: JuteReader): void {
    if (this.#phase === 'greeting') this.#open(readGreeting(input))
    else this.#readReply({ xid: input.int(), zxid: input.long(), errorNumber: input.int() }, input)
  }

  #readReply(header: ReplyHeader, body: JuteReader): void {
    if (header.xid === notificationXid) this.#events.changed(readWatchedChange(body))
    else if (header.xid === authXid) this.#readAuthentication(header.errorNumber, body)
    else this.#readAnswer(header, body)
  }

  #open(greeting: Greeting): void {
    this.#timer.cancel()
    this.#phase = 'open'
    const touch = { sentAtMs: this.#sentAtMs, answeredAtMs: this.#environment.clock.monotonicMs() }
    this.#askedLeaderAtMs = touch.sentAtMs
    this.#leaderAnsweredAtMs = touch.answeredAtMs
    if (greeting.timeoutMs > 0) this.#timer = this.#startHeartbeat(greeting.timeoutMs)
    this.#events.greeted(greeting, touch)
  }

  #readAnswer(header: ReplyHeader, body: JuteReader): void {
    const [request] = this.#sent
    if (request === undefined) throw new ZooKeeperError('BROKEN_FRAME', { why: `an answer to nothing: ${header.xid}` })
    const xid = request.frame.readInt32BE(4)
    if (xid !== header.xid) throw new ZooKeeperError('BROKEN_FRAME', { why: `an answer to ${header.xid}, not ${xid}` })
    // A request whose answer cannot be read stays in line, and fails with the connection.
    request.answer(header.errorNumber, body)
    this.#sent.shift()
    if (header.zxid > 0n) this.#events.sawZxid(header.zxid)
    this.#judge(header.errorNumber, request)
  }

  #readAuthentication(errorNumber: number, body: JuteReader): void {
    this.#authenticating.shift()?.answer(errorNumber, body)
    if (errorNumber !== 0) this.#events.rejected(serverError(errorNumber))
  }

  /** What an answer says of the session. A server that could not do its work, or has seen the session elsewhere, says nothing. */
  #judge(errorNumber: number, { sentAtMs, asksLeader }: OpenRequest): void {
    const isAnswer = errorNumber === 0 || (errorNumber < apiErrorNumber && errorNumber > sessionMovedNumber)
    if (errorNumber === sessionExpiredNumber) this.#events.rejected(serverError(errorNumber))
    else if (isAnswer && sentAtMs !== undefined) {
      const answeredAtMs = this.#environment.clock.monotonicMs()
      if (asksLeader) this.#leaderAnsweredAtMs = answeredAtMs
      this.#events.touched({ sentAtMs, answeredAtMs }, asksLeader)
    }
  }

  #startHeartbeat(sessionTimeoutMs: number): Timer {
    return startHeartbeat({
      environment: this.#environment,
      sessionTimeoutMs,
      askedAtMs: () => this.#askedLeaderAtMs,
      answeredAtMs: () => this.#leaderAnsweredAtMs,
      beat: () => this.#events.beat(),
      silent: () => this.#lose(`the leader has not answered for ${Math.round(sessionTimeoutMs / 2)} ms`),
    })
  }

  #nextXid(): number {
    this.#lastXid = this.#lastXid === xidMax ? 1 : this.#lastXid + 1
    return this.#lastXid
  }
}
