/**
 * Why a lock needs a fence: a holder is paused for longer than its lease, somebody else takes over and writes, and then the first one
 * wakes up in the middle of its work. Without a fence it overwrites what is newer; with one it is refused.
 *
 *   node examples/10-fencing/fencing.ts                           starts a Redis of its own, where redis-server is installed
 *   node examples/10-fencing/fencing.ts redis://127.0.0.1:6379
 *
 * The first holder is holder.ts, a process of its own; this one is the second. Both write two prices into one database: the fenced one
 * in a transaction that first claims the fence with the token of the lease, the unfenced one just so.
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
import { createLocks, messageOf } from 'lockstep'
import { claimFenceSync, fenceTableSql } from 'lockstep/fencing'
import { type Lease, type Locks, redisLocks } from 'lockstep/locks'
import { ioRedis } from 'lockstep/redis'

const [given] = process.argv.slice(2)
const directory = mkdtempSync(join(tmpdir(), 'lockstep-fencing-'))
try {
  await onRedis(given)
} catch (error) {
  console.error(`This example ends early: ${messageOf(error)}`)
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

async function onRedis(url: string | undefined): Promise<void> {
  const found = redisAvailable()
  if (url === undefined && !found.available)
    throw new Error(`It needs a Redis. ${found.reason} Or name one: fencing.ts redis://127.0.0.1:6379`)
  const own = url === undefined ? await startRedis({ private: true }) : null
  const redis = url ?? own?.url ?? ''
  const locks = createLocks(redisLocks(ioRedis(new Redis(redis, { lazyConnect: true }))))
  try {
    // A Redis that cannot be used says so here, once.
    await locks.inspect('price')
    await show(locks, redis)
  } finally {
    await locks.close()
    await own?.stop()
  }
}

async function show(locks: Locks, redis: string): Promise<void> {
  const path = join(directory, 'prices.db')
  const db = new DatabaseSync(path)
  db.exec(`${fenceTableSql()}; create table prices (kind text primary key, amount integer)`)
  db.exec("insert into prices values ('fenced', 5), ('unfenced', 5)")

  const first = startHolder(redis, path)
  try {
    console.log(`the first holder is ${await first.line()}; it is paused before it writes`)
    await locks.withLock('price', (lease) => writeBoth(db, lease), { wait: '10s' })
    console.log('the first holder wakes up and writes 10')
    first.wake()
    console.log(`the first holder is ${await first.line()}`)
  } finally {
    await first.end()
  }

  for (const { kind, amount } of db.prepare('select kind, amount from prices order by kind').all())
    console.log(`${kind}: ${amount}${amount === 20 ? '' : ', the newer price is lost'}`)
  db.close()
}

/** Granted as soon as the lease of the paused holder has run out. */
function writeBoth(db: DatabaseSync, lease: Lease): void {
  console.log(`the second holder is granted ${lease.fencingToken} when that lease has run out, and writes 20`)
  db.exec('begin immediate')
  claimFenceSync(db, lease)
  db.exec('update prices set amount = 20')
  db.exec('commit')
}

interface Holder {
  /** What it says next. */
  line(): Promise<string>
  wake(): void
  end(): Promise<void>
}

function startHolder(redis: string, database: string): Holder {
  const program = fileURLToPath(new URL('./holder.ts', import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, program, redis, database], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async line() {
      const { value, done } = await lines.next()
      if (done === true) throw new Error('the first holder has ended before its time.')
      return value
    },
    // Also when this process dies: the first holder reads the end of its input then.
    wake: () => child.stdin.end(),
    async end() {
      child.stdin.end()
      await ended
    },
  }
}
