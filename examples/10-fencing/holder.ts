/** Holds the lock, is paused right before it writes, and does not know how long it slept. */
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import { createLocks, isLockstepError } from 'lockstep'
import { claimFenceSync } from 'lockstep/fencing'
import { redisLocks } from 'lockstep/locks'
import { ioRedis } from 'lockstep/redis'

const [redis = '', database = ''] = process.argv.slice(2)
const db = new DatabaseSync(database)
const locks = createLocks(redisLocks(ioRedis(new Redis(redis, { lazyConnect: true }))))
const lease = await locks.acquire('price', { ttl: '1s' })
lease.assertHeld()
console.log(`granted ${lease.fencingToken}`)

// The worst moment: everything is checked, nothing is written. Here the process is stopped with SIGSTOP.
const until = Date.now() + 400
while (Date.now() < until);

// Nobody has looked at the clock in between, and no timer could fire.
db.exec("update prices set amount = 10 where kind = 'unfenced'")
try {
  db.exec('begin immediate')
  claimFenceSync(db, lease)
  db.exec("update prices set amount = 10 where kind = 'fenced'")
  db.exec('commit')
  console.log('written')
} catch (error) {
  db.exec('rollback')
  if (!isLockstepError(error, 'LOCKSTEP_STALE_TOKEN')) throw error
  console.log(`refused: ${error.message}`)
}
await locks.close()
