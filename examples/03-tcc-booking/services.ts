/**
 * Flight, hotel and payment, each with a database of its own that knows nothing of the others. `npm run build` first, then
 * `npx node examples/03-tcc-booking/services.ts <port> <folder>`.
 */
import { createServer } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Branch, createHandler, nodeListener, participant, refuse } from 'lockstep'
import { barrierSql } from 'lockstep/migrations'
import { z } from 'zod'

const [port = '4701', folder = '.'] = process.argv.slice(2)

/** What is free, what is held for a trip that is not decided, and what is taken. In the bank: money. */
function openStock(name: string, item: string, free: number): DatabaseSync {
  const database = new DatabaseSync(join(folder, `${name}.db`))
  database.exec(`pragma journal_mode = wal; ${barrierSql('sqlite')}
    create table if not exists stock (item text primary key, free integer not null check (free >= 0),
      held integer not null default 0 check (held >= 0), taken integer not null default 0);
    insert into stock (item, free) values ('${item}', ${free}) on conflict do nothing`)
  return database
}

const Request = z.object({ item: z.string(), count: z.number().int().positive() })
type Request = z.infer<typeof Request>

/** Holding, taking and freeing are the same everywhere: one participant per service. */
function reservable(name: string, database: DatabaseSync) {
  const move = ({ item, count }: Request, branch: Branch, change: string) =>
    branch.transact(database, (tx) => {
      tx.prepare(`update stock set ${change} where item = :item`).run({ item, count })
    })
  return participant(name, {
    input: Request,
    try: ({ item, count }, branch) =>
      branch.transact(database, (tx) => {
        const row = tx.prepare('select free from stock where item = ?').get(item)
        if (row === undefined || Number(row['free']) < count) refuse({ code: 'not-enough', item })
        tx.prepare('update stock set free = free - :count, held = held + :count where item = :item').run({
          item,
          count,
        })
        return { held: count }
      }),
    confirm: (input, branch) => move(input, branch, 'held = held - :count, taken = taken + :count'),
    cancel: (input, branch) => move(input, branch, 'held = held - :count, free = free + :count'),
  })
}

const participants = [
  reservable('trip.flight', openStock('flight', 'LS42', 2)),
  reservable('trip.hotel', openStock('hotel', 'sea-view', 2)),
  reservable('trip.payment', openStock('payment', 'ann', 1_000)),
]
createServer(nodeListener(createHandler({ participants }))).listen(Number(port), '127.0.0.1')
