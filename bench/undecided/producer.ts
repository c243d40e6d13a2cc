/** The producer of every message, on a port of the bench's choice: it says `commit` to each check, and counts them. */
import { createServer } from 'node:http'
import { answerQuestions } from '../setting/child.ts'

export type ProducerQuestion = { readonly kind: 'come-up'; readonly port: number } | { readonly kind: 'count' }

const body = '{"decision":"commit"}'
const headers = { 'content-type': 'application/json', 'content-length': body.length }
let checks = 0

const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
  checks += 1
  incoming.resume()
  incoming.once('end', () => outgoing.writeHead(200, headers).end(body))
})

answerQuestions<ProducerQuestion, number>(async (question) => {
  if (question.kind === 'come-up') {
    await new Promise<void>((resolve) => server.listen(question.port, '127.0.0.1', resolve))
  }
  return checks
})
