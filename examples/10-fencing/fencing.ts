/**
 * Why a lock needs a fence: a holder is stopped for longer than its lease, somebody else takes over and writes, and then the first one
 * wakes up in the middle of its work. Without a fence it overwrites what is newer; with one it is refused.
 *
 *   node examples/10-fencing/fencing.ts                           starts a Redis of its own, where redis-server is installed
 *   node examples/10-fencing/fencing.ts redis://127.0.0.1:6379
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { redisAvailable, startRedis } from '@lockstep/testkit'
import { Redis } from 'ioredis'
import { createLocks } from 'lockstep'
import { claimFenceSync, fenceTableSql } from 'lockstep/fencing'
import { redisLocks } from 'lockstep/locks'
import { ioRedis } from 'lockstep/redis'

const holder = fileURLToPath(new URL('./holder.ts', import.meta.url))

async function show(redis: string, database: string): Promise<void> {
  const db = new DatabaseSync(database)
  db.exec(`${fenceTableSql()}; create table prices (kind text primary key, amount integer)`)
  db.exec("insert into prices values ('fenced', 5), ('unfenced', 5)")
  const child = spawn(process.execPath, [...process.execArgv, holder, redis, database], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => String((await lines.next()).value)

  console.log(`the first holder is ${await line()}; it is stopped before it writes`)
  child.kill('SIGSTOP')
  const locks = createLocks(redisLocks(ioRedis(new Redis(redis, { lazyConnect: true }))))
  await locks.withLock(
    'price',
    (lease) => {
      console.log(`the second holder is granted ${lease.fencingToken} when that lease has run out, and writes 20`)
      db.exec('begin immediate')
      claimFenceSync(db, lease)
      db.exec('update prices set amount = 20')
      db.exec('commit')
    },
    { wait: '10s' },
  )
  console.log('the first holder wakes up and writes 10')
  child.kill('SIGCONT')
  console.log(`the first holder is ${await line()}`)
  await new Promise((resolve) => child.once('exit', resolve))
  for (const { kind, amount } of db.prepare('select kind, amount from prices order by kind').all())
    console.log(`${kind}: ${amount}${amount === 20 ? '' : ', the newer price is lost'}`)
  await locks.close()
  db.close()
}

const directory = mkdtempSync(join(tmpdir(), 'lockstep-fencing-'))
const [given] = process.argv.slice(2)
const available = redisAvailable()
if (given === undefined && !available.available) {
  console.error(`This example needs a Redis: ${available.reason} Or name one: fencing.ts redis://127.0.0.1:6379`)
  process.exit(1)
}
const own = given === undefined ? await startRedis({ private: true }) : null
try {
  await show(given ?? own?.url ?? '', join(directory, 'prices.db'))
} finally {
  await own?.stop()
  rmSync(directory, { recursive: true, force: true })
}
