/** Calls of the JSON gateway: one deadline for each, the next endpoint when one fails, and a fresh token when the old one has run out. */
import { answeredError, EtcdError, grpcStatus, isEtcdError } from '../errors.ts'
import { type JsonObject, objectOf } from '../wire/codec.ts'
import { Endpoints } from './endpoints.ts'
import { HttpPool } from './http-pool.ts'
import type { EtcdSettings } from './options.ts'

export interface CallOptions {
  /** Bound of the whole call, over all endpoints; the client's `requestTimeoutMs` unless given. */
  readonly timeoutMs?: number | undefined
}

interface Call extends CallOptions {
  readonly path: string
  readonly body: JsonObject
  /** A second one does no harm, so that one without an answer is sent to the next endpoint. */
  readonly repeatable: boolean
}

export interface CallAnswer {
  readonly message: JsonObject
  /** An endpoint that was asked before has not answered: it may do the same yet. */
  readonly mayComeAgain: boolean
}

export interface JsonStreamListener {
  message(result: JsonObject): void
  end(error: EtcdError): void
}

export interface JsonStream {
  close(): void
  /** It went silent: what is opened next goes elsewhere, where there is an elsewhere. */
  abandon(): void
}

const connectMsMin = 50

export class Gateway {
  readonly #settings: EtcdSettings
  readonly #pool: HttpPool
  readonly #endpoints: Endpoints
  #token: Promise<string> | null = null
  #isClosed = false

  constructor(settings: EtcdSettings) {
    this.#settings = settings
    this.#endpoints = new Endpoints(settings.endpoints)
    this.#pool = new HttpPool({
      socketsMax: settings.socketsMax,
      tls: settings.tls,
      timers: settings.environment.timers,
    })
  }

  async call(call: Call): Promise<CallAnswer> {
    this.#checkOpen(call.path)
    const untilMs = this.#nowMs + (call.timeoutMs ?? this.#settings.requestTimeoutMs)
    try {
      return await this.#overEndpoints(call, untilMs)
    } catch (error) {
      if (!this.#hasStaleToken(error)) throw error
      this.#token = null
      return this.#overEndpoints(call, untilMs)
    }
  }

  /** Where streams go: one of their own fails over to the next endpoint as well. */
  async stream(path: string, body: JsonObject, listener: JsonStreamListener): Promise<JsonStream> {
    this.#checkOpen(path)
    const answerMs = this.#settings.requestTimeoutMs
    const headers = await this.#headers(this.#nowMs + answerMs)
    this.#checkOpen(path)
    const endpoint = this.#endpoints.current
    const request = { endpoint, path, headers, body: JSON.stringify(body), connectMs: answerMs, answerMs }
    const fail = (error: EtcdError): void => {
      if (isEtcdError(error, 'refused')) this.#token = null
      else this.#endpoints.leave(endpoint)
      listener.end(error)
    }
    const stream = this.#pool.stream(request, {
      end: fail,
      line: (text) => {
        const message = parse(text)
        if (message !== null && message['error'] === undefined) return listener.message(objectOf(message['result']))
        stream.close()
        fail(errorIn(`${path} at ${endpoint}`, message, text))
      },
    })
    return {
      close: () => stream.close(),
      abandon: () => {
        stream.close()
        this.#endpoints.leave(endpoint)
      },
    }
  }

  close(): void {
    this.#isClosed = true
    this.#pool.close()
  }

  get #nowMs(): number {
    return this.#settings.environment.clock.monotonicMs()
  }

  #checkOpen(subject: string): void {
    if (this.#isClosed) throw new EtcdError('not-sent', { subject, why: 'the client is closed' })
  }

  async #overEndpoints(call: Call, untilMs: number): Promise<CallAnswer> {
    const headers = await this.#headers(untilMs)
    return this.#try({ ...call, headers }, untilMs)
  }

  async #try(call: Call & { headers: Readonly<Record<string, string>> }, untilMs: number): Promise<CallAnswer> {
    let inDoubt: unknown = null
    const endpoints = this.#endpoints.inOrder()
    for (const [index, endpoint] of endpoints.entries()) {
      const left = endpoints.length - index
      const remainingMs = Math.max(1, untilMs - this.#nowMs)
      const shareMs = Math.min(remainingMs, Math.max(connectMsMin, remainingMs / left))
      try {
        const answerMs = call.repeatable ? shareMs : remainingMs
        const message = await this.#once(endpoint, call, { connectMs: shareMs, answerMs })
        return { message, mayComeAgain: inDoubt !== null }
      } catch (error) {
        this.#leaveAfter(error, endpoint)
        // A later "not sent" does not undo that an earlier one may have arrived.
        if (isEtcdError(error, 'unknown')) inDoubt = error
        const goesOn = isEtcdError(error, 'not-sent') || (call.repeatable && isEtcdError(error, 'unknown'))
        if (!goesOn || left <= 1 || this.#isClosed || this.#nowMs >= untilMs) throw inDoubt ?? error
      }
    }
    throw new EtcdError('not-sent', { subject: call.path, why: 'there is no endpoint' })
  }

  async #once(
    endpoint: string,
    { path, body, headers }: Call & { headers: Readonly<Record<string, string>> },
    bounds: { connectMs: number; answerMs: number },
  ): Promise<JsonObject> {
    const answer = await this.#pool.exchange({ endpoint, path, headers, body: JSON.stringify(body), ...bounds })
    const message = parse(answer.body)
    if (answer.status === 200 && message !== null && message['error'] === undefined) return message
    throw errorIn(`${path} at ${endpoint}`, message, `HTTP ${answer.status} ${answer.body.slice(0, 200)}`)
  }

  #leaveAfter(error: unknown, endpoint: string): void {
    if (!isEtcdError(error, 'refused')) this.#endpoints.leave(endpoint)
  }

  async #headers(untilMs: number): Promise<Readonly<Record<string, string>>> {
    const { headers, credentials } = this.#settings
    if (credentials === null) return headers
    this.#token ??= this.#authenticate(credentials, untilMs)
    const mine = this.#token
    try {
      return { ...headers, authorization: await mine }
    } catch (error) {
      if (this.#token === mine) this.#token = null
      throw error
    }
  }

  async #authenticate({ username, password }: { username: string; password: string }, untilMs: number) {
    const body = { name: username, password }
    const { headers } = this.#settings
    const answer = await this.#try({ path: '/v3/auth/authenticate', body, headers, repeatable: true }, untilMs)
    return String(answer.message['token'])
  }

  /** A token dies with its member, by idleness, and when roles change. */
  #hasStaleToken(error: unknown): boolean {
    if (this.#settings.credentials === null || !isEtcdError(error, 'refused')) return false
    return error.status === grpcStatus.unauthenticated || error.message.includes('revision of auth store is old')
  }
}

function parse(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as JsonObject) : null
  } catch {
    return null
  }
}

/** Calls say `{ error, code }`, streams `{ error: { grpc_code, message } }`. */
function errorIn(subject: string, message: JsonObject | null, text: string): EtcdError {
  const inStream = objectOf(message?.['error'])
  const status = message?.['code'] ?? inStream['grpc_code']
  const words = inStream['message'] ?? message?.['error'] ?? `no etcd answer: ${text.slice(0, 200)}`
  return answeredError(subject, typeof status === 'number' ? status : null, String(words))
}
