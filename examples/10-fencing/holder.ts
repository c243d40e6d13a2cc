/** Holds the lock, is paused right before it writes, and does not know how long it slept. */
import { readSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import { createLocks, isLockstepError, messageOf } from 'lockstep'
import { claimFenceSync } from 'lockstep/fencing'
import { type Lease, redisLocks } from 'lockstep/locks'
import { ioRedis } from 'lockstep/redis'

const standardInput = 0
const [redis = '', database = ''] = process.argv.slice(2)
const db = new DatabaseSync(database)
const locks = createLocks(redisLocks(ioRedis(new Redis(redis, { lazyConnect: true }))))

try {
  const lease = await locks.acquire('price', { ttl: '1s' })
  lease.assertHeld()
  console.log(`granted ${lease.fencingToken}`)

  // The worst moment: everything is checked, and nothing is written. Here the process stands still until the other holder has written, as
  // in a long garbage collection or on a virtual machine that is moved: no timer fires, and no message is read.
  readSync(standardInput, new Uint8Array(1))

  // Nobody looks at the clock again.
  db.exec("update prices set amount = 10 where kind = 'unfenced'")
  console.log(writeFenced(lease))
} catch (error) {
  console.error(`The first holder has failed: ${messageOf(error)}`)
  process.exitCode = 1
} finally {
  await locks.close()
}

/** The claim and the write are one transaction: a token older than one that the database has seen is refused. */
function writeFenced(lease: Lease): string {
  db.exec('begin immediate')
  try {
    claimFenceSync(db, lease)
    db.exec("update prices set amount = 10 where kind = 'fenced'")
    db.exec('commit')
    return 'written'
  } catch (error) {
    db.exec('rollback')
    if (!isLockstepError(error, 'LOCKSTEP_STALE_TOKEN')) throw error
    return `refused: ${error.message}`
  }
}
