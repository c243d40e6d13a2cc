/**
 * What the same HTTP costs without Lockstep: it answers what the initiator asks, and where the coordinator would call the participants it
 * calls them. It stores nothing and would lose everything, so no coordinator on Node can be faster over HTTP: the raw limit that the
 * coordinator is held against.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerQuestions } from '../setting/child.ts'
import { inputOf, type Relay } from './pattern.ts'
import { Requests } from './requests.ts'

export interface RelayQuestion {
  readonly businessUrl: string
  readonly relay: Relay
}

interface Relaying {
  readonly business: Requests
  readonly relay: Relay
}

let relaying: Relaying | null = null

const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
  readBody(incoming, (text) => answer(incoming.url ?? '', text, outgoing))
})

answerQuestions<RelayQuestion, number>(async ({ businessUrl, relay }) => {
  await relaying?.business.close()
  relaying = { business: new Requests(businessUrl), relay }
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
})

async function answer(url: string, text: string, outgoing: ServerResponse): Promise<void> {
  if (text !== '') JSON.parse(text)
  if (relaying === null) throw new Error('The relay does not know yet what to relay.')
  const asks = asked(url)
  const isLast = asks === 'commit' || relaying.relay.on === asks
  if (relaying.relay.on === asks) await callAll(relaying)
  const status = isLast ? 200 : asks === 'register' ? 201 : 202
  const body = JSON.stringify({ status: isLast ? 'committed' : 'prepared', version: 0 })
  outgoing.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

function asked(url: string): 'begin' | 'register' | 'commit' {
  if (url.includes('/commit')) return 'commit'
  return url.endsWith('/branches') ? 'register' : 'begin'
}

async function callAll({ business, relay }: Relaying): Promise<void> {
  const calls = relay.paths.map((path, at) => () => business.post(path, JSON.stringify(inputOf(at))))
  if (relay.together) await Promise.all(calls.map((call) => call()))
  else for (const call of calls) await call()
}

function readBody(incoming: IncomingMessage, then: (text: string) => Promise<void>): void {
  let text = ''
  incoming.setEncoding('utf8')
  incoming.on('data', (chunk: string) => {
    text += chunk
  })
  incoming.once('end', () => void then(text))
}
