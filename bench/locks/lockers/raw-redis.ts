/** What a mutex costs at least: SET NX PX, and a script that compares and deletes. No wait, no token, no renewal. */
import { createHash, randomUUID } from 'node:crypto'
import { createClient } from '@redis/client'
import { Redis } from 'ioredis'
import { type OpenLocker, ttlMs } from '../locker.ts'

const compareAndDelete = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
const digest = createHash('sha1').update(compareAndDelete).digest('hex')

export const rawIoRedis: OpenLocker = async ({ ports: [port = 0] }) => {
  const redis = new Redis(port, '127.0.0.1')
  await redis.script('LOAD', compareAndDelete)
  return {
    async lock(name) {
      const owner = randomUUID()
      if ((await redis.set(name, owner, 'PX', ttlMs, 'NX')) !== 'OK') throw new Error(`${name} is held.`)
      return { token: null, release: () => redis.evalsha(digest, 1, name, owner) }
    },
  }
}

export const rawNodeRedis: OpenLocker = async ({ ports: [port = 0] }) => {
  const redis = createClient({ url: `redis://127.0.0.1:${port}` })
  await redis.connect()
  await redis.scriptLoad(compareAndDelete)
  return {
    async lock(name) {
      const owner = randomUUID()
      const expiration = { type: 'PX', value: ttlMs } as const
      if ((await redis.set(name, owner, { expiration, condition: 'NX' })) !== 'OK') throw new Error(`${name} is held.`)
      return { token: null, release: () => redis.evalSha(digest, { keys: [name], arguments: [owner] }) }
    },
  }
}
