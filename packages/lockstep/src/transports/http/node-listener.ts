import type { IncomingMessage, ServerResponse } from 'node:http'
import { bodyBytesMax } from '../../protocol/index.ts'
import type { ParticipantHandler } from './participant-handler.ts'
import type { RawAnswer } from './raw-answer.ts'
import { tooLarge } from './raw-answer.ts'

/**
 * The handler for `node:http`, without the cost of web objects.
 *
 * The body is bounded while it arrives. A client that leaves before its body is complete has asked for nothing; one that
 * leaves later aborts `branch.signal`, and the work ends as it ends.
 *
 * @example
 * createServer(nodeListener(handler)).listen(4000)
 */
export function nodeListener(
  handler: ParticipantHandler,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bodyBytesMax) chunks.push(chunk)
      else refuseRest(request, response, bytes)
    })
    // Without a listener an aborted request would end the process.
    request.on('error', () => {})
    request.on('end', () => {
      if (bytes > bodyBytesMax) return
      const abort = new AbortController()
      response.on('close', () => {
        if (!response.writableFinished) abort.abort()
      })
      const [first] = chunks
      const body = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
      const raw = {
        method: request.method ?? '',
        url: request.url ?? '/',
        signal: abort.signal,
        header: (name: string): string => headerOf(request, name),
      }
      void handler.answer(raw, body).then((answer) => write(response, answer))
    })
  }
}

const lingerMs = 500
const discardedBytesMax = 16 * bodyBytesMax

/**
 * Answers at once, but hangs up a little later: closing a socket with unread data resets it, and the caller would never
 * see the answer. What still comes is thrown away, and after a while not even read.
 */
function refuseRest(request: IncomingMessage, response: ServerResponse, bytes: number): void {
  if (bytes > discardedBytesMax) request.pause()
  if (response.headersSent) return
  write(response, tooLarge())
  const timer = setTimeout(() => request.destroy(), lingerMs)
  request.on('close', () => clearTimeout(timer))
}

function write(response: ServerResponse, answer: RawAnswer): void {
  if (response.destroyed) return
  const length = answer.status === 204 ? {} : { 'content-length': Buffer.byteLength(answer.body) }
  response.writeHead(answer.status, { ...answer.headers, ...length })
  response.end(answer.body)
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name]
  return typeof value === 'string' ? value : (value?.[0] ?? '')
}
