import type { Timer } from 'lockstep/ports'
import { Connection } from './connection.ts'
import { isZooKeeperError, ZooKeeperError } from './errors.ts'
import { tell } from './listeners.ts'
import { CalledRequest, noServer, type OpenRequest } from './open-request.ts'
import { Proof, type Touch } from './proof.ts'
import { type NextServer, type Server, ServerRotation, serverName } from './servers.ts'
import { checkDuration, type SessionSettings } from './session-options.ts'
import { type ExpectedWatch, inParts, Watches, type WatchListener } from './watches.ts'
import { authentication, authXid, type Credentials } from './wire/auth.ts'
import { type Greeting, noSession, type SessionKey, writeConnect } from './wire/handshake.ts'
import type { Operation } from './wire/operation.ts'
import { closeSession, sync } from './wire/operations.ts'
import { removeWatches, setWatches, setWatchesXid } from './wire/watch-records.ts'

/**
 * One ZooKeeper session, over as many connections as it takes.
 *
 *   suspended  no connection, at first and after a loss; servers are tried in turn, requests wait. Moves: a server's
 *              greeting → connected, or → expired.
 *   connected  requests leave. Moves: the end of the connection → suspended; the server's word → expired.
 *   expired    final. The server has ended the session and removed its ephemeral nodes.
 *   closed     final. `close` was called, or the server refused the credentials.
 *
 * Only a server knows whether a session has expired: a suspended one is never declared so here, however long it lasts,
 * since an ensemble that was down lets its sessions go on. Whoever must know in time looks at `provenUntilMs`.
 */
export type SessionState = 'suspended' | 'connected' | 'expired' | 'closed'

export interface SessionChange {
  readonly state: SessionState
  /** Why a connection or the session has ended. */
  readonly cause: ZooKeeperError | null
}

export type SessionListener = (change: SessionChange) => void

export interface CallOptions {
  readonly timeoutMs?: number | undefined
  readonly watch?: ExpectedWatch | undefined
  readonly xid?: number
}

const setWatchesCharactersMax = 128 * 1024

export class Session {
  readonly watches = new Watches()
  readonly #settings: SessionSettings
  readonly #rotation: ServerRotation
  readonly #proof = new Proof()
  readonly #listeners = new Set<SessionListener>()
  /** Not sent yet, in the order of their calls. */
  readonly #waiting = new Set<OpenRequest>()
  readonly #credentials: Credentials[]
  #state: SessionState = 'suspended'
  #finalError: ZooKeeperError | undefined
  #lastLoss: ZooKeeperError | undefined
  #key: SessionKey
  #timeoutMs: number
  #lastZxid = 0n
  #openRequests = 0
  #connection: Connection | undefined
  #server: Server | undefined
  #connectedAtMs = Number.POSITIVE_INFINITY
  #reconnect: Timer | undefined
  #goodbye: Promise<boolean> | undefined

  constructor(settings: SessionSettings) {
    this.#settings = settings
    this.#rotation = new ServerRotation(settings.servers, settings.sessionTimeoutMs, settings.environment.random)
    this.#credentials = [...settings.credentials]
    this.#key = settings.takeOver ?? noSession
    this.#timeoutMs = settings.sessionTimeoutMs
    this.#connectNext()
  }

  get state(): SessionState {
    return this.#state
  }

  get key(): SessionKey {
    return this.#key
  }

  get timeoutMs(): number {
    return this.#timeoutMs
  }

  get provenUntilMs(): number {
    return this.#proof.untilMs
  }

  get server(): string | null {
    return this.#state === 'connected' && this.#server ? serverName(this.#server) : null
  }

  onChange(listener: SessionListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  whenConnected(timeoutMs = this.#settings.requestTimeoutMs): Promise<void> {
    if (this.#state === 'connected') return Promise.resolve()
    if (this.#finalError) return Promise.reject(this.#finalError)
    checkDuration('timeoutMs', timeoutMs)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const end = this.onChange(({ state }) => {
      if (state === 'connected') resolve()
      else if (this.#finalError) reject(this.#finalError)
    })
    const timer = this.#settings.environment.timers.after(timeoutMs, () =>
      reject(noServer('connect', timeoutMs, this.#lastLoss)),
    )
    return promise.finally(() => {
      timer.cancel()
      end()
    })
  }

  /** Throws what is known at once; everything else is in the promise. */
  call<Result>(operation: Operation<Result>, options: CallOptions = {}): Promise<Result> {
    this.#refuse(operation.subject)
    const request = this.#request(operation, options)
    if (this.#connection?.isOpen) this.#connection.send(request)
    else this.#waiting.add(request)
    return request.result
  }

  /** Sent now, and first on every connection to come. */
  authenticate(credentials: Credentials, timeoutMs: number | undefined): Promise<undefined> {
    this.#refuse('authenticate')
    this.#credentials.push(credentials)
    return this.call(authentication(credentials), { timeoutMs, xid: authXid })
  }

  /** The server forgets a watch that nobody here wants; should it fire before, nobody hears it. */
  unwatch(path: string, listener: WatchListener): void {
    for (const table of this.watches.remove(path, listener)) {
      if (this.#connection?.isOpen) this.#sendNow(this.#connection, removeWatches(path, table)).catch(() => {})
    }
  }

  close(): Promise<boolean> {
    this.#goodbye ??= this.#close()
    return this.#goodbye
  }

  async #close(): Promise<boolean> {
    if (this.#finalError) return this.#state === 'expired'
    const connection = this.#connection
    const answer = connection?.isOpen ? this.#sendNow(connection, closeSession()) : undefined
    const error = new ZooKeeperError('CLOSED')
    this.#finish('closed', error)
    const isEnded = answer?.then(
      () => true,
      () => false,
    )
    const isConfirmed = (await isEnded) ?? false
    connection?.end(error)
    return isConfirmed
  }

  #refuse(subject: string): void {
    if (this.#finalError) {
      throw new ZooKeeperError(this.#finalError.code, { subject, outcome: 'not-applied', cause: this.#finalError })
    }
    if (this.#openRequests < this.#settings.openRequestsMax) return
    throw new ZooKeeperError('NOT_SENT', { subject, why: `${this.#openRequests} requests are open already` })
  }

  #request<Result>(operation: Operation<Result>, { timeoutMs, watch, xid }: CallOptions): CalledRequest<Result> {
    const request = new CalledRequest(operation, {
      timers: this.#settings.environment.timers,
      timeoutMs: checkDuration('timeoutMs', timeoutMs ?? this.#settings.requestTimeoutMs),
      xid: xid ?? null,
      watch,
      lastLoss: () => this.#lastLoss,
      onSettled: (settled) => {
        this.#openRequests -= 1
        this.#waiting.delete(settled)
      },
    })
    this.#openRequests += 1
    return request
  }

  /** What the session itself has to say: no bound keeps it back. */
  #sendNow<Result>(connection: Connection, operation: Operation<Result>, options: CallOptions = {}): Promise<Result> {
    const request = this.#request(operation, options)
    connection.send(request)
    return request.result
  }

  #connectNext(): void {
    const next = this.#rotation.next()
    if (next.afterMs === 0) this.#connect(next)
    else this.#reconnect = this.#settings.environment.timers.after(next.afterMs, () => this.#connect(next))
  }

  #connect({ server, round }: NextServer): void {
    const { tls, environment, connectTimeoutMs, sessionTimeoutMs } = this.#settings
    this.#server = server
    const connection = new Connection({
      server,
      tls,
      environment,
      greetingTimeoutMs: Math.max(connectTimeoutMs, Math.min(connectTimeoutMs * 2 ** round, sessionTimeoutMs / 2)),
      hello: writeConnect(this.#key, sessionTimeoutMs, this.#lastZxid),
      events: {
        greeted: (greeting, touch) => this.#greeted(connection, greeting, touch),
        touched: (touch, byLeader) => this.#proof.answered(touch, byLeader),
        beat: () => void this.#sendNow(connection, sync('/'), { timeoutMs: this.#timeoutMs }).catch(() => {}),
        sawZxid: (zxid) => {
          this.#lastZxid = zxid
        },
        changed: ({ change, path }) => change && this.watches.fire(change, path),
        rejected: (error) => this.#rejected(error),
        ended: (cause) => this.#ended(cause),
      },
    })
    this.#connection = connection
  }

  #greeted(connection: Connection, greeting: Greeting, touch: Touch): void {
    if (greeting.timeoutMs <= 0) this.#rejected(new ZooKeeperError('SESSION_EXPIRED'))
    else if (greeting.isReadOnly) connection.end(new ZooKeeperError('NOT_READ_ONLY'))
    else {
      this.#key = greeting.key
      this.#timeoutMs = greeting.timeoutMs
      this.#connectedAtMs = this.#settings.environment.clock.monotonicMs()
      this.#proof.greeted(touch, greeting.timeoutMs)
      this.#resume(connection)
      this.#become('connected', null)
    }
  }

  /** First who we are, then what we watch, by the zxid of before: an answer to anything else would move it past a change. */
  #resume(connection: Connection): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const credentials of this.#credentials) {
      this.#sendNow(connection, authentication(credentials), { xid: authXid }).catch(() => {})
    }
    for (const part of inParts(this.watches.paths(), setWatchesCharactersMax)) {
      this.#sendNow(connection, setWatches(this.#lastZxid, part), { xid: setWatchesXid }).catch((error) => {
        // A late answer is an answer; a refusal leaves watches unset, and on another connection they may be set.
        if (isZooKeeperError(error) && error.code !== 'TIMEOUT') connection.end(error)
      })
    }
    for (const request of waiting) connection.send(request)
  }

  #rejected(error: ZooKeeperError): void {
    this.#finish(error.code === 'SESSION_EXPIRED' ? 'expired' : 'closed', error)
    this.#connection?.end(error)
  }

  #ended(cause: ZooKeeperError): void {
    const heldMs = this.#settings.environment.clock.monotonicMs() - this.#connectedAtMs
    this.#connection = undefined
    this.#lastLoss = cause
    this.#connectedAtMs = Number.POSITIVE_INFINITY
    // One that was lost again at once counts as a server that is not there, or two would cut each other off without a pause.
    if (heldMs >= this.#timeoutMs / 3) this.#rotation.hasHeld()
    if (!this.#finalError) this.#become('suspended', cause)
    if (!this.#finalError) this.#connectNext()
  }

  #finish(state: 'expired' | 'closed', error: ZooKeeperError): void {
    if (this.#finalError) return
    this.#finalError = error
    this.#reconnect?.cancel()
    for (const request of [...this.#waiting]) request.fail(error.code, { cause: error, outcome: 'not-applied' })
    this.#become(state, error)
    this.watches.end(state)
  }

  #become(state: SessionState, cause: ZooKeeperError | null): void {
    if (state === this.#state) return
    this.#state = state
    tell(this.#listeners, { state, cause })
  }
}
