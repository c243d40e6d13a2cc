/** The Redis in memory is compared with a real one, command by command. */
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { startRedis, testsWithRedis } from '../services/redis.ts'
import { RandomStreams } from '../simulator/index.ts'
import { LuaRuntime } from './lua-runtime.ts'
import { RedisData } from './redis-data.ts'

const keys = ['a', 'b', 'c']
const members = ['x', 'y', 'z']

if (testsWithRedis())
  test('2,000 random commands in scripts have the same replies on a real server', async () => {
    const server = await startRedis({ private: true })
    const client = new Redis(server.url)
    const data = new RedisData({ nowMs: () => 1_000, publish: () => 0 })
    const runtime = new LuaRuntime()
    const random = new RandomStreams(7, () => {}).fork('commands')
    const one = (from: readonly string[]): string => random.pick('one', from)
    const number = (): string => String(random.integer('number', -2, 3))
    const drawn: readonly (() => readonly string[])[] = [
      () => ['GET', one(keys)],
      () => ['SET', one(keys), one(members)],
      () => ['SET', one(keys), one(members), 'NX', 'PX', '90000'],
      () => ['SET', one(keys), one(members), 'GET'],
      () => ['SET', one(keys), one(members), 'PX', '90000', 'GET'],
      () => ['DEL', one(keys)],
      () => ['EXISTS', one(keys), one(keys)],
      () => ['LLEN', one(keys)],
      () => ['LINDEX', one(keys), number()],
      () => ['LRANGE', one(keys), number(), number()],
      () => ['RPUSH', one(keys), one(members)],
      () => ['LPOP', one(keys)],
      () => ['LREM', one(keys), '0', one(members)],
      () => ['HSET', one(keys), one(members), one(members)],
      () => ['HGET', one(keys), one(members)],
      () => ['HDEL', one(keys), one(members)],
      () => ['HLEN', one(keys)],
      () => ['ZADD', one(keys), number(), one(members)],
      () => ['ZREM', one(keys), one(members)],
      () => ['ZCARD', one(keys)],
      () => ['ZSCORE', one(keys), one(members)],
      () => ['ZRANGE', one(keys), number(), number(), 'WITHSCORES'],
      () => ['ZRANGEBYSCORE', one(keys), '-inf', number()],
      () => ['ZRANGEBYSCORE', one(keys), number(), '+inf', 'WITHSCORES'],
      () => ['PEXPIRE', one(keys), one(['-5', '80000'])],
      () => ['PUBLISH', 'channel', 'text'],
    ]
    const lua = `local reply = redis.pcall(unpack(ARGV))
if type(reply) == 'table' and reply.err then return { 'failed', string.match(reply.err, '%u+') } end
return { type(reply), reply }`
    for (let at = 0; at < 2_000; at++) {
      const command = random.pick('command', drawn)()
      const real = await client.eval(lua, 0, ...command)
      const model = runtime.run(data, lua.replace('unpack', 'table.unpack'), [], command)
      expect({ at, command, reply: JSON.parse(JSON.stringify(model).replaceAll(/\{"ok":("[^"]*")\}/g, '$1')) }).toEqual(
        { at, command, reply: real },
      )
    }
    client.disconnect()
    await server.stop()
  })
