/**
 * The orders service: marks an order as paid in its own database, and sends the message that follows from it. `npm run build` first,
 * then `npx node examples/05-order-paid-message/orders.ts <port> <folder> <coordinator>`.
 */
import { createServer } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { checkBack, connect, createHandler, nodeListener } from 'lockstep'
import { barrierSql } from 'lockstep/migrations'

const [port = '4701', folder = '.', coordinatorUrl = 'http://127.0.0.1:4600'] = process.argv.slice(2)

const database = new DatabaseSync(join(folder, 'orders.db'))
database.exec(`pragma journal_mode = wal; ${barrierSql('sqlite')}
  create table if not exists paid (id text primary key, customer text not null)`)

// The one line for the check-back: what became of a local transaction is told by the barrier's table beside the orders.
const ordersCheck = checkBack('orders', { pool: database })
const coordinator = connect(coordinatorUrl, { checkBack: ordersCheck })

/** Where the power goes out, to see what happens then. */
type Dies = 'before-commit' | 'after-commit' | null

async function pay(id: string, dies: Dies): Promise<string> {
  const message = { id: `paid-${id}`, to: [{ name: 'points.award' }], payload: { customer: 'ann', points: 10 } }
  const outcome = await coordinator.send(message, {
    transaction: async (branch) => {
      const result = await branch.transact(database, (tx) => {
        tx.prepare('insert into paid values (?, ?)').run(id, 'ann')
        if (dies === 'before-commit') process.kill(process.pid, 'SIGKILL')
      })
      if (dies === 'after-commit') process.kill(process.pid, 'SIGKILL')
      return result
    },
  })
  return outcome.status
}

const handler = nodeListener(createHandler({ participants: [], checkBack: ordersCheck }))
createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://orders')
  if (url.pathname !== '/pay') return handler(request, response)
  const dies = url.searchParams.get('dies') as Dies
  pay(url.searchParams.get('order') ?? '', dies).then(
    (status) => response.end(status),
    (error: Error) => response.writeHead(500).end(error.message),
  )
}).listen(Number(port), '127.0.0.1')
