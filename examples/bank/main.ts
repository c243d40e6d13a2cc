/** A bank as a process of its own: `node examples/bank/main.ts --name bank-a --port 4701 --database sqlite:./bank-a.db`. */
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createHandler, nodeListener } from 'lockstep'
import { openBank } from './bank-database.ts'
import { bankParticipants } from './bank-participants.ts'

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'bank-a' },
    port: { type: 'string', default: '4701' },
    database: { type: 'string', default: 'sqlite:./bank-a.db' },
  },
})

const database = await openBank(values.database)
const server = createServer(nodeListener(createHandler({ participants: bankParticipants(values.name, database) })))
server.listen(Number(values.port), '127.0.0.1', () =>
  console.log(`${values.name} listens on http://127.0.0.1:${values.port}`),
)

process.once('SIGTERM', () => {
  server.close(() => void database.close().then(() => process.exit(0)))
  server.closeIdleConnections()
})
