import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { LockstepError, type Logger } from 'lockstep'
import { silentLogger } from 'lockstep/ports'
import { problemBody, problemContentType } from 'lockstep/protocol'
import { type Api, requestOf } from '../api/create-api.ts'
import { invalid, problemAnswer, traceOf } from '../api/problem-answer.ts'

/** A sender that dawdles must not hold a socket. Answers may take as long as `wait` says: these end with the request. */
const timeouts = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  // Longer than the idle time of common clients, so that it is they who close a connection and never meet a closed one.
  keepAliveTimeout: 65_000,
}

export interface HttpServer {
  readonly url: string
  /** No new connection is taken and an idle one ends; what is being answered goes on. */
  refuseNew(): void
  /** Resolves when every connection has ended; those that have not after `graceMs` are cut. */
  close(graceMs: number): Promise<void>
}

export interface Place {
  readonly host: string
  readonly port: number
}

/** Fails with `LOCKSTEP_CONFIGURATION` when the port cannot be had. */
export async function listen(api: Api, place: Place, logger: Logger): Promise<HttpServer> {
  const answer = getRequestListener(api.fetch, {
    // HTTP/1.0 knows no Host header.
    hostname: place.host.includes(':') ? `[${place.host}]` : place.host,
    errorHandler: (error) => badRequest(error),
  })
  const server = createServer(timeouts, (incoming, outgoing) => {
    // Node answers these by itself where nobody listens; a client that leaves must not end the process.
    incoming.on('error', () => {})
    outgoing.on('error', () => {})
    answer(incoming, outgoing).catch((error) =>
      logger.error({ ...requestOf(incoming), error: String(error) }, 'no answer'),
    )
  })
  server.on('clientError', refuseBroken)
  await bind(server, place)
  return { url: urlOf(server, place), ...closing(server) }
}

/** What cannot be read as a request of ours: a bad Host, a URL that is none. */
function badRequest(error: unknown): Response {
  const isTheirs = error instanceof Error && error.name === 'RequestError'
  const thrown = isTheirs ? invalid('', 'The request line or the Host header cannot be read.') : error
  const request = { method: '', path: '', traceparent: undefined }
  return problemAnswer(thrown, request, silentLogger)
}

function bind(server: Server, { host, port }: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)))
    server.listen({ host, port, backlog: 1_024 }, () => {
      server.removeAllListeners('error')
      server.on('error', () => {})
      resolve()
    })
  })
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): LockstepError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program uses this port',
    EACCES: 'this user may not use this port',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'this host name is not known',
  }
  return new LockstepError('LOCKSTEP_CONFIGURATION', {
    message: `Cannot listen on ${host}:${port}: ${why[error.code ?? ''] ?? error.message}.`,
    next: 'Stop the other program, or choose another port with --port or LOCKSTEP_PORT.',
    cause: error,
  })
}

function urlOf(server: Server, { host }: Place): string {
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function closing(server: Server): Pick<HttpServer, 'refuseNew' | 'close'> {
  let closed: Promise<void> | undefined
  const refuseNew = (): Promise<void> => {
    closed ??= new Promise((resolve) => server.close(() => resolve()))
    return closed
  }
  return {
    refuseNew: () => void refuseNew(),
    async close(graceMs) {
      const ended = refuseNew()
      server.closeIdleConnections()
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      await ended
      clearTimeout(cut)
    },
  }
}

const rawStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** Not HTTP at all, too many headers, or too slow: answered on the bare socket, which then ends. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status = rawStatus[error.code ?? ''] ?? '400 Bad Request'
  const problem = problemBody(invalid('', 'The request is not HTTP that this server can read.'), traceOf(undefined))
  const body = JSON.stringify({ ...problem, status: Number(status.slice(0, 3)) })
  const length = Buffer.byteLength(body)
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: ${problemContentType}\r\ncontent-length: ${length}\r\n\r\n${body}`,
  )
}
