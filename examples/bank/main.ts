/**
 * A bank as a process of its own: `node examples/bank/main.ts --name bank-a --port 4701 --database sqlite:./bank-a.db
 * --coordinator http://127.0.0.1:4600 --services services.json`. With several coordinators each transfer takes the next one.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { checkBack, connect, createHandler, nodeListener } from 'lockstep'
import { openBank } from './bank-database.ts'
import { messageParticipants } from './message.ts'
import { sagaParticipants } from './saga.ts'
import { tccParticipants } from './tcc.ts'
import { transfersEndpoint } from './transfers-endpoint.ts'

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'bank-a' },
    port: { type: 'string', default: '4701' },
    database: { type: 'string', default: 'sqlite:./bank-a.db' },
    coordinator: { type: 'string', multiple: true, default: ['http://127.0.0.1:4600'] },
    /** Where the other banks are: the file that the coordinator reads too. */
    services: { type: 'string' },
  },
})

const { name } = values
const database = await openBank(values.database)
const participants = [sagaParticipants, tccParticipants, messageParticipants].flatMap((of) => of(name, database))
const check = checkBack(name, { pool: database.handle })
const services = values.services === undefined ? {} : JSON.parse(readFileSync(values.services, 'utf8'))
const coordinators = values.coordinator.map((url) => connect(url, { participants, checkBack: check, services }))

const onTransfer = transfersEndpoint({ bank: name, database, coordinator: inTurn(coordinators) })
const onCall = nodeListener(createHandler({ participants, checkBack: check }))
const server = createServer((request, response) => {
  if (request.url === '/transfers' && request.method === 'POST') void onTransfer(request, response)
  else onCall(request, response)
})
server.listen(Number(values.port), '127.0.0.1', () => console.log(`${name} listens on http://127.0.0.1:${values.port}`))

process.once('SIGTERM', () => {
  server.close(async () => {
    await Promise.all([...coordinators, database].map((one) => one.close()))
    process.exit(0)
  })
  server.closeIdleConnections()
})

function inTurn<Item>(items: readonly Item[]): () => Item {
  let asked = 0
  return () => items[asked++ % items.length] as Item
}
