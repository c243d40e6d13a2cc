import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedCall {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
  readonly text: string
}

export interface PlainAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export type Answerer = (call: ReceivedCall, count: number) => PlainAnswer | Promise<PlainAnswer>

export interface PlainParticipant {
  readonly url: string
  readonly port: number
  readonly calls: ReceivedCall[]
  /** Paths that were called, in order. */
  paths(): string[]
  on(path: string, answer: Answerer): void
  close(): Promise<void>
}

const jsonHeaders = { 'content-type': 'application/json' }

export function json(body: unknown, status = 200): PlainAnswer {
  return { status, headers: jsonHeaders, body: JSON.stringify(body) }
}

/** A participant as a team without the SDK writes it: node:http and nothing else. Unknown paths answer 200 and `{}`. */
export async function plainParticipant(port = 0): Promise<PlainParticipant> {
  const calls: ReceivedCall[] = []
  const answers = new Map<string, Answerer>()
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', async () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const path = incoming.url ?? ''
      const call = { path, headers: incoming.headers, body: JSON.parse(text), text }
      const count = calls.filter((one) => one.path === path).length + 1
      calls.push(call)
      const { status = 200, headers = {}, body = '' } = await (answers.get(path)?.(call, count) ?? json({}))
      outgoing.writeHead(status, headers).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    calls,
    paths: () => calls.map((call) => call.path),
    on: (path, answer) => void answers.set(path, answer),
    close: () => closeServer(server),
  }
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const participant = await plainParticipant()
  await participant.close()
  return participant.port
}
