/** Adapters of the two Redis clients: `redisLocks(ioRedis(client))`. */
export { type IoRedisHandle, ioRedis, ioRedisRange } from './io-redis.ts'
export { type NodeRedisHandle, nodeRedis, nodeRedisRange } from './node-redis.ts'
