/** The points service: awards points for each paid order, once. `npx node examples/05-order-paid-message/points.ts <port> <folder>` */
import { createServer } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createHandler, nodeListener, participant } from 'lockstep'
import { barrierSql } from 'lockstep/migrations'
import { z } from 'zod'

const [port = '4702', folder = '.'] = process.argv.slice(2)

const database = new DatabaseSync(join(folder, 'points.db'))
database.exec(`pragma journal_mode = wal; ${barrierSql('sqlite')}
  create table if not exists points (customer text primary key, points integer not null)`)

const award = participant('points.award', {
  input: z.object({ customer: z.string(), points: z.number().int() }),
  deliver: ({ customer, points }, branch) =>
    branch.transact(database, (tx) => {
      const sum = 'points = points + excluded.points'
      tx.prepare(`insert into points values (?, ?) on conflict do update set ${sum}`).run(customer, points)
    }),
})
createServer(nodeListener(createHandler({ participants: [award] }))).listen(Number(port), '127.0.0.1')
