/**
 * HTTP/1.1 over pooled sockets. Whether a request has left decides between `not-sent` and `unknown`, and only the socket knows that, so
 * this is node:http and not fetch. A watch has a socket of its own.
 */
import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { request as secureRequest, Agent as TlsAgent } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { Timers } from 'lockstep/ports'
import { EtcdError, grpcStatus } from '../errors.ts'

export interface TlsOptions
  extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'minVersion' | 'ciphers'> {
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

export interface HttpRequest {
  readonly endpoint: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Until a socket is there and connected. */
  readonly connectMs: number
  /** From the start to the whole answer, or to the first line of a stream. */
  readonly answerMs: number
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

export interface StreamListener {
  /** One JSON text. */
  line(text: string): void
  /** Called once, unless it was closed by its owner. */
  end(error: EtcdError): void
}

const answerBytesMax = 64 * 1024 * 1024
/** Linux asks again every second, ten times; what swallows bytes and still acknowledges is found by probes. */
const tcpKeepAliveMs = 5_000

export class HttpPool {
  readonly #plain: PlainAgent
  readonly #secure: TlsAgent
  readonly #tls: TlsOptions
  readonly #timers: Timers
  /** An agent that is destroyed ends its sockets, and opens new ones for what still waits for one. */
  readonly #unanswered = new Set<() => void>()

  constructor(options: { socketsMax: number; tls: TlsOptions | undefined; timers: Timers }) {
    const pooled = { keepAlive: true, keepAliveMsecs: tcpKeepAliveMs, maxSockets: options.socketsMax }
    this.#tls = options.tls ?? {}
    this.#plain = new PlainAgent(pooled)
    this.#secure = new TlsAgent({ ...pooled, ...this.#tls })
    this.#timers = options.timers
  }

  /** Rejects with `not-sent` or `unknown`, and with `refused` where no request can be made of it; any HTTP status is an answer. */
  exchange(request: HttpRequest): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const opened = this.#open(request, {
        pooled: true,
        fail: reject,
        response: (response) => {
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            chunks.push(chunk)
            if (bytes > answerBytesMax) opened.fail(`the answer is larger than ${answerBytesMax} bytes`)
          })
          response.on('end', () => {
            if (!response.complete) return
            opened.settle()
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') })
          })
        },
      })
    })
  }

  /** Lines as they come, until somebody ends it. Throws `refused` where no request can be made of it. */
  stream(request: HttpRequest, listener: StreamListener): { close(): void } {
    const opened = this.#open(request, {
      pooled: false,
      fail: (error) => listener.end(error),
      response: (response) => {
        let rest = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          opened.hasBegun()
          const lines = (rest + text).split('\n')
          rest = lines.pop() ?? ''
          if (rest.length > answerBytesMax) return opened.fail(`a line is longer than ${answerBytesMax} characters`)
          for (const line of lines) if (line !== '' && opened.isOpen()) listener.line(line)
        })
        response.on('end', () => opened.fail('the server ended the stream'))
      },
    })
    return {
      close() {
        opened.settle()
        opened.destroy()
      },
    }
  }

  close(): void {
    for (const end of [...this.#unanswered]) end()
    this.#plain.destroy()
    this.#secure.destroy()
  }

  #open(request: HttpRequest, on: Handlers): OpenedRequest {
    const subject = `${request.path} at ${request.endpoint}`
    // Before all else: where it throws, nothing must be waiting for it.
    const outgoing = this.#start(request, { pooled: on.pooled, subject })
    let left = false
    let isOpen = true
    const settle = (): void => {
      isOpen = false
      this.#unanswered.delete(close)
      connecting.cancel()
      answering.cancel()
    }
    const fail = (why: string, cause?: unknown): void => {
      if (!isOpen) return
      settle()
      outgoing.destroy()
      on.fail(new EtcdError(left ? 'unknown' : 'not-sent', { subject, why, cause }))
    }
    const close = (): void => fail('the client was closed')
    this.#unanswered.add(close)
    const connecting = this.#timers.after(request.connectMs, () => fail(`no connection in ${request.connectMs} ms`))
    const answering = this.#timers.after(request.answerMs, () =>
      fail(`no answer in ${Math.round(request.answerMs)} ms`),
    )
    onceConnected(outgoing, () => {
      left = true
      connecting.cancel()
    })
    outgoing.on('error', (error) => fail(wordsOf(error), error))
    outgoing.on('response', (response: IncomingMessage) => {
      response.on('error', (error) => fail(wordsOf(error), error))
      response.on('close', () => fail('the connection was closed before the answer was complete'))
      on.response(response)
    })
    return { settle, fail, destroy: () => outgoing.destroy(), isOpen: () => isOpen, hasBegun: () => answering.cancel() }
  }

  /** Its events come in a later turn. Node throws for a header or a certificate that is none. */
  #start(request: HttpRequest, { pooled, subject }: { pooled: boolean; subject: string }): ClientRequest {
    let outgoing: ClientRequest | undefined
    try {
      outgoing = this.#prepare(request, pooled)
      outgoing.end(request.body)
      return outgoing
    } catch (error) {
      outgoing?.on('error', () => undefined).destroy()
      const why = `no request can be made of the headers and the tls options: ${wordsOf(error)}`
      throw new EtcdError('refused', { subject, why, status: grpcStatus.invalidArgument, cause: error })
    }
  }

  #prepare({ endpoint, path, headers, body }: HttpRequest, pooled: boolean): ClientRequest {
    const url = new URL(path, endpoint)
    const common = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }
    if (url.protocol === 'https:') {
      const agent = pooled ? this.#secure : false
      return secureRequest(url, { ...this.#tls, ...common, agent })
    }
    return plainRequest(url, { ...common, agent: pooled ? this.#plain : false })
  }
}

interface Handlers {
  readonly pooled: boolean
  readonly fail: (error: EtcdError) => void
  readonly response: (response: IncomingMessage) => void
}

interface OpenedRequest {
  /** It has its answer: nothing is told any more. */
  settle(): void
  fail(why: string): void
  destroy(): void
  isOpen(): boolean
  /** A stream's first line has come: from now on it may be silent. */
  hasBegun(): void
}

/** A pooled socket is connected already; before that nothing of the request can have left. */
function onceConnected(outgoing: ClientRequest, connected: () => void): void {
  outgoing.on('socket', (socket) => {
    socket.setKeepAlive(true, tcpKeepAliveMs)
    if (socket.connecting) socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected)
    else connected()
  })
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed'
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : ''
  return `${code}${error.message || error.name}`.slice(0, 300)
}
