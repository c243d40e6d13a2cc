/** The participants, as one process: it answers every call at once, so that only the coordinator is measured. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerQuestions } from '../setting/child.ts'

const body = '{}'
const headers = { 'content-type': 'application/json', 'content-length': body.length }

const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
  incoming.resume()
  incoming.once('end', () => outgoing.writeHead(200, headers).end(body))
})

answerQuestions<object, number>(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
})
