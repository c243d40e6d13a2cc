/**
 * What the same HTTP costs without Lockstep: one request in, two calls out one after the other, one answer. It stores nothing and
 * would lose everything, so no coordinator on Node can be faster over HTTP: the raw limit that the coordinator is held against.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import { answerQuestions } from '../setting/child.ts'

interface Body {
  readonly id: string
  readonly steps: readonly { readonly action: string; readonly input: unknown }[]
}

const headers = ['content-type', 'application/json', 'accept', 'application/json']
const pools = new Map<string, Pool>()

const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
  readBody(incoming, async (text) => {
    const { id, steps } = JSON.parse(text) as Body
    for (const { action, input } of steps) await call(action, JSON.stringify(input))
    const answer = JSON.stringify({ id, status: 'committed', version: 0 })
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer)
  })
})

answerQuestions<object, number>(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
})

function readBody(incoming: IncomingMessage, then: (text: string) => Promise<void>): void {
  let text = ''
  incoming.setEncoding('utf8')
  incoming.on('data', (chunk: string) => {
    text += chunk
  })
  incoming.once('end', () => void then(text))
}

function call(action: string, body: string): Promise<string> {
  const { origin, pathname } = new URL(action)
  const pool =
    pools.get(origin) ?? new Pool(origin, { connections: 128, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  pools.set(origin, pool)
  return new Promise((resolve, reject) => {
    let text = ''
    const handler = {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData(_controller: unknown, chunk: Buffer) {
        text += chunk.toString('utf8')
      },
      onResponseEnd: () => resolve(text),
      onResponseError: (_controller: unknown, error: Error) => reject(error),
    }
    pool.dispatch({ path: pathname, method: 'POST', headers, body }, handler)
  })
}
