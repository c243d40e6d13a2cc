import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { nodeSqliteBarrier } from '../src/adapters/node-sqlite.ts'
import { memoryBarrier, memoryDatabase } from '../src/adapters/memory-database.ts'
import { nodeEnvironment } from '../src/environment/node.ts'
import { participant } from '../src/participant/participant.ts'
import { nodeListener, participantHandler } from '../src/transports/index.ts'
import { barrierSql } from '../src/stores/migrations/barrier-sql.ts'
const db = new DatabaseSync(':memory:'); db.exec(barrierSql('sqlite')); db.exec('create table account(id integer primary key, balance integer); insert into account values (1, 0)')
const upd = db.prepare('update account set balance = balance + ? where id = 1')
const mem = memoryDatabase()
const input = z.object({ amount: z.number() })
const handler = participantHandler({ environment: nodeEnvironment, barrierDatabases: [nodeSqliteBarrier(), memoryBarrier()], participants: [
  participant('b.free', { input, barrier: false, action: (i) => ({ receipt: String(i.amount) }) }),
  participant('b.sqlite', { input, action: (i, branch) => branch.transact(db, () => { upd.run(i.amount); return { receipt: 'r1' } }) }),
  participant('b.memory', { input, action: (i, branch) => branch.transact(mem, (tx) => { tx.set('a', '1', i.amount); return { receipt: 'r1' } }) }),
] })
createServer(process.env.RAW ? (q, s) => { q.on('data', () => {}); q.on('end', () => { s.writeHead(200, { 'content-type': 'application/json' }); s.end('{"receipt":"r1"}') }) } : nodeListener(handler)).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('up'))
